// What of a response may reach the library that parses it: a strict whitelist. Each function reads
// the form it is named after - tolerantly, with whatever servers add - and writes the part this
// plugin asked for in one canonical spelling, or finds that it is none (nothing). So that library
// never sees a byte in a place where a server chose it, other than inside strings. Pure.
#ifndef VM_PLUGINS_SMTPIMAP4_FILTER_H
#define VM_PLUGINS_SMTPIMAP4_FILTER_H

#include "smtpimap4/scanner.h"

#include <optional>
#include <string>

namespace vm::plug::imap {

// Each gets what stands behind the word it is named after and returns a whole line without its end.
std::optional<std::string> clean_fetch(Scanner line);
std::optional<std::string> clean_vanished(Scanner line);
std::optional<std::string> clean_list(Scanner line);
// (`name` is the mailbox: the library knows no quotes in this place.)
std::optional<std::string> clean_status(Scanner line, std::string& name);
std::optional<std::string> clean_search(Scanner line);
std::optional<std::string> clean_namespace(Scanner line);

}  // namespace vm::plug::imap

#endif
