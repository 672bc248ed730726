// The account half of a session: what the ABI's account functions do, as C++. A plugin that has one
// supplies a factory (push_session.h); one protocol is one implementation. One thread at a time.
//
// The functions may throw; the glue turns what leaves them into VM_FAILED.
#ifndef VM_PLUGINS_COMMON_ACCOUNT_H
#define VM_PLUGINS_COMMON_ACCOUNT_H

#include "common/connection.h"
#include "common/ending.h"
#include "common/login.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace vm::plug {

struct AccountOptions : ServerOptions {
    bool search_text = false;
};

// How an account function ended; text is empty with VM_OK.
struct AccountEnding {
    vm_status status = VM_OK;
    Ending ending;
};

struct FoundMessage {
    bool found = false;
    std::uint32_t uidvalidity = 0;
    std::uint32_t uid = 0;
    std::string folder;
};

using FolderSink = std::function<void(const vm_folder&)>;
using FetchSink = std::function<void(std::uint32_t flags, const std::string& bytes)>;
using ChangeSink = std::function<void(std::size_t, const vm_change_result&)>;

class Account {
  public:
    virtual ~Account() = default;

    // Each as its namesake of vm_transport.h; what a plugin does not override it does not support.
    virtual AccountEnding find(const std::string&, FoundMessage&) { return not_supported(); }
    virtual AccountEnding folders(const vm_scope&, const FolderSink&) { return not_supported(); }
    virtual AccountEnding look(const vm_look&, const vm_look_sink&, vm_look_result&) {
        return not_supported();
    }
    virtual AccountEnding apply(const std::string& /*folder*/, std::uint32_t /*uidvalidity*/,
                                const vm_change*, std::size_t /*count*/, const ChangeSink&) {
        return not_supported();
    }
    virtual AccountEnding recover(const std::string& /*id*/, const std::string& /*message_id*/,
                                  const std::string& /*to*/, vm_change_result&) {
        return not_supported();
    }
    // `sink` gets the message's beginning, once; not at all when there is none.
    virtual AccountEnding fetch(const std::string& /*folder*/, std::uint32_t /*uidvalidity*/,
                                std::uint32_t /*uid*/, std::uint32_t /*size*/, const FetchSink&) {
        return not_supported();
    }
    virtual AccountEnding park(const std::string& /*folder*/, int& /*fd*/, bool& /*changed*/) {
        return not_supported();
    }
    virtual AccountEnding peek(bool& /*changed*/) { return not_supported(); }
    virtual AccountEnding ask(bool& /*waits*/, bool& /*changed*/) { return not_supported(); }
    virtual AccountEnding visit(const vm_drop&, const vm_drop_sink&) { return not_supported(); }

    // Of the last function.
    virtual const Counters& counters() const = 0;
    virtual bool connected() const = 0;
    virtual std::uint32_t features() const = 0;

    // `text` without the session's secrets.
    virtual std::string hide(std::string_view text) const = 0;

  protected:
    static AccountEnding not_supported() {
        return {VM_NOT_SUPPORTED,
                ending_of(VM_STEP_NONE, VM_CAUSE_CONFIG, "not supported by this plugin")};
    }
};

// Makes the account half; `options.host` may be empty.
using AccountFactory = std::unique_ptr<Account> (*)(AccountOptions options, Host host);

struct AccountPlugin {
    AccountFactory make = nullptr;  // null: the plugin has no account half
    std::uint16_t port = 0;         // where the options name none
    std::uint16_t tls_port = 0;     // the same with implicit TLS
};

}  // namespace vm::plug

#endif
