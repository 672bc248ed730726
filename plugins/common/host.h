// The host as one session sees it. Everything traced passes the session's Redactor, and only here.
// Used by the session's thread.
#ifndef VM_PLUGINS_COMMON_HOST_H
#define VM_PLUGINS_COMMON_HOST_H

#include "common/text.h"
#include "vm_transport.h"

#include <string>
#include <string_view>
#include <utility>

namespace vm::plug {

class Host {
  public:
    Host(const vm_host* host, void* session_context, Redactor redactor)
        : host_(host), session_context_(session_context), redactor_(std::move(redactor)) {}

    // Dialogue: "C: " a command, "S: " a reply line; "-- " a note.
    void trace(const char* prefix, std::string_view line) const {
        const std::string text = prefix + hide(line);
        host_->trace(host_->context, session_context_, text.c_str());
    }
    bool cancelled() const { return host_->cancelled(host_->context, session_context_) != 0; }

    // `text` as one line without the session's secrets.
    std::string hide(std::string_view text) const { return redactor_.hide(one_line(text)); }

  private:
    const vm_host* host_;
    void* session_context_;
    Redactor redactor_;
};

}  // namespace vm::plug

#endif
