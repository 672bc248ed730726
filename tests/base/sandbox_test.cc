// run_sandboxed(): what a child gets, what it may not do, and its limits.
#include "base/files.h"
#include "base/process.h"
#include "base/text.h"
#include "temporary_directory.h"

#include <cppunit/extensions/HelperMacros.h>

#include <atomic>
#include <chrono>
#include <fcntl.h>
#include <signal.h>
#include <string>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace {

using namespace vm;
using namespace std::chrono_literals;

SandboxOutput confined(const std::vector<std::string>& argv, std::string_view input = {},
                       const SandboxLimits& limits = {}) {
    auto done = run_sandboxed(argv, input, limits);
    CPPUNIT_ASSERT_MESSAGE(done ? "" : done.error().text(), done.has_value());
    return *done;
}

SandboxOutput sh(const std::string& script, std::string_view input = {}) {
    return confined({"sh", "-c", script}, input);
}

SandboxOutput python(const std::string& program) {
    return confined({"/usr/bin/python3", "-I", "-c", program});
}

class SandboxTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SandboxTest);
    CPPUNIT_TEST(passes_input_output_and_status);
    CPPUNIT_TEST(tells_a_signal);
    CPPUNIT_TEST(names_a_program_that_is_missing);
    CPPUNIT_TEST(needs_no_reader_of_its_input);
    CPPUNIT_TEST(gives_a_clean_environment_and_no_descriptors);
    CPPUNIT_TEST(has_no_socket);
    CPPUNIT_TEST(writes_no_file);
    CPPUNIT_TEST(leaves_other_processes_alone);
    CPPUNIT_TEST(cannot_leave_its_limits);
    CPPUNIT_TEST(stops_one_that_runs_too_long);
    CPPUNIT_TEST(stops_one_that_only_hides_its_running);
    CPPUNIT_TEST(limits_the_time_of_the_processor);
    CPPUNIT_TEST(limits_the_output);
    CPPUNIT_TEST(limits_the_memory);
    CPPUNIT_TEST(leaves_nothing_running);
    CPPUNIT_TEST(ends_with_the_process_that_started_it);
    CPPUNIT_TEST(serves_several_threads);
    CPPUNIT_TEST_SUITE_END();

    vm::testing::TemporaryDirectory directory_;

    static std::string call(long number, const std::string& arguments) {
        return "call(" + std::to_string(number) + ", " + arguments + ")";
    }

    static bool runs(const std::string& word) {
        for (const auto& process : std::filesystem::directory_iterator("/proc")) {
            const auto words = read_file(process.path() / "cmdline");
            if (words && words->find(word) != std::string::npos) return true;
        }
        return false;
    }

    // What a python expression that must be refused answered: the name of the errno.
    static void assert_refused(const std::string& expression, const std::string& code = "EPERM") {
        const SandboxOutput output = python(
            "import ctypes, errno, os, socket\n"
            "libc = ctypes.CDLL(None, use_errno=True)\n"
            "def call(*arguments):\n"
            "    if libc.syscall(*arguments) < 0: raise OSError(ctypes.get_errno(), '')\n"
            "try:\n"
            "    " +
            expression +
            "\n"
            "    print('allowed', end='')\n"
            "except OSError as e:\n"
            "    print(errno.errorcode[e.errno], end='')\n");
        CPPUNIT_ASSERT_EQUAL_MESSAGE(expression + ": " + output.diagnostics, code, output.output);
    }

  public:
    void passes_input_output_and_status() {
        std::string input(3'000'000, 'x');
        input[1'000'000] = '\0';
        const SandboxOutput output =
            confined({"sh", "-c", "cat; pwd >&2; exit 7"}, input, {.output_bytes = input.size()});
        CPPUNIT_ASSERT_EQUAL(7, output.exit_code);
        CPPUNIT_ASSERT(output.output == input);
        CPPUNIT_ASSERT_EQUAL(std::string("/\n"), output.diagnostics);
    }

    void tells_a_signal() {
        const SandboxOutput output =
            python("import ctypes\nprint('x', flush=True)\nctypes.string_at(0)");
        CPPUNIT_ASSERT_EQUAL(std::string("x\n"), output.output);
        CPPUNIT_ASSERT(output.exit_code != 0);
    }

    void names_a_program_that_is_missing() {
        const auto missing = run_sandboxed({"no-such-program"}, "", {});
        CPPUNIT_ASSERT(missing.error().kind == ErrorKind::kConfig);
        CPPUNIT_ASSERT_EQUAL(
            std::string("run: no-such-program: No such file or directory; install the "
                        "program or correct its name"),
            missing.error().text());
    }

    void needs_no_reader_of_its_input() {
        const std::string input(10'000'000, 'x');
        CPPUNIT_ASSERT_EQUAL(std::string("done\n"), sh("echo done", input).output);
        CPPUNIT_ASSERT_EQUAL(std::string("done\n"), sh("exec <&-; echo done", input).output);
        CPPUNIT_ASSERT_EQUAL(std::string("xx"), sh("head -c 2", input).output);
    }

    void gives_a_clean_environment_and_no_descriptors() {
        const UniqueFd leak(::open("/dev/null", O_RDONLY));  // no O_CLOEXEC
        ::setenv("VM_TEST_SECRET", "secret", 1);
        const SandboxOutput output =
            sh("env | grep -c SECRET; echo $LANG $TZ; ls /proc/self/fd | wc -l");
        ::unsetenv("VM_TEST_SECRET");
        CPPUNIT_ASSERT_EQUAL(std::string("0\nC UTC\n4\n"), output.output);  // with that of ls
    }

    void has_no_socket() {
        assert_refused("socket.socket(socket.AF_INET, socket.SOCK_STREAM)");
        assert_refused("socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)");
        assert_refused("socket.socketpair()");
        assert_refused(call(SYS_io_uring_setup, "8, 0"));
    }

    void writes_no_file() {
        const std::string there = (directory_.path() / "there").string();
        const std::string other = (directory_.path() / "other").string();
        CPPUNIT_ASSERT(write_file_atomic(there, "kept", 0600).has_value());
        const auto quoted = [](const std::string& s) { return "'" + s + "'"; };
        for (const char* flags :
             {"os.O_WRONLY", "os.O_RDWR", "os.O_RDONLY | os.O_TRUNC", "os.O_WRONLY | os.O_APPEND"})
            assert_refused("os.open(" + quoted(there) + ", " + flags + ")");
        assert_refused("os.open(" + quoted(other) + ", os.O_RDONLY | os.O_CREAT)");
        assert_refused("os.open(" + quoted(directory_.path().string()) +
                       ", os.O_RDWR | os.O_TMPFILE)");
        assert_refused(call(SYS_openat2, "-100, b'" + there + "', b'\\x02' + bytes(23), 24"),
                       "ENOSYS");
        for (const char* call : {"unlink", "rmdir", "mkdir", "mkfifo"})
            assert_refused(std::string("os.") + call + "(" + quoted(there) + ")");
        for (const char* call : {"rename", "link", "symlink"})
            assert_refused(std::string("os.") + call + "(" + quoted(there) + ", " + quoted(other) +
                           ")");
        assert_refused("os.chmod(" + quoted(there) + ", 0o777)");
        assert_refused("os.chown(" + quoted(there) + ", 1, 1)");
        assert_refused("os.truncate(" + quoted(there) + ", 0)");
        assert_refused("os.utime(" + quoted(there) + ")");
        assert_refused(call(452, "-100, b'" + there + "', 0o777, 0"), "ENOSYS");  // fchmodat2
        CPPUNIT_ASSERT_EQUAL(std::string("kept"), *read_file(there));
        CPPUNIT_ASSERT_EQUAL(std::string("kept"), sh("cat " + there).output);
    }

    void leaves_other_processes_alone() {
        const std::string own = std::to_string(::getpid());
        assert_refused("os.kill(" + own + ", 0)");
        assert_refused(call(SYS_ptrace, "16, " + own + ", 0, 0"));  // PTRACE_ATTACH
        assert_refused(call(SYS_pidfd_open, own + ", 0"));
        assert_refused("os.setsid()");
        assert_refused("os.setpgid(0, 0)");
        assert_refused(call(SYS_unshare, "0x40000000"));  // CLONE_NEWNET
        assert_refused(call(SYS_mount, "0, 0, 0, 0, 0"));
    }

    void cannot_leave_its_limits() {
        assert_refused(call(SYS_setrlimit, "1, bytes(16)"));
        assert_refused(call(SYS_prlimit64, "0, 1, bytes(16), 0"));
        assert_refused(call(SYS_prlimit64, std::to_string(::getpid()) + ", 1, 0, bytes(16)"));
        const SandboxOutput output = python(
            "import resource as r\n"
            "print(r.getrlimit(r.RLIMIT_FSIZE), r.getrlimit(r.RLIMIT_CORE))\n"
            "print([l for l in open('/proc/self/status') if l.startswith(('CapEff', 'NoNew'))])");
        CPPUNIT_ASSERT_EQUAL(
            std::string("(0, 0) (0, 0)\n['CapEff:\\t0000000000000000\\n', 'NoNewPrivs:\\t1\\n']\n"),
            output.output);
    }

    void stops_one_that_runs_too_long() {
        const auto stopped =
            run_sandboxed({"sh", "-c", "sleep 1000 & sleep 1000"}, "", {.time = 50ms});
        CPPUNIT_ASSERT(stopped.error().kind == ErrorKind::kUnavailable);
        CPPUNIT_ASSERT_EQUAL(std::string("run: sh: no end after 1 s, stopped"),
                             stopped.error().text());
    }

    void stops_one_that_only_hides_its_running() {
        const auto stopped =
            run_sandboxed({"sh", "-c", "exec >&- 2>&-; sleep 1000"}, "", {.time = 50ms});
        CPPUNIT_ASSERT(stopped.error().kind == ErrorKind::kUnavailable);
    }

    void limits_the_time_of_the_processor() {
        const SandboxOutput output =
            confined({"sh", "-c", "while :; do :; done"}, "", {.time = 500s, .cpu = 1s});
        CPPUNIT_ASSERT(output.exit_code == 128 + SIGXCPU || output.exit_code == 128 + SIGKILL);
    }

    void limits_the_output() {
        const auto flooding = run_sandboxed({"cat", "/dev/zero"}, "", {.output_bytes = 100'000});
        CPPUNIT_ASSERT_EQUAL(std::string("run: cat: wrote more than 100000 bytes, stopped"),
                             flooding.error().text());
        const SandboxOutput complaining = sh("head -c 1000000 /dev/zero >&2; echo end >&2");
        CPPUNIT_ASSERT_EQUAL(std::size_t{4096}, complaining.diagnostics.size());
        CPPUNIT_ASSERT(complaining.diagnostics.ends_with("end\n"));
    }

    void limits_the_memory() {
        const SandboxOutput output = confined({"/usr/bin/python3", "-I", "-c",
                                               "try:\n"
                                               "    x = bytearray(300 << 20)\n"
                                               "    print('allowed', end='')\n"
                                               "except MemoryError:\n"
                                               "    print('refused', end='')\n"},
                                              "", {.memory_bytes = 200U << 20});
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
        CPPUNIT_ASSERT_EQUAL(std::string("allowed"), output.output);
#else
        CPPUNIT_ASSERT_EQUAL(std::string("refused"), output.output);
#endif
    }

    // A process that it started and that gave up its streams ends when it does.
    void leaves_nothing_running() {
        const SandboxOutput output = sh("sleep 1000 >&- 2>&- <&- & echo $!");
        const auto process = parse_int(trim(output.output));
        CPPUNIT_ASSERT(process.has_value());
        // Killed, it is somebody else's to wait for; a zombie counts as ended.
        for (;;) {
            const auto status = read_file("/proc/" + std::to_string(*process) + "/stat");
            if (!status || status->find(") Z ") != std::string::npos) break;
            std::this_thread::sleep_for(1ms);
        }
    }

    void ends_with_the_process_that_started_it() {
        const pid_t parent = ::fork();
        if (parent == 0) {
            std::thread([] { std::this_thread::sleep_for(200ms), ::_exit(0); }).detach();
            (void)run_sandboxed({"sleep", "98765.4321"}, "", {.time = 1000s});
            ::_exit(1);
        }
        int status = 0;
        CPPUNIT_ASSERT_EQUAL(parent, ::waitpid(parent, &status, 0));
        CPPUNIT_ASSERT_EQUAL(0, WEXITSTATUS(status));
        while (runs("98765.4321")) std::this_thread::sleep_for(1ms);
    }

    void serves_several_threads() {
        std::vector<std::thread> threads;
        std::atomic<int> good = 0;
        for (int i = 0; i < 4; ++i)
            threads.emplace_back([&good, i] {
                for (int k = 0; k < 5; ++k) {
                    const std::string input = std::to_string(i * 100 + k);
                    const auto done = run_sandboxed({"cat"}, input, {});
                    if (done && done->exit_code == 0 && done->output == input) ++good;
                }
            });
        for (std::thread& thread : threads) thread.join();
        CPPUNIT_ASSERT_EQUAL(20, good.load());
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(SandboxTest);

}  // namespace
