// Turns a stored message into the mail its mailbox's options ask for. One home for the mapping from
// configuration to mime::ComposeOptions, used by the push and by `vmctl message export`.
#ifndef VM_AGENT_MAIL_H
#define VM_AGENT_MAIL_H

#include "base/paths.h"
#include "config/config.h"
#include "core/message.h"
#include "mime/compose.h"
#include "store/store.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace vm::agent {

// The Message-ID (without <>) a message gets when none was fixed by an earlier attempt: ID@DOMAIN.
std::string message_id_for(const Message& message, const config::MailboxOptions& mailbox);

// What of the mailbox's options is valid and will not do what it says: a Language without a
// wording, a Transcript without a program. kConfig: its wording is wrong, and no mail can be
// composed.
Result<std::vector<std::string>> mail_warnings(const config::MailboxOptions& mailbox,
                                               const config::MiscSetup& misc, const Paths& paths);

// What is said in `message`, as far as it goes into its mail; "" when it does not, or none was
// made.
Result<std::string> transcript_for(const Message& message, const config::MailboxOptions& mailbox,
                                   store::Store& store);

// Gives the mail to `writer`; returns its size. `transcript`: transcript_for(); `templates` may be
// null. Errors as mime::compose.
Result<std::int64_t> write_mail(const MessageRecord& record, const std::string& transcript,
                                const std::filesystem::path& media_file,
                                const config::MailboxOptions& mailbox,
                                const config::MiscSetup& misc, const Paths& paths,
                                const mime::Writer& writer,
                                mime::TemplateCache* templates = nullptr);

}  // namespace vm::agent

#endif
