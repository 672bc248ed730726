// What a token server answers: JSON of a stranger's. For vmoauth2 alone; any thread.
#ifndef VM_OAUTH2_ANSWER_JSON_H
#define VM_OAUTH2_ANSWER_JSON_H

#include "oauth2/exchange.h"

#include <string_view>

namespace vm::oauth2 {

// Any bytes, with the status they came with. What it returns to_text() and parse_answer() take
// through unchanged. kUnavailable, its reason alone, when it makes no sense.
Result<Answer> read_answer(int status, std::string_view body);

}  // namespace vm::oauth2

#endif
