// One logical line of a server as a Response. One thread at a time.
#ifndef VM_PLUGINS_SMTPIMAP4_PARSER_H
#define VM_PLUGINS_SMTPIMAP4_PARSER_H

#include "smtpimap4/etpan.h"
#include "smtpimap4/response.h"
#include "smtpimap4/scanner.h"

#include <string_view>

namespace vm::plug::imap {

// OK, NO, BAD, BYE or PREAUTH behind the tag or '*'; nothing when it is none of them.
std::optional<Condition> parse_condition(std::string_view line);

class Parser {
  public:
    // `line`: without its end, literals inside. What cannot be parsed is Unknown or Malformed.
    Response parse(std::string_view line);
    // Gives back what is only needed while lines come.
    void rest() { etpan_.rest(); }

  private:
    Response untagged(std::string_view line);
    Response status(Scanner words);
    Response numbered(std::string_view number, std::string_view line);

    Etpan etpan_;
};

}  // namespace vm::plug::imap

#endif
