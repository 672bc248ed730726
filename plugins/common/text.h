// Text on its way out of a plugin: one line each, no secrets. Pure but for Redactor's own memory.
#ifndef VM_PLUGINS_COMMON_TEXT_H
#define VM_PLUGINS_COMMON_TEXT_H

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace vm::plug {

// Control characters become blanks, ends are trimmed. Bytes above 127 stay as they came: the host
// judges their encoding.
std::string one_line(std::string_view text);

// `text` into a field of the ABI, cut to fit, always terminated.
void copy_text(char* target, std::size_t capacity, std::string_view text);

bool has_control(std::string_view text);
bool is_ascii(std::string_view text);
bool iequals(std::string_view a, std::string_view b);
std::string upper(std::string_view text);

std::string encode_base64(std::string_view bytes);
std::string decode_base64(std::string_view text);  // "" when it is none

// Clears the memory of a secret.
void wipe(std::string& secret);

// Knows the session's secrets and takes them out of whatever would be printed: commands are hidden
// by those who send them; this is for servers that repeat what they were told.
class Redactor {
  public:
    Redactor() = default;
    Redactor(Redactor&&) noexcept = default;
    Redactor& operator=(Redactor&& other) noexcept {
        secrets_.swap(other.secrets_);
        return *this;
    }
    ~Redactor();

    // Hides `secret` and its base64 form; of one of twelve bytes or more also what it is in the
    // base64 of a longer text, whatever stands before it; and what begins as one of these for eight
    // bytes, as servers cut off what they repeat. Secrets of less than four bytes are not
    // looked for: they would turn up in harmless text.
    void add(std::string_view secret);
    std::string hide(std::string_view text) const;

  private:
    std::vector<std::string> secrets_;
};

}  // namespace vm::plug

#endif
