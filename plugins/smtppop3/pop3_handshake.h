// The POP3 dialogue up to the login, overheard while libcurl holds it: at which step it is, what
// the server said there, what it can do (CAPA, RFC 2449). Pure: lines in, facts out.
#ifndef VM_PLUGINS_SMTPPOP3_POP3_HANDSHAKE_H
#define VM_PLUGINS_SMTPPOP3_POP3_HANDSHAKE_H

#include "common/login.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vm::plug::pop3 {

class Pop3Handshake : public LoginHandshake {
  public:
    std::string on_command(std::string_view command) override;
    bool on_line(std::string_view line) override;

    void restart() override { *this = Pop3Handshake{}; }
    bool auth_tried() const override { return auth_tried_; }
    bool authenticated() const override { return authenticated_; }
    std::vector<std::string> offered() const override;
    Ending ending(const DialError& error) const override;

    // Upper case: "PIPELINING". What the server said it can do on the connection that is in use.
    bool can(std::string_view capability) const;
    // It has CAPA: what it does not name it cannot do.
    bool has_capabilities() const { return !capabilities_.empty(); }

  private:
    bool on_answer(std::string_view line);
    bool stop(vm_cause cause, std::string text);
    Ending dialogue_ending(vm_step step, const DialError& error) const;

    vm_step step_ = VM_STEP_CONNECT;
    std::string verb_;      // of the last command
    bool listing_ = false;  // in CAPA's answer
    bool apop_ = false;     // the greeting has a timestamp
    bool auth_tried_ = false;
    bool bearer_ = false;  // XOAUTH2 or OAUTHBEARER was tried
    bool authenticated_ = false;
    bool continued_ = false;                 // since the last command
    std::string refusal_;                    // what a challenge said why the token is refused
    std::optional<std::string> error_;       // the -ERR that answered the last command
    std::optional<Ending> stopped_;          // why we stopped listening
    std::vector<std::string> capabilities_;  // lines, upper case
};

}  // namespace vm::plug::pop3

#endif
