// Pushes messages to one SMTP server, keeping the connection between them. One thread at a time.
//
// Promise: a kept connection that turns out to be closed before any byte of a message went over it
// is replaced once, silently; a connection whose dialogue is in doubt is dropped, never reused.
#ifndef VM_PLUGINS_COMMON_SMTP_SESSION_H
#define VM_PLUGINS_COMMON_SMTP_SESSION_H

#include "common/connection.h"
#include "common/ending.h"
#include "common/smtp_connect.h"

#include <functional>
#include <optional>

namespace vm::plug {

class SmtpSession {
  public:
    using Connect =
        std::function<tl::expected<SmtpLink, Ending>(const SmtpOptions&, const Host&, Counters&)>;

    // `connect` is connect_smtp but in tests.
    SmtpSession(SmtpOptions options, Host host, Connect connect = connect_smtp);
    ~SmtpSession();
    SmtpSession(const SmtpSession&) = delete;
    SmtpSession& operator=(const SmtpSession&) = delete;

    Ending push(const vm_message& message);

    // Up to where MAIL would come, on a new connection, which is kept; or why not.
    std::optional<Ending> log_in();

    // Of the last push or log_in().
    const Counters& counters() const { return counters_; }
    bool connected() const { return connected_; }

    // `text` without the session's secrets.
    std::string hide(std::string_view text) const { return host_.hide(text); }

  private:
    std::optional<Ending> connect();
    Ending transact(const vm_message& message, bool& stale);
    void quit();

    SmtpOptions options_;
    Host host_;
    Connect connect_;
    Counters counters_;
    bool connected_ = false;

    std::optional<Connection> connection_;
    Capabilities capabilities_;
    bool reset_needed_ = false;
    Deadline last_used_;
};

}  // namespace vm::plug

#endif
