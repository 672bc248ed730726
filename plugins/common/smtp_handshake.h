// The SMTP dialogue up to AUTH, overheard while libcurl holds it: at which step it is, what the
// server said there, what it can do. Pure: lines in, facts out.
#ifndef VM_PLUGINS_COMMON_SMTP_HANDSHAKE_H
#define VM_PLUGINS_COMMON_SMTP_HANDSHAKE_H

#include "common/smtp_connect.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vm::plug {

class SmtpHandshake : public LoginHandshake {
  public:
    std::string on_command(std::string_view command) override;
    bool on_line(std::string_view line) override;

    const Capabilities& capabilities() const { return capabilities_; }

    void restart() override { *this = SmtpHandshake{}; }
    bool auth_tried() const override { return auth_tried_; }
    bool authenticated() const override { return authenticated_; }
    std::vector<std::string> offered() const override { return capabilities_.auth; }
    Ending ending(const DialError& error) const override;

  private:
    Ending dialogue_ending(vm_step step, const DialError& error) const;

    vm_step step_ = VM_STEP_CONNECT;
    ReplyParser parser_;
    std::optional<Reply> reply_;  // the whole reply to the last command
    bool garbage_ = false;
    std::string garbage_line_;
    bool ehlo_ = false;  // the last hello was an EHLO
    bool auth_tried_ = false;
    bool bearer_ = false;  // XOAUTH2 or OAUTHBEARER was tried
    std::string refusal_;  // what a challenge said why the token is refused
    bool authenticated_ = false;
    Capabilities capabilities_;
};

}  // namespace vm::plug

#endif
