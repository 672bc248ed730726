#include "base/sandbox.h"

#include "base/files.h"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <memory>
#include <mutex>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// A sanitizer's shadow memory takes terabytes of address space.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define VM_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define VM_SANITIZER 1
#endif
#endif

namespace vm {

namespace {

constexpr const char* kOperation = "make sandbox";
constexpr rlim_t kDescriptors = 64;

// Everything that reaches beyond the process, but reading files, its own memory, and starting
// programs. A list of what is allowed would be shorter for a program we know, and wrong for the
// synthesiser somebody names.
constexpr int kDenied[] = {
    // the network
    SCMP_SYS(socket), SCMP_SYS(socketpair), SCMP_SYS(connect), SCMP_SYS(bind),
    // other ways to have the kernel do things: a filter does not see what goes through these
    SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register),
    SCMP_SYS(io_setup), SCMP_SYS(io_submit), SCMP_SYS(bpf), SCMP_SYS(perf_event_open),
    SCMP_SYS(userfaultfd),
    // files: made, changed, removed
    SCMP_SYS(creat), SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(rename), SCMP_SYS(renameat),
    SCMP_SYS(renameat2), SCMP_SYS(link), SCMP_SYS(linkat), SCMP_SYS(symlink), SCMP_SYS(symlinkat),
    SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(rmdir), SCMP_SYS(mknod), SCMP_SYS(mknodat),
    SCMP_SYS(truncate), SCMP_SYS(chmod), SCMP_SYS(fchmod), SCMP_SYS(fchmodat), SCMP_SYS(chown),
    SCMP_SYS(lchown), SCMP_SYS(fchown), SCMP_SYS(fchownat), SCMP_SYS(utime), SCMP_SYS(utimes),
    SCMP_SYS(futimesat), SCMP_SYS(utimensat), SCMP_SYS(setxattr), SCMP_SYS(lsetxattr),
    SCMP_SYS(fsetxattr), SCMP_SYS(removexattr), SCMP_SYS(lremovexattr), SCMP_SYS(fremovexattr),
    SCMP_SYS(open_by_handle_at), SCMP_SYS(fanotify_init), SCMP_SYS(mq_open), SCMP_SYS(mq_unlink),
    SCMP_SYS(shmget), SCMP_SYS(shmctl), SCMP_SYS(shmat), SCMP_SYS(semget), SCMP_SYS(semctl),
    SCMP_SYS(msgget), SCMP_SYS(msgctl),
    // other processes
    SCMP_SYS(kill), SCMP_SYS(tkill), SCMP_SYS(tgkill), SCMP_SYS(rt_sigqueueinfo),
    SCMP_SYS(rt_tgsigqueueinfo), SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev), SCMP_SYS(process_madvise), SCMP_SYS(pidfd_open),
    SCMP_SYS(pidfd_getfd), SCMP_SYS(pidfd_send_signal), SCMP_SYS(kcmp), SCMP_SYS(setpriority),
    SCMP_SYS(sched_setscheduler), SCMP_SYS(sched_setattr), SCMP_SYS(migrate_pages),
    SCMP_SYS(move_pages),
    // staying behind when the process group is killed, and leaving the limits
    SCMP_SYS(setsid), SCMP_SYS(setpgid), SCMP_SYS(setrlimit),
    // the machine
    SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(pivot_root), SCMP_SYS(chroot), SCMP_SYS(unshare),
    SCMP_SYS(setns), SCMP_SYS(move_mount), SCMP_SYS(open_tree), SCMP_SYS(fsopen),
    SCMP_SYS(fsconfig), SCMP_SYS(fsmount), SCMP_SYS(fspick), SCMP_SYS(mount_setattr),
    SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(delete_module), SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load), SCMP_SYS(reboot), SCMP_SYS(swapon), SCMP_SYS(swapoff),
    SCMP_SYS(acct), SCMP_SYS(quotactl), SCMP_SYS(quotactl_fd), SCMP_SYS(syslog),
    SCMP_SYS(settimeofday), SCMP_SYS(clock_settime), SCMP_SYS(clock_adjtime), SCMP_SYS(adjtimex),
    SCMP_SYS(sethostname), SCMP_SYS(setdomainname), SCMP_SYS(iopl), SCMP_SYS(ioperm),
    SCMP_SYS(vhangup), SCMP_SYS(add_key), SCMP_SYS(request_key), SCMP_SYS(keyctl)};

// Opening is allowed for reading. O_RDWR and O_WRONLY are two bits; O_TMPFILE needs one of them.
constexpr int kWritingFlags[] = {O_WRONLY, O_RDWR, O_CREAT, O_TRUNC};

// Calls newer than the headers of Debian 12, among them fchmodat2; since 424 they have the same
// numbers everywhere.
constexpr int kFirstUnknown = 451, kLastUnknown = 511;

struct ReleaseFilter {
    void operator()(void* context) const { seccomp_release(context); }
};

// 0 or a negative errno, as libseccomp has it.
int add_rules(scmp_filter_ctx filter) {
    constexpr std::uint32_t kDeny = SCMP_ACT_ERRNO(EPERM), kMissing = SCMP_ACT_ERRNO(ENOSYS),
                            kNoDevice = SCMP_ACT_ERRNO(ENOTTY);
    int status = 0;
    const auto add = [&](std::uint32_t action, int call, const auto&... conditions) {
        if (status == 0)
            status = seccomp_rule_add(filter, action, call, sizeof...(conditions), conditions...);
    };
    for (const int call : kDenied) add(kDeny, call);
    for (const int flag : kWritingFlags) {
        const auto bit = static_cast<scmp_datum_t>(flag);
        add(kDeny, SCMP_SYS(open), SCMP_A1(SCMP_CMP_MASKED_EQ, bit, bit));
        add(kDeny, SCMP_SYS(openat), SCMP_A2(SCMP_CMP_MASKED_EQ, bit, bit));
    }
    // getrlimit() is this call too: of the process itself, and nothing set.
    add(kDeny, SCMP_SYS(prlimit64), SCMP_A0(SCMP_CMP_NE, 0, 0));
    add(kDeny, SCMP_SYS(prlimit64), SCMP_A2(SCMP_CMP_NE, 0, 0));
    // A device can be opened for reading; what it is there for needs more than that, and isatty()
    // gets the answer a file gives.
    add(kNoDevice, SCMP_SYS(ioctl));
    // Its flags lie in memory, which a filter cannot read; whoever calls it can do with openat.
    add(kMissing, SCMP_SYS(openat2));
    for (int call = kFirstUnknown; call <= kLastUnknown; ++call) add(kMissing, call);
    return status;
}

Result<std::vector<sock_filter>> make_filter() {
    const auto refuse = [](int code) {
        return fail(ErrorKind::kUnavailable, kOperation, "libseccomp", errno_text(code));
    };
    const std::unique_ptr<void, ReleaseFilter> filter(seccomp_init(SCMP_ACT_ALLOW));
    if (!filter) return refuse(ENOMEM);
    // A tree instead of a list: every system call of the child passes the filter.
    seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (const int status = add_rules(filter.get()); status != 0) return refuse(-status);

    const UniqueFd memory(::memfd_create("sandbox filter", MFD_CLOEXEC));
    if (!memory) return refuse(errno);
    if (const int status = seccomp_export_bpf(filter.get(), memory.get()); status != 0)
        return refuse(-status);
    struct stat status {};
    if (::fstat(memory.get(), &status) != 0) return refuse(errno);
    std::vector<sock_filter> program(static_cast<std::size_t>(status.st_size) /
                                     sizeof(sock_filter));
    if (::pread(memory.get(), program.data(), program.size() * sizeof(sock_filter), 0) !=
        status.st_size)
        return refuse(errno);
    return program;
}

bool limit_to(__rlimit_resource resource, rlim_t value) {
    const rlimit both{value, value};
    return ::setrlimit(resource, &both) == 0;
}

}  // namespace

Result<std::vector<sock_filter>> sandbox_filter() {
    static std::mutex mutex;
    static std::vector<sock_filter> filter;  // empty: not made yet; what failed is tried again
    const std::scoped_lock lock(mutex);
    if (filter.empty()) {
        VM_ASSIGN(filter, make_filter());
    }
    return filter;
}

bool enter_sandbox(const std::vector<sock_filter>& filter, const SandboxLimits& limits) {
    const auto cpu = static_cast<rlim_t>(limits.cpu.count());
#ifndef VM_SANITIZER
    if (!limit_to(RLIMIT_AS, limits.memory_bytes)) return false;
#endif
    if (!limit_to(RLIMIT_CPU, cpu) || !limit_to(RLIMIT_FSIZE, 0) || !limit_to(RLIMIT_CORE, 0) ||
        !limit_to(RLIMIT_NOFILE, kDescriptors) || ::chdir("/") != 0)
        return false;
    if (limits.nice > 0) (void)::setpriority(PRIO_PROCESS, 0, limits.nice);
    // A write that the limit of files forbids fails, as one that the filter forbids does.
    (void)::signal(SIGXFSZ, SIG_IGN);
    // Also when it is root: the capabilities that a program started by root would get.
    for (unsigned long capability = 0; capability <= CAP_LAST_CAP; ++capability)
        (void)::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
    sock_fprog program{};
    program.len = static_cast<unsigned short>(filter.size());
    program.filter = const_cast<sock_filter*>(filter.data());
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

}  // namespace vm
