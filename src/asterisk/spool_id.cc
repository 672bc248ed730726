#include "asterisk/spool_id.h"

#include "base/files.h"
#include "base/text.h"

#include <fmt/format.h>

#include <cerrno>
#include <random>
#include <string>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace vm::asterisk {

namespace {

constexpr std::size_t kLimit = 100;

// "": there is none.
std::string read_mark(const std::filesystem::path& file) {
    const auto text = read_file(file, kLimit);
    return text ? std::string(trim(*text)) : "";
}

std::string new_mark() {
    std::random_device random;
    std::string out;
    for (int i = 0; i < 4; ++i) out += fmt::format("{:08x}", random());
    return out;
}

}  // namespace

bool SpoolId::is_known() const {
    const std::string mark = read_mark(mark_);
    return !mark.empty() && mark == read_mark(remembered_);
}

Result<> SpoolId::adopt() const {
    std::string mark = read_mark(mark_);
    if (mark.empty()) {
        mark = new_mark();
        VM_TRY(write_file_atomic(mark_, mark + "\n", 0640));
    }
    const std::filesystem::path directory = remembered_.parent_path();
    if (::mkdir(directory.c_str(), 0750) != 0 && errno != EEXIST)
        return fail_errno(errno, "create", directory.string());
    return write_file_atomic(remembered_, mark + "\n", 0640);
}

Result<> SpoolId::forget() const {
    if (::unlink(remembered_.c_str()) != 0 && errno != ENOENT)
        return fail_errno(errno, "remove", remembered_.string());
    return {};
}

}  // namespace vm::asterisk
