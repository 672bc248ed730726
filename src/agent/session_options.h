// Which servers a mailbox speaks to and how: its options in the words of a transport session, and
// as the keys by which servers are told apart. Pure.
#ifndef VM_AGENT_SESSION_OPTIONS_H
#define VM_AGENT_SESSION_OPTIONS_H

#include "config/config.h"
#include "oauth2/keeper.h"
#include "transport/plugin.h"

#include <functional>
#include <memory>
#include <string>

namespace vm::agent {

// Shared by all sessions of a process, which keep it.
using Tokens = std::shared_ptr<oauth2::Keeper>;

// For both sides of a session: pushing, and the account of the plugin in force.
// `tokens` is asked before each login with one; null: there are none.
transport::SessionOptions session_options(const config::MailboxOptions& mailbox,
                                          const config::MiscSetup& misc,
                                          std::function<bool()> cancelled,
                                          const Tokens& tokens = nullptr);

// For pushing alone. They, and so the sessions, are the same for two mailboxes when
// same_push_session() says so, but for the name.
transport::SessionOptions push_options(const config::MailboxOptions& mailbox,
                                       std::function<bool()> cancelled,
                                       const Tokens& tokens = nullptr);
bool same_push_session(const config::MailboxOptions& a, const config::MailboxOptions& b);

// Whether the account of the plugin in force is set (Imap4 Server or Pop3 Server).
bool has_account(const config::MailboxOptions& mailbox, const config::MiscSetup& misc);

// "smtp.example.net:587": what messages of this mailbox wait for.
std::string server_of(const config::MailboxOptions& mailbox);
// "imap.example.net:993".
std::string account_server_of(const config::MailboxOptions& mailbox, const config::MiscSetup& misc);

// The keys of ServerGate: the server and how this mailbox talks to it, so that one mailbox's wrong
// certificate file or short timeout does not make the server look down to the others.
std::string gate_key(const config::MailboxOptions& mailbox);
std::string account_gate_key(const config::MailboxOptions& mailbox, const config::MiscSetup& misc);

}  // namespace vm::agent

#endif
