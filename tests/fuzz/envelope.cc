// msgNNNN.txt of Asterisk's spool, any bytes: what is taken over is what the unit can store.
#include "asterisk/envelope.h"

#include "base/text.h"
#include "fuzz.h"

#include <string>

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input = vm::fuzz::view(data, size);
    const auto envelope = vm::asterisk::parse_envelope(input);
    if (!envelope) return 0;
    for (const std::string& text : {envelope->caller_name, envelope->caller_number}) {
        FUZZ_REQUIRE(text.size() <= 200);
        FUZZ_REQUIRE(vm::sanitize_line(text) == text);
    }
    for (const std::string& name : {envelope->msg_id, envelope->old_name}) {
        FUZZ_REQUIRE(name.size() <= 60);
        FUZZ_REQUIRE(name.find_first_not_of("0123456789abcdefghijklmnopqrstuvwxyz"
                                            "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_.+") == std::string::npos);
    }
    FUZZ_REQUIRE(!envelope->old_name.empty());
    FUZZ_REQUIRE(!envelope->msg_id.empty() || envelope->origtime > 0);
    // Before year 10000, so that it can be written as a time.
    FUZZ_REQUIRE(envelope->origtime >= 0 && envelope->origtime < 253402300800);
    // The end of a line is none of it.
    const auto again = vm::asterisk::parse_envelope(std::string(input) + "\n");
    FUZZ_REQUIRE(
        size >= vm::asterisk::kEnvelopeLimit ||
        (again && again->msg_id == envelope->msg_id && again->old_name == envelope->old_name));
    return 0;
}
