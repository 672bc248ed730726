// Finds the end of one logical line - a response with the literals inside it - in what was received
// so far, and holds it to its limits. Looks at each byte once, however they come. Pure.
#ifndef VM_PLUGINS_SMTPIMAP4_FRAMER_H
#define VM_PLUGINS_SMTPIMAP4_FRAMER_H

#include <cstddef>
#include <string>
#include <string_view>

namespace vm::plug::imap {

// Without literals. The longest honest ones tell of messages that vanished, seven bytes for each.
inline constexpr std::size_t kMaxText = std::size_t{4} << 20;
// All literals of a line: header fields, at most the first 8 kB of a text.
inline constexpr std::size_t kMaxLiterals = std::size_t{1} << 20;

class Framer {
  public:
    enum class State { kMore, kComplete, kTooLong };

    // `received` begins with the line and only grows until it is complete.
    State look(std::string_view received);
    // Bytes of the complete line, its end included; the next look() begins a new one.
    std::size_t take();
    // The complete line as it may be traced: literals by their size alone.
    std::string shown(std::string_view received) const;

  private:
    std::size_t line_start_ = 0;  // of the physical line in hand
    std::size_t scanned_ = 0;     // no line end before this
    std::size_t literals_ = 0;    // bytes in them
};

}  // namespace vm::plug::imap

#endif
