#include "base/secret.h"

#include <string.h>

namespace vm {

void Secret::clear() noexcept {
    if (!value_.empty()) ::explicit_bzero(value_.data(), value_.size());
    value_.clear();
}

}  // namespace vm
