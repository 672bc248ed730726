// Pieces of IMAP commands: strings and sets of UIDs. Pure.
#ifndef VM_PLUGINS_SMTPIMAP4_SYNTAX_H
#define VM_PLUGINS_SMTPIMAP4_SYNTAX_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vm::plug::imap {

// `text` as a quoted string. Throws std::invalid_argument for CR, LF and NUL, which no quoted
// string can hold: nothing that a name or an id has in it may become a command of its own.
std::string quoted(std::string_view text);

// UIDs as a set ("1:3,7") in as few bytes as there are; `uids` ascending and not empty.
std::string uid_set(const std::vector<std::uint32_t>& uids);

// Servers take lines of 8000 bytes (RFC 7162 section 4); a UID and its comma have at most eleven.
inline constexpr std::size_t kUidsPerCommand = 600;

// `uids` in pieces of at most `most`.
std::vector<std::vector<std::uint32_t>> chunks(const std::vector<std::uint32_t>& uids,
                                               std::size_t most);

// UIDs as the server gives them: ranges that are never expanded, as "1:4294967295" is a valid one.
class UidRanges {
  public:
    void add(std::uint32_t first, std::uint32_t last);
    void add(const UidRanges& more);
    bool contains(std::uint32_t uid) const;
    // Those of `uids`, which ascend, that are in it, ascending.
    std::vector<std::uint32_t> among(const std::vector<std::uint32_t>& uids) const;
    // None is in it but those of `uids`.
    bool only_of(const std::vector<std::uint32_t>& uids) const;
    std::uint64_t size() const;
    // The n-th UID in the order given; nothing when there are not so many.
    std::optional<std::uint32_t> at(std::uint64_t index) const;
    // In the order given: the position of `uid`.
    std::optional<std::uint64_t> index_of(std::uint32_t uid) const;

  private:
    struct Range {
        std::uint32_t first, last;
    };
    std::vector<Range> ranges_;
};

// "1:3,7" of a response code; nothing when it is none ('*' is not for servers).
std::optional<UidRanges> parse_uid_ranges(std::string_view text);

// A decimal number of digits alone that fits.
std::optional<std::uint32_t> parse_number(std::string_view digits);
std::optional<std::uint64_t> parse_modseq(std::string_view digits);  // 63 bits, RFC 7162

}  // namespace vm::plug::imap

#endif
