// Turns a stored message into the mail its mailbox's options ask for. One home for the mapping from
// configuration to mime::ComposeOptions, used by the push and by `vmctl message export`.
#ifndef VM_AGENT_MAIL_H
#define VM_AGENT_MAIL_H

#include "base/paths.h"
#include "config/config.h"
#include "core/message.h"
#include "mime/compose.h"

#include <cstdint>
#include <filesystem>
#include <string>

namespace vm::agent {

// The Message-ID (without <>) a message gets when none was fixed by an earlier attempt: ID@DOMAIN.
std::string message_id_for(const Message& message, const config::MailboxOptions& mailbox);

// Gives the mail to `writer`; returns its size. `templates` may be null. Errors as mime::compose.
Result<std::int64_t> write_mail(const MessageRecord& record,
                                const std::filesystem::path& media_file,
                                const config::MailboxOptions& mailbox,
                                const config::MiscSetup& misc, const Paths& paths,
                                const mime::Writer& writer,
                                mime::TemplateCache* templates = nullptr);

}  // namespace vm::agent

#endif
