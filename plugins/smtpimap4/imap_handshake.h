// The IMAP dialogue up to the login, overheard while libcurl holds it: at which step it is, what
// the server said there, what it can do. Pure: lines in, facts out.
#ifndef VM_PLUGINS_SMTPIMAP4_IMAP_HANDSHAKE_H
#define VM_PLUGINS_SMTPIMAP4_IMAP_HANDSHAKE_H

#include "common/login.h"
#include "smtpimap4/response.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vm::plug::imap {

class ImapHandshake : public LoginHandshake {
  public:
    std::string on_command(std::string_view command) override;
    bool on_line(std::string_view line) override;

    void restart() override { *this = ImapHandshake{}; }
    bool auth_tried() const override { return auth_tried_; }
    bool authenticated() const override { return authenticated_; }
    std::vector<std::string> offered() const override;
    Ending ending(const DialError& error) const override;

    // What the server said it can do when it let us in; empty: it did not say.
    const std::vector<std::string>& capabilities() const { return after_login_; }

    // For who holds the dialogue itself: the greeting was heard, and its words; what the server
    // said before the login that it can do; there was a tagged answer to the last command; it wants
    // more of it; that by which it refuses a token.
    bool greeted() const { return step_ != VM_STEP_CONNECT; }
    const std::string& greeting() const { return greeting_; }
    const std::vector<std::string>& capabilities_before() const { return capabilities_; }
    bool answered() const { return answer_.has_value(); }
    bool continued() const { return continued_; }
    bool refused_token() const { return !refusal_.empty(); }

  private:
    bool on_greeting(std::string_view line);
    bool on_condition(const Condition& condition);
    bool stop(vm_cause cause, std::string text);
    Ending dialogue_ending(vm_step step, const DialError& error) const;

    vm_step step_ = VM_STEP_CONNECT;
    std::string greeting_;
    std::string tag_;  // of the last command
    bool auth_tried_ = false;
    bool bearer_ = false;  // XOAUTH2 or OAUTHBEARER was tried
    bool authenticated_ = false;
    bool continued_ = false;           // since the last command
    std::string refusal_;              // what a challenge said why the token is refused
    std::optional<Condition> answer_;  // to the last command
    std::optional<Ending> stopped_;    // why we stopped listening
    std::vector<std::string> capabilities_, after_login_;
};

}  // namespace vm::plug::imap

#endif
