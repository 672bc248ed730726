// The host as one session sees it. Everything traced passes the session's Redactor, and only here.
// Used by the session's thread.
#ifndef VM_PLUGINS_COMMON_HOST_H
#define VM_PLUGINS_COMMON_HOST_H

#include "common/text.h"
#include "vm_transport.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace vm::plug {

// Of a line that a server should not have said.
inline constexpr std::size_t kLongestQuote = 80;

class Host {
  public:
    Host(const vm_host* host, void* session_context, Redactor redactor)
        : host_(host), session_context_(session_context), redactor_(std::move(redactor)) {}

    // Dialogue: "C: " a command, "S: " a reply line; "-- " a note.
    void trace(const char* prefix, std::string_view line,
               std::size_t longest = std::string_view::npos) const {
        if (!traces()) return;
        const std::string text = prefix + hide(line, longest);
        host_->trace(host_->context, session_context_, text.c_str());
    }
    // Whether anybody reads what is traced: a dialogue is dozens of lines.
    bool traces() const { return host_->traces == nullptr || host_->traces(host_->context) != 0; }
    bool cancelled() const { return host_->cancelled(host_->context, session_context_) != 0; }

    // As vm_host.token: whether there is one.
    bool token(const char* refused, char* token, std::size_t token_size, char* error,
               std::size_t error_size) const {
        return host_->token != nullptr &&
               host_->token(host_->context, session_context_, refused, token, token_size, error,
                            error_size) == VM_OK;
    }
    // Other secrets are to be hidden from now on.
    void set_redactor(Redactor redactor) { redactor_ = std::move(redactor); }

    // `text` as one line without the session's secrets.
    std::string hide(std::string_view text) const { return redactor_.hide(one_line(text)); }
    // The first `longest` bytes of that. Whoever shortens a server's words, does it here: of a
    // secret that was cut before it was looked for, the first half stays.
    std::string hide(std::string_view text, std::size_t longest) const {
        std::string out = hide(text);
        if (out.size() > longest) out.replace(longest, std::string::npos, "...");
        return out;
    }

  private:
    const vm_host* host_;
    void* session_context_;
    Redactor redactor_;
};

}  // namespace vm::plug

#endif
