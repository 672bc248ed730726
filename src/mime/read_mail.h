// A mail of anybody's, read for its sender, subject and text, by GMime and libxml2. What it is
// given is hostile: run it in a child (mail_reader.h), never in the agent.
//
// Promise: no input makes it fail but in memory and time, which are in proportion to the input;
// nesting is bounded. What it returns is UTF-8 without control characters. Any thread, after
// mime::initialise().
#ifndef VM_MIME_READ_MAIL_H
#define VM_MIME_READ_MAIL_H

#include "base/clock.h"
#include "base/error.h"

#include <cstddef>
#include <string>
#include <string_view>

namespace vm::mime {

inline constexpr std::size_t kMailTextLimit = 64U << 10;  // bytes of MailText::text
inline constexpr std::size_t kMailFieldLimit = 1000;      // of each other text of it

struct MailText {
    std::string sender_name;     // decoded (RFC 2047), one line; may be empty
    std::string sender_address;  // one line; may be empty, and is what the mail says
    std::string subject;         // decoded (RFC 2047), one line; may be empty
    TimeMs date = 0;             // of the header; 0: none that can be read
    std::string message_id;      // without <>; may be empty
    bool is_ours = false;        // one of the unit's mails: X-VM-Message-Id or a line [VM:ID]
    std::string text;            // lines ended by LF; empty when there is none
    bool truncated = false;      // `text` is not all of it

    bool operator==(const MailText&) const = default;
};

// `mail` is an RFC 5322 mail with any line ends; `is_cut`: only its beginning, cut at any byte.
//
// The text is that of the first text/plain or text/html part that has some and is no attachment
// (RFC 2183); in a multipart/alternative text/plain wins. A mail attached to the mail
// (message/rfc822) is only looked into when there is no other text. Undoes the transfer encoding
// and the charset; bytes that are wrong in it become "?", a charset that is unknown is taken for
// UTF-8 or windows-1252, whatever fits. kMessage when `mail` has no header.
Result<MailText> read_mail(std::string_view mail, bool is_cut = false);

}  // namespace vm::mime

#endif
