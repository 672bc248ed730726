// The answer of the child that read a mail: whatever the child became, what is believed of it keeps
// the promises of read_mail.h, and says the same when it is written down again.
#include "mail_checks.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input = vm::fuzz::view(data, size);
    const auto mail = vm::mime::parse_mail_json(input);
    if (!mail) {
        FUZZ_REQUIRE(mail.error().kind == vm::ErrorKind::kMessage);
        FUZZ_REQUIRE(vm::fuzz::is_one_line(mail.error().reason));
        return 0;
    }
    vm::fuzz::check_mail_text(*mail);
    return 0;
}
