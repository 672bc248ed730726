// Files done durably: what returned success is on the disk. Any thread.
#ifndef VM_BASE_FILES_H
#define VM_BASE_FILES_H

#include "base/error.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <utility>

namespace vm {

// Owns a file descriptor.
class UniqueFd {
  public:
    UniqueFd() = default;
    explicit UniqueFd(int fd) : fd_(fd) {}
    UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    UniqueFd& operator=(UniqueFd&& other) noexcept {
        if (this != &other) reset(std::exchange(other.fd_, -1));
        return *this;
    }
    UniqueFd(const UniqueFd&) = delete;
    UniqueFd& operator=(const UniqueFd&) = delete;
    ~UniqueFd() { reset(); }

    int get() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }
    int release() { return std::exchange(fd_, -1); }
    void reset(int fd = -1);

  private:
    int fd_ = -1;
};

// What tells a changed or replaced file from an unchanged one; all zero when there is none.
struct FileStamp {
    ino_t inode = 0;
    off_t size = 0;
    std::int64_t modified_ns = 0, changed_ns = 0;
    bool operator==(const FileStamp&) const = default;
};
FileStamp file_stamp(const std::filesystem::path& path);

// Opens a regular file for reading, and nothing else: a FIFO does not keep the caller waiting.
// `otherwise`: of the error when it is there and is no regular file.
Result<UniqueFd> open_regular(const std::filesystem::path& path, const char* operation,
                              ErrorKind otherwise = ErrorKind::kNoInput);

// The whole file; kUnavailable when it is larger than `limit` bytes.
Result<std::string> read_file(const std::filesystem::path& path, std::size_t limit = 16U << 20);

// Replaces `path` by `content`, all or nothing: temporary file in the same directory with `mode`,
// write, fsync, rename, fsync of the directory. On error the old file is
// untouched.
Result<> write_file_atomic(const std::filesystem::path& path, std::string_view content,
                           mode_t mode);

// Copies everything readable from `in` into a new file `path` with `mode`, then fsyncs it. The file
// must not exist. Returns the bytes copied; on error no file is left.
Result<std::int64_t> copy_to_new_file(int in, const std::filesystem::path& path, mode_t mode);

// Makes renames and creations in `directory` durable.
Result<> fsync_directory(const std::filesystem::path& directory);

// An anonymous file in `directory` (gone when closed), read-write.
Result<UniqueFd> unnamed_file(const std::filesystem::path& directory);

// All of `data` to `fd`, also across short writes.
Result<> write_all(int fd, std::string_view data, std::string_view object);

// A file that has `path` for as long as the object lives; then it is removed.
class TemporaryFile {
  public:
    static Result<TemporaryFile> create(const std::filesystem::path& directory,
                                        std::string_view suffix);
    TemporaryFile(TemporaryFile&& other) noexcept
        : path_(std::exchange(other.path_, {})), fd_(std::move(other.fd_)) {}
    TemporaryFile& operator=(TemporaryFile&& other) noexcept {
        std::swap(path_, other.path_);
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~TemporaryFile();
    const std::filesystem::path& path() const { return path_; }
    // Open for writing. (By its path somebody else's file may be met by now, in a directory where
    // others may write.)
    int fd() const { return fd_.get(); }

  private:
    TemporaryFile(std::filesystem::path path, UniqueFd fd)
        : path_(std::move(path)), fd_(std::move(fd)) {}
    std::filesystem::path path_;
    UniqueFd fd_;
};

}  // namespace vm

#endif
