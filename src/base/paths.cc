#include "base/paths.h"

#include <cstdlib>

namespace vm {

Result<Paths> find_root(const std::string& option) {
    std::string root = option;
    if (root.empty())
        if (const char* environment = std::getenv("VM_ROOT")) root = environment;
    if (root.empty()) root = "/usr/local/vm";
    std::error_code error;
    const std::filesystem::path absolute = std::filesystem::absolute(root, error);
    if (error)
        return fail(errno_kind(error.value()), "find the root", root,
                    "the working directory it is taken from: " + error.message(),
                    "give an absolute path");
    return Paths(absolute.lexically_normal());
}

}  // namespace vm
