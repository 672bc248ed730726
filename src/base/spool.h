// Bytes that are written once and then read: in memory as long as they are few, else in a file
// without a name. To be used again, as getting memory or a file from the kernel costs more than
// filling it. One thread at a time.
#ifndef VM_BASE_SPOOL_H
#define VM_BASE_SPOOL_H

#include "base/error.h"
#include "base/files.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace vm {

class Spool {
  public:
    // So many bytes are kept in memory: recordings of half a minute, while the threads of a worker
    // that all have one in hand stay below a hundred megabytes.
    static constexpr std::size_t kMostInMemory = std::size_t{1} << 20;

    // Touches nothing; the file will be in `directory`.
    explicit Spool(std::filesystem::path directory) : directory_(std::move(directory)) {}

    // Errors: no_file() when a file is needed and cannot be had, those of write_all(). What is in
    // it after an error is not to be used.
    Result<> append(std::string_view bytes);
    const std::optional<Error>& no_file() const { return no_file_; }
    // Empty again; keeps memory and file.
    void clear();

    std::int64_t size() const { return size_; }
    // Where the bytes are: in this file from its start, or (-1) in memory().
    int fd() const { return in_file_ ? file_.get() : -1; }
    std::string_view memory() const { return memory_; }

  private:
    Result<> move_to_file();

    std::filesystem::path directory_;
    std::string memory_;
    UniqueFd file_;
    bool in_file_ = false;
    std::optional<Error> no_file_;
    std::int64_t size_ = 0;
};

}  // namespace vm

#endif
