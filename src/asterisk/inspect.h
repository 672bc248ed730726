// vmasterisk --check: whether the settings can work here. Touches nothing.
#ifndef VM_ASTERISK_INSPECT_H
#define VM_ASTERISK_INSPECT_H

#include "asterisk/settings.h"
#include "base/error.h"
#include "base/paths.h"

#include <string>
#include <vector>

namespace vm::asterisk {

struct Findings {
    std::vector<std::string> notes;  // what is in order, a line each
    std::vector<Error> problems;
};
Findings inspect(const Paths& paths, const Settings& settings);

}  // namespace vm::asterisk

#endif
