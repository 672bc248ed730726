// Somebody's mails in the account as messages of kind email, for g_bUseTTS: fetched by the pass,
// read in a child process (mime/mail_reader.h), stored as text.
#ifndef VM_AGENT_NEW_MAIL_H
#define VM_AGENT_NEW_MAIL_H

#include "agent/sync_run.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace vm::agent {

// So many bytes of a mail are fetched: its text is nearly always within them.
inline constexpr std::uint32_t kMailBytes = 512U << 10;
// One mailbox's reading may hold its pass up so long; what is left is the next one's.
inline constexpr std::int64_t kReadingMs = 10'000;

// vmreadmail(1), which lies beside this program.
std::filesystem::path mail_reader();

// Adds the mail `bytes`, or its first kMailBytes, to the mailbox; returns the message's id, or
// nothing when it is not to be one: it is the unit's own, or cannot be read. An error: not now.
Result<std::optional<std::string>> add_email(const SyncContext& context, std::string_view bytes,
                                             const std::string& message_id, bool flagged);

}  // namespace vm::agent

#endif
