// What a token server answers, as vmoauth2 reads it, and what vmoauth2 says to who has started it:
// whatever either became, what is believed keeps the promises of oauth2/exchange.h, and reads the
// same when it is written down again. The first line of the input is the HTTP status.
#include "fuzz.h"
#include "oauth2/answer_json.h"

namespace {

void check(const vm::oauth2::Answer& answer) {
    using namespace vm;
    for (const Secret* secret : {&answer.access_token, &answer.refresh_token, &answer.device_code})
        FUZZ_REQUIRE(secret->empty() || oauth2::is_token(secret->reveal()));
    for (const std::string* text :
         {&answer.token_type, &answer.scope, &answer.user_code, &answer.verification_uri,
          &answer.error, &answer.error_description}) {
        FUZZ_REQUIRE(is_utf8(*text));
        FUZZ_REQUIRE(fuzz::is_one_line(*text));
        FUZZ_REQUIRE(without_direction_controls(*text) == *text);
    }
    const std::string text = oauth2::to_text(answer);
    const auto again = oauth2::parse_answer(text);
    FUZZ_REQUIRE(again.has_value());
    FUZZ_REQUIRE(oauth2::to_text(*again) == text);
    FUZZ_REQUIRE(again->status == answer.status);
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view input = vm::fuzz::view(data, size);
    if (const auto told = vm::oauth2::parse_answer(input)) check(*told);
    (void)vm::oauth2::parse_request(input);
    const auto status = vm::parse_int(vm::fuzz::take_line(input)).value_or(200);
    if (status < 100 || status > 599) return 0;
    if (const auto read = vm::oauth2::read_answer(static_cast<int>(status), input)) check(*read);
    return 0;
}
