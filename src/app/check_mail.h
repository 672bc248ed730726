// The mail of `vmconfig mailbox check --send`: a few words for the subscriber, and no message of
// the unit's. Pure but for the clock and the id.
#ifndef VM_APP_CHECK_MAIL_H
#define VM_APP_CHECK_MAIL_H

#include "config/config.h"

#include <string>

namespace vm::app {

// RFC 5322, ASCII, with CRLF line ends.
std::string test_mail(const config::MailboxOptions& mailbox);

}  // namespace vm::app

#endif
