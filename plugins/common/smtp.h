// One message through one SMTP connection: MAIL, RCPT, DATA, the data, the dot (RFC 5321), in one
// flight where the server allows PIPELINING (RFC 2920): two round trips then. A transaction reports
// the step that ended it; what that means for the message is not its business.
//
// Invariants:
// - success is a 2xx reply to a final dot that was sent whole, behind an accepted RCPT; nothing
// else;
// - step DOT begins when the first byte of the final dot is handed to the connection, not before;
// - a message that cannot be read on ends the connection at once, without dot and without QUIT;
// - data the server asks for in vain is ended by a lone dot only where nobody can get an empty
// mail;
// - replies are matched to commands in order; a surplus or missing one ends the connection.
#ifndef VM_PLUGINS_COMMON_SMTP_H
#define VM_PLUGINS_COMMON_SMTP_H

#include "common/connection.h"
#include "common/ending.h"
#include "common/smtp_connect.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vm::plug {

class SmtpTransaction {
  public:
    // `reset_first`: the transaction before was left open on this connection.
    SmtpTransaction(Connection& connection, const Capabilities& capabilities,
                    const SmtpOptions& options, const Host& host, bool reset_first)
        : connection_(connection),
          capabilities_(capabilities),
          options_(options),
          host_(host),
          reset_first_(reset_first) {}

    Ending run(const vm_message& message);

    // The step in hand, also when run() was left by an exception.
    vm_step step() const { return step_; }
    // The dialogue is in a known state: the connection can take another message…
    bool reusable() const { return reusable_; }
    // …after a RSET.
    bool reset_needed() const { return reset_needed_; }
    // The connection had been closed before: the server said nothing but 421 and had no byte of the
    // message. Doing it again on a new one is safe.
    bool stale() const { return stale_; }

  private:
    struct Command {
        vm_step step;
        std::string line;
        int wanted;  // first digit of the reply that lets the dialogue go on
    };
    using Io = Connection::Io;
    using Patience = Connection::Patience;

    std::vector<Command> commands(const vm_message& message) const;
    std::optional<Ending> refused_locally(const vm_message& message) const;
    std::optional<Ending> unasked_input();
    std::optional<Ending> envelope(const std::vector<Command>& all);
    void end_empty_data();
    Ending data(const vm_message& message);
    std::optional<Ending> out_of_time(Deadline end) const;
    std::optional<Ending> send_data(std::string_view block, Deadline end);
    Ending send_end(std::string block);
    Ending early_ending();
    Io read_reply(Deadline deadline, Patience patience);
    Ending broken(Io io) const;

    Connection& connection_;
    const Capabilities& capabilities_;
    const SmtpOptions& options_;
    const Host& host_;
    bool reset_first_;
    vm_step step_ = VM_STEP_MAIL;
    Reply reply_;
    std::string garbage_;
    bool reusable_ = false;
    bool reset_needed_ = false;
    bool stale_ = false;
};

}  // namespace vm::plug

#endif
