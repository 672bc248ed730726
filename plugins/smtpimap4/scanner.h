// Reads the words of one logical line, literals included, without ever going beyond its end. Every
// take_...() leaves the scanner where it was when it finds something else. Pure.
#ifndef VM_PLUGINS_SMTPIMAP4_SCANNER_H
#define VM_PLUGINS_SMTPIMAP4_SCANNER_H

#include <optional>
#include <string>
#include <string_view>

namespace vm::plug::imap {

class Scanner {
  public:
    explicit Scanner(std::string_view line) : rest_(line) {}

    bool at_end() const { return rest_.empty(); }
    std::string_view rest() const { return rest_; }
    bool take(char c);
    // `word` in any case, with nothing behind it that could belong to it.
    bool take_word(std::string_view word);
    // Everything up to a blank, a bracket of any kind, a quote or the end; not empty.
    std::optional<std::string_view> take_atom();
    std::optional<std::string_view> take_digits();
    // Quoted or literal.
    std::optional<std::string> take_string();
    std::optional<std::string> take_astring();
    // A value of any kind: atom, string, list of values nested no deeper than servers do.
    bool skip_value();

  private:
    std::optional<std::string> take_quoted();
    std::optional<std::string> take_literal();
    bool skip_value(int depth);

    std::string_view rest_;
};

// The length a line announces of the literal behind it ("{5}" or "{5+}" at its end).
std::optional<std::size_t> literal_length(std::string_view line);

}  // namespace vm::plug::imap

#endif
