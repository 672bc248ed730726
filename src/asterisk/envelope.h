// msgNNNN.txt, in which app_voicemail says what a recording is. Pure; any thread.
#ifndef VM_ASTERISK_ENVELOPE_H
#define VM_ASTERISK_ENVELOPE_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace vm::asterisk {

// More is no envelope of Asterisk's.
inline constexpr std::size_t kEnvelopeLimit = 64U << 10;

// Texts are one line without control characters.
struct Envelope {
    // What the server calls the message: 1 to 60 letters, digits and -_.+, "" when it says none, as
    // releases before 11 did. The copies for several recipients have it in common.
    std::string msg_id;
    // Made of what does not change when a message is moved or renumbered, nor when Asterisk gives
    // it a msg_id later: the name of a message that has none.
    std::string old_name;
    std::string caller_name, caller_number;
    std::int64_t origtime = 0;  // seconds since 1970; 0: not said
    bool urgent = false;
};

// nullopt: it is none, or not written to its end.
std::optional<Envelope> parse_envelope(std::string_view text);

// `"Ann Lee" <4711>`, as Asterisk writes a caller: what is known of name and number.
struct Caller {
    std::string name, number;
};
Caller parse_caller(std::string_view text);

}  // namespace vm::asterisk

#endif
