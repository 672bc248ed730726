// A root in a temporary directory that goes with the object.
#ifndef VM_TESTS_CONFIG_TEMP_ROOT_H
#define VM_TESTS_CONFIG_TEMP_ROOT_H

#include "base/files.h"
#include "base/paths.h"

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <sys/stat.h>

namespace vm {

class TempRoot {
  public:
    TempRoot() : paths(make()) { std::filesystem::create_directories(paths.mailboxes()); }
    ~TempRoot() {
        std::error_code ignored;
        std::filesystem::remove_all(paths.root, ignored);
    }
    TempRoot(const TempRoot&) = delete;
    TempRoot& operator=(const TempRoot&) = delete;

    void write(const std::filesystem::path& file, const std::string& text,
               mode_t mode = 0600) const {
        if (!write_file_atomic(file, text, mode))
            throw std::runtime_error("write " + file.string());
    }
    std::string read(const std::filesystem::path& file) const { return read_file(file).value(); }
    mode_t mode(const std::filesystem::path& file) const {
        struct stat status {};
        return ::stat(file.c_str(), &status) == 0 ? status.st_mode & 07777 : 0;
    }

    const Paths paths;

  private:
    static std::filesystem::path make() {
        std::string name = (std::filesystem::temp_directory_path() / "vm-config.XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
        return name;
    }
};

}  // namespace vm

#endif
