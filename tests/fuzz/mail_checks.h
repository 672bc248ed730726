// What read_mail.h promises of a MailText.
#ifndef VM_TESTS_FUZZ_MAIL_CHECKS_H
#define VM_TESTS_FUZZ_MAIL_CHECKS_H

#include "fuzz.h"
#include "mime/mail_json.h"
#include "mime/read_mail.h"

#include <string>
#include <string_view>

namespace vm::fuzz {

inline void check_field(std::string_view text) {
    FUZZ_REQUIRE(text.size() <= mime::kMailFieldLimit);
    FUZZ_REQUIRE(is_one_line(text) && without_direction_controls(text) == text);
}

// UTF-8 whose lines are printable.
inline void check_lines(std::string_view text) {
    for (const std::string& line : split(text, '\n'))
        FUZZ_REQUIRE(is_one_line(line) && without_direction_controls(line) == line);
}

// The promises of the child's answer: what the agent believes without having seen the mail.
inline void check_mail_text(const mime::MailText& mail) {
    check_field(mail.sender_name);
    check_field(mail.sender_address);
    check_field(mail.subject);
    check_field(mail.message_id);
    FUZZ_REQUIRE(mail.text.size() <= mime::kMailTextLimit);
    check_lines(mail.text);
    const std::string json = mime::to_json(mail);
    FUZZ_REQUIRE(json.find('\n') == std::string::npos);
    const auto back = mime::parse_mail_json(json);
    FUZZ_REQUIRE(back.has_value());
    FUZZ_REQUIRE(*back == mail);
}

}  // namespace vm::fuzz

#endif
