// An ImapSession against a scripted server, and what its functions told, for tests.
#ifndef VM_TESTS_PLUGINS_IMAP_FIXTURE_H
#define VM_TESTS_PLUGINS_IMAP_FIXTURE_H

#include "fake_host.h"
#include "imap_script.h"
#include "smtpimap4/imap_session.h"

#include <cppunit/TestAssert.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace vm::testing {

inline const std::string kId = "01J9ZK3V5TA8Q4W8M8Z9N1B2C3";
inline const std::string kOtherId = "01J9ZK3V5TA8Q4W8M8Z9N1B2C4";

struct LookTold {
    std::map<std::uint32_t, std::uint32_t> flags;
    std::vector<std::uint32_t> gone;
    std::map<std::uint32_t, std::string> found;
    vm_look_result result{};
};

// Of the account on that scripted server, by AUTH PLAIN.
inline plug::AccountOptions account_options(std::uint16_t port) {
    plug::AccountOptions options;
    options.host = "127.0.0.1";
    options.port = port;
    options.auth = VM_AUTH_PLAIN;
    options.user = "driver";
    options.password = "chariots of fire";
    options.allow_cleartext_password = true;
    options.connect_timeout = options.reply_timeout = std::chrono::seconds(20);
    return options;
}

class ImapRig {
  public:
    explicit ImapRig(std::vector<ScriptedServer::Script> scripts, bool by_text = false)
        : server_(std::move(scripts)) {
        plug::AccountOptions options = account_options(server_.port());
        options.search_text = by_text;
        plug::Redactor redactor;
        redactor.add(options.password);
        session_.emplace(std::move(options), host_.session(std::move(redactor)));
    }
    explicit ImapRig(const ImapScript& script, bool by_text = false)
        : ImapRig(std::vector<ScriptedServer::Script>{script}, by_text) {}

    plug::imap::ImapSession& session() { return *session_; }
    std::string trace() const { return host_.trace(); }
    int connections() const { return server_.connections(); }

    // Ends session and server; the commands of all connections, without their tags.
    std::vector<std::string> commands() {
        session_.reset();
        server_.stop();
        std::vector<std::string> out;
        for (const std::string& line : server_.lines())
            out.push_back(line.substr(line.find(' ') + 1));
        return out;
    }
    // Those that begin with `first`.
    std::vector<std::string> commands(const std::string& first) {
        std::vector<std::string> out;
        for (const std::string& command : commands())
            if (command.starts_with(first)) out.push_back(command);
        return out;
    }

    plug::AccountEnding folders(std::map<std::string, vm_folder>& out,
                                vm_scope_mode mode = VM_SCOPE_ALL, const char* folder = nullptr,
                                bool read_only = false, bool behind_look = false) {
        vm_scope scope{};
        scope.struct_size = sizeof scope;
        scope.mode = static_cast<std::uint8_t>(mode);
        scope.read_only = read_only ? 1 : 0;
        scope.behind_look = behind_look ? 1 : 0;
        scope.folder = folder;
        return session_->folders(scope, [&](const vm_folder& one) { out[one.name] = one; });
    }

    struct LookAt {
        std::vector<std::uint32_t> uids;
        std::uint32_t uidvalidity = 7;
        std::uint32_t uid_next = 5;
        std::uint64_t modseq = 8;
        bool every = false;
        const char* folder = "INBOX";
        bool others = false;
        bool then_folders = false;
    };
    plug::AccountEnding look(const LookAt& at, LookTold& told) {
        vm_look look{};
        look.struct_size = sizeof look;
        look.every = at.every ? 1 : 0;
        look.others = at.others ? 1 : 0;
        look.then_folders = at.then_folders ? 1 : 0;
        look.folder = at.folder;
        look.uidvalidity = at.uidvalidity;
        look.uid_next = at.uid_next;
        look.modseq = at.modseq;
        look.uids = at.uids.data();
        look.uid_count = at.uids.size();
        vm_look_sink sink{};
        sink.context = &told;
        sink.flags = [](void* self, std::uint32_t uid, std::uint32_t flags) {
            static_cast<LookTold*>(self)->flags[uid] = flags;
        };
        sink.gone = [](void* self, std::uint32_t uid) {
            static_cast<LookTold*>(self)->gone.push_back(uid);
        };
        sink.found = [](void* self, const vm_found* found) {
            static_cast<LookTold*>(self)->found[found->uid] = found->id;
        };
        return session_->look(look, sink, told.result);
    }

    struct Change {
        vm_change_kind kind;
        std::uint32_t uid;
        std::uint32_t add = 0, remove = 0;
        std::string to = "";
        std::string id = kId;
        std::string message_id = "";
        bool again = false;
    };
    plug::AccountEnding apply(const std::vector<Change>& changes,
                              std::map<std::size_t, vm_change_result>& results,
                              std::uint32_t uidvalidity = 7) {
        std::vector<vm_change> abi;
        for (const Change& change : changes)
            abi.push_back({sizeof(vm_change), static_cast<std::uint8_t>(change.kind),
                           static_cast<std::uint8_t>(change.again), change.uid, change.add,
                           change.remove, change.id.c_str(), change.message_id.c_str(),
                           change.to.c_str()});
        return session_->apply(
            "INBOX", uidvalidity, abi.data(), abi.size(),
            [&](std::size_t index, const vm_change_result& result) { results[index] = result; });
    }

  private:
    FakeHost host_;
    ScriptedServer server_;
    std::optional<plug::imap::ImapSession> session_;
};

inline void assert_ok(const plug::AccountEnding& end) {
    CPPUNIT_ASSERT_EQUAL_MESSAGE(end.ending.text, int{VM_OK}, int{end.status});
}

inline void assert_failed(const plug::AccountEnding& end, vm_cause cause, const std::string& text) {
    CPPUNIT_ASSERT_EQUAL_MESSAGE(end.ending.text, int{VM_FAILED}, int{end.status});
    CPPUNIT_ASSERT_EQUAL_MESSAGE(end.ending.text, int{cause}, int{end.ending.cause});
    CPPUNIT_ASSERT_MESSAGE(end.ending.text, end.ending.text.find(text) != std::string::npos);
}

// A FETCH response with the header of one of the unit's mails.
inline std::string fetched(std::uint32_t uid, const std::string& header,
                           const std::string& flags = "") {
    return "* 1 FETCH (UID " + std::to_string(uid) + " FLAGS (" + flags +
           ") BODY[HEADER.FIELDS (X-VM-MESSAGE-ID MESSAGE-ID)] {" + std::to_string(header.size()) +
           "}\r\n" + header + ")\r\n";
}
inline std::string header_of(const std::string& id) {
    return "X-VM-Message-Id: " + id + "\r\nMessage-ID: <" + id + "@unit>\r\n\r\n";
}

}  // namespace vm::testing

#endif
