// Message data as DATA wants it (RFC 5321 sections 2.3.8, 4.5.2): every line ends in CRLF, a lone
// CR or LF is made one, a line that begins with a dot gets a second, and the end is CRLF "." CRLF.
// A stream: how the message is cut into pieces does not change the result. Pure.
#ifndef VM_PLUGINS_COMMON_DOT_STUFFER_H
#define VM_PLUGINS_COMMON_DOT_STUFFER_H

#include <string>
#include <string_view>

namespace vm::plug {

class DotStuffer {
  public:
    // Appends the encoding of `piece` to `out`.
    void feed(std::string_view piece, std::string& out);
    // Whether `piece` is its own encoding, as it is of nearly all mails of ours. If so, that is as
    // good as having fed it.
    bool passes(std::string_view piece);
    // Appends what is missing to the last line's end; the dot is kEndOfData, sent by the caller,
    // who must know when it leaves.
    void finish(std::string& out);

    static constexpr std::string_view kEndOfData = ".\r\n";

  private:
    bool line_start_ = true;
    bool cr_ = false;  // a CR was read, its CRLF written; a LF that follows belongs to it
};

}  // namespace vm::plug

#endif
