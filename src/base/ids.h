// Message ids: ULIDs (https://github.com/ulid/spec): 26 characters of Crockford base 32, 48 bits of
// time and 80 random bits. They sort by time of creation and never repeat. Any thread.
#ifndef VM_BASE_IDS_H
#define VM_BASE_IDS_H

#include "base/clock.h"

#include <string>
#include <string_view>

namespace vm {

std::string new_id(const Clock& clock = system_clock());
bool is_id(std::string_view text);

}  // namespace vm

#endif
