// What a client of the metrics socket says, any bytes, and what it is answered.
#include "agent/http_request.h"
#include "fuzz.h"

#include <string>

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using vm::agent::HttpVerdict;
    const std::string_view input = vm::fuzz::view(data, size);
    const HttpVerdict verdict = vm::agent::judge_request(input);
    const std::string body = "vmemail_metrics_dropped_total 0\n";
    const std::string response = vm::agent::http_response(verdict, body);
    // It is waited for no longer than promised.
    FUZZ_REQUIRE(verdict != HttpVerdict::kIncomplete || size <= vm::agent::kLongestHead);
    FUZZ_REQUIRE((verdict == HttpVerdict::kIncomplete) == response.empty());
    if (response.empty()) return 0;
    // Nothing of the input is in the answer, which is a whole one.
    const auto head = response.find("\r\n\r\n");
    FUZZ_REQUIRE(response.starts_with("HTTP/1.1 ") && head != std::string::npos);
    FUZZ_REQUIRE((verdict == HttpVerdict::kMetrics) == response.ends_with("\r\n\r\n" + body));
    FUZZ_REQUIRE(response.size() < 400);
    // What follows a head does not change what it says.
    if (verdict != HttpVerdict::kTooLarge)
        FUZZ_REQUIRE(vm::agent::judge_request(std::string(input) + "x") == verdict);
    return 0;
}
