// A password from standard input, for `vmconfig mailbox set NNN "Smtp Password=-"`.
#ifndef VM_APP_VMCONFIG_PASSWORD_H
#define VM_APP_VMCONFIG_PASSWORD_H

#include "base/error.h"
#include "base/secret.h"

#include <string>

namespace vm::app {

// One line of standard input without its end (LF or CRLF); on a terminal asked for by `name` and
// not echoed. kNoInput when there is no line. Reads no further than the line, so the next call gets
// the next one.
Result<Secret> read_password(const std::string& name);

}  // namespace vm::app

#endif
