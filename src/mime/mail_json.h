// A MailText as JSON: what vmreadmail(1) prints and mail_reader.h reads. Pure; any thread.
#ifndef VM_MIME_MAIL_JSON_H
#define VM_MIME_MAIL_JSON_H

#include "mime/read_mail.h"

#include <string>
#include <string_view>

namespace vm::mime {

// One line: {"date": RFC 3339 or null, "from_address", "from_name", "message_id", "ours": bool,
// "subject", "text", "truncated": bool}.
std::string to_json(const MailText& mail);

// The reverse, of bytes nobody vouches for: every member must be there and of its type, every text
// UTF-8, within the limits of read_mail.h and without control characters. kMessage when not.
Result<MailText> parse_mail_json(std::string_view json);

}  // namespace vm::mime

#endif
