#include "base/plugin_file.h"

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>

namespace vm {

namespace {

tl::unexpected<Error> refuse(const std::filesystem::path& file, std::string reason,
                             std::string hint) {
    return fail(ErrorKind::kConfig, "load plugin", file.string(), std::move(reason),
                std::move(hint));
}

}  // namespace

Result<std::filesystem::path> check_plugin_file(const std::filesystem::path& file) {
    const std::unique_ptr<char, decltype(&std::free)> real(::realpath(file.c_str(), nullptr),
                                                           std::free);
    if (!real) return refuse(file, errno_text(errno), "check g_szEmailDllPath (vmconfig misc set)");
    const std::filesystem::path path(real.get());

    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) return refuse(file, errno_text(errno), "");
    if (!S_ISREG(info.st_mode))
        return refuse(file, "not a regular file", "name the plugin itself in g_szEmailDllPath");
    if (info.st_uid != 0 && info.st_uid != ::geteuid())
        return refuse(file,
                      "owned by user " + std::to_string(info.st_uid) + ", who could change it",
                      "make it root's: chown root");
    if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return refuse(
            file,
            (info.st_mode & S_IWOTH) != 0 ? "anyone can change it" : "its group can change it",
            "chmod go-w");

    // Who may write to a directory can replace what is in it, unless it is sticky.
    for (std::filesystem::path directory = path.parent_path();;
         directory = directory.parent_path()) {
        if (::stat(directory.c_str(), &info) != 0) return refuse(file, errno_text(errno), "");
        if ((info.st_mode & S_IWOTH) != 0 && (info.st_mode & S_ISVTX) == 0)
            return refuse(file,
                          "anyone can replace it: " + directory.string() + " is world-writable",
                          "chmod o-w " + directory.string());
        if (directory == directory.root_path()) break;
    }
    return path;
}

}  // namespace vm
