#include "base/paths.h"

#include <cstdlib>

namespace vm {

Paths find_root(const std::string& option) {
    std::string root = option;
    if (root.empty())
        if (const char* environment = std::getenv("VM_ROOT")) root = environment;
    if (root.empty()) root = "/usr/local/vm";
    return Paths(std::filesystem::absolute(root).lexically_normal());
}

}  // namespace vm
