// What the programs and plugins with crash points do at them, as the environment says:
//   VM_CRASH_LOG=FILE   each name is appended to it, a line each
//   VM_CRASH_AT=NAME    the process is killed there, as kill -9 does, at the Nth time that any
//   VM_CRASH_COUNT=FILE process comes there: FILE holds a byte for each time that is still to
//                       pass; the one that finds it empty removes it, and dies. Without a FILE
//                       nobody dies, so that a successor lives.
//   VM_CRASH_WHO=parent the process's parent is killed instead: of a worker, its master
#include "base/crash_point.h"

#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace vm {

namespace {

std::string setting(const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr ? value : "";
}

// Whether this time is the one; several threads and processes may ask at once.
bool is_time(const std::string& file) {
    const int fd = ::open(file.c_str(), O_RDWR | O_CLOEXEC);
    if (fd < 0) return false;
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    ::fcntl(fd, F_OFD_SETLKW, &lock);
    struct stat status {};
    ::fstat(fd, &status);
    const bool now = status.st_nlink > 0 && status.st_size == 0;
    if (now) ::unlink(file.c_str());
    if (!now && status.st_size > 0 && ::ftruncate(fd, status.st_size - 1) != 0) ::abort();
    ::close(fd);
    return now;
}

}  // namespace

void crash_point(const std::string& name) {
    static const std::string log = setting("VM_CRASH_LOG"), at = setting("VM_CRASH_AT"),
                             count = setting("VM_CRASH_COUNT"), who = setting("VM_CRASH_WHO");
    if (!log.empty()) {
        const int fd = ::open(log.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
        const std::string line = name + "\n";
        if (fd < 0 || ::write(fd, line.data(), line.size()) < 0) ::abort();
        ::close(fd);
    }
    if (name != at || !is_time(count)) return;
    const pid_t parent = ::getppid();
    if (who != "parent") ::kill(::getpid(), SIGKILL);
    if (parent > 1) ::kill(parent, SIGKILL);
}

}  // namespace vm
