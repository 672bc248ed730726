// What an option is: its name, default, rule and words, written down once. misc_options.cc and
// mailbox_options.cc hold the tables; loading, editing, `vmconfig init`, `show`, the samples in
// etc/ and the test of the manual pages are all driven by them.
//
// Immutable after construction; any thread.
#ifndef VM_CONFIG_OPTION_H
#define VM_CONFIG_OPTION_H

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vm::config {

// Which values are allowed. `canonical` gives a valid text in its one spelling, nullopt for any
// other; it never sees a text that means "not set".
struct Rule {
    std::string allowed;  // in words, for errors, `vmconfig keys` and the samples
    std::function<std::optional<std::string>(std::string_view)> canonical;
    bool none_is_a_value = false;           // "None" is one of the values, not "not set"
    std::vector<std::string> choices = {};  // all the values, where they can be listed
};

Rule one_of(std::vector<std::string> values);  // case-insensitive
Rule whole_number(std::int64_t least, std::int64_t most, const std::string& unit = {});
Rule port();          // 1 to 65535
Rule host();          // name or address; an IPv6 address may stand in [], which are removed
Rule domain_name();   // RFC 1123 name, no address
Rule mail_address();  // RFC 5321 address in ASCII, no quoted local part
Rule printable(std::size_t limit, const std::string& allowed);  // UTF-8 without control characters
Rule absolute_path(const std::string& allowed);  // the same, from the root; at most 1,024 bytes
Rule time_zone();                                // a zone of /usr/share/zoneinfo
Rule language_tag();                             // RFC 5646: "en", "pt-BR"
Rule password();                                 // anything

bool is_mail_address(std::string_view text);

// The screen an option belongs to (N2.22).
enum class Screen { kBoth, kImap4, kPop3 };

struct Option {
    std::string name;
    std::string default_text;  // "None" or "": not set
    Rule rule;
    std::string description;  // one line
    Screen screen = Screen::kBoth;
    bool secret = false;     // its value is never printed and is written sealed
    bool extension = false;  // ours, not on the unit's screen
};

// The value in force for what the file says: the canonical text; the default when `text` is empty
// or "None" and means not set; nullopt when it is not allowed.
std::optional<std::string> value_of(const Option& option, std::string_view text);

// True for a text that stands for "not set".
bool is_unset(const Option& option, std::string_view text);

// How `text` is written into the file: canonical, "not set" kept as given; nullopt: not allowed.
std::optional<std::string> written_form(const Option& option, std::string_view text);

// By name, case-insensitively; nullptr when there is none.
const Option* find_option(const std::vector<Option>& options, std::string_view name);

// The name among `names` that `name` was probably meant to be; empty when none is near.
std::string nearest_name(const std::vector<std::string>& names, std::string_view name);

}  // namespace vm::config

#endif
