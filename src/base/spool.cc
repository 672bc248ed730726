#include "base/spool.h"

#include <unistd.h>

namespace vm {

Result<> Spool::append(std::string_view bytes) {
    if (!in_file_ && memory_.size() + bytes.size() > kMostInMemory) VM_TRY(move_to_file());
    if (in_file_)
        VM_TRY(write_all(file_.get(), bytes, directory_.string()));
    else
        memory_ += bytes;
    size_ += static_cast<std::int64_t>(bytes.size());
    return {};
}

Result<> Spool::move_to_file() {
    // One that was used before and cannot be emptied is given up.
    if (file_ && (::ftruncate(file_.get(), 0) != 0 || ::lseek(file_.get(), 0, SEEK_SET) != 0))
        file_.reset();
    if (!file_) {
        auto made = unnamed_file(directory_);
        if (!made) return fail(no_file_.emplace(made.error()));
        file_ = std::move(*made);
    }
    in_file_ = true;
    VM_TRY(write_all(file_.get(), memory_, directory_.string()));
    memory_.clear();
    return {};
}

void Spool::clear() {
    memory_.clear();
    in_file_ = false;
    no_file_.reset();
    size_ = 0;
}

}  // namespace vm
