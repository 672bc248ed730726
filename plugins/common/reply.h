// SMTP replies (RFC 5321 section 4.2), read strictly: three digits of one code on every line, '-'
// or blank behind them. What is no reply is garbage, never guessed at. Pure.
#ifndef VM_PLUGINS_COMMON_REPLY_H
#define VM_PLUGINS_COMMON_REPLY_H

#include <string>
#include <string_view>
#include <vector>

namespace vm::plug {

struct Reply {
    int code = 0;
    std::string enhanced;  // RFC 3463 "5.1.1" when the server gave one whose class fits the code
    std::vector<std::string> lines;  // each line behind its code

    int group() const { return code / 100; }
    // Code, status and all lines in one line: "550 5.1.1 no such user".
    std::string text() const;
};

class ReplyParser {
  public:
    enum class State { kMore, kComplete, kGarbage };

    // A line without its end. After kComplete or kGarbage the next line begins a new reply.
    State feed(std::string_view line);
    const Reply& reply() const { return reply_; }

  private:
    Reply reply_;
    bool open_ = false;  // lines of reply_ are still to come
};

// The enhanced status `text` begins with, when its class fits `code`; else "".
std::string enhanced_status(std::string_view text, int code);

// A reply has at most so many lines of so many bytes; EHLO's have a dozen.
inline constexpr std::size_t kMaxReplyLines = 128;
inline constexpr std::size_t kMaxLine = 4096;

}  // namespace vm::plug

#endif
