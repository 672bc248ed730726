#include "base/process.h"

#include "base/files.h"

#include <cppunit/extensions/HelperMacros.h>

#include <chrono>
#include <fcntl.h>
#include <string>

namespace {

using namespace vm;
using namespace std::chrono_literals;

class ProcessTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ProcessTest);
    CPPUNIT_TEST(returns_status_and_output);
    CPPUNIT_TEST(tells_a_signal);
    CPPUNIT_TEST(names_a_program_that_is_missing);
    CPPUNIT_TEST(stops_one_that_runs_too_long_with_its_children);
    CPPUNIT_TEST(uses_no_shell);
    CPPUNIT_TEST(gives_a_clean_environment_and_no_descriptors);
    CPPUNIT_TEST(has_no_terminal_of_ours);
    CPPUNIT_TEST(keeps_the_end_of_the_output);
    CPPUNIT_TEST(gives_input_and_takes_all_output);
    CPPUNIT_TEST_SUITE_END();

    static ProcessOutput sh(const std::string& script) {
        auto done = run_process({"sh", "-c", script}, 60s);
        CPPUNIT_ASSERT_MESSAGE(done ? "" : done.error().text(), done.has_value());
        return *done;
    }

    void returns_status_and_output() {
        const ProcessOutput output = sh("echo out; echo err >&2; exit 7");
        CPPUNIT_ASSERT_EQUAL(7, output.exit_code);
        CPPUNIT_ASSERT_EQUAL(std::string("out\nerr\n"), output.diagnostics);
    }

    void tells_a_signal() { CPPUNIT_ASSERT_EQUAL(128 + 9, sh("kill -9 $$").exit_code); }

    void names_a_program_that_is_missing() {
        const auto missing = run_process({"no-such-program"}, 60s);
        CPPUNIT_ASSERT(missing.error().kind == ErrorKind::kConfig);
        CPPUNIT_ASSERT_EQUAL(
            std::string("run: no-such-program: No such file or directory; install the "
                        "program or correct its name"),
            missing.error().text());
    }

    void stops_one_that_runs_too_long_with_its_children() {
        const auto stopped = run_process({"sh", "-c", "sleep 1000 & sleep 1000"}, 50ms);
        CPPUNIT_ASSERT(stopped.error().kind == ErrorKind::kUnavailable);
    }

    void has_no_terminal_of_ours() {
        // In a session of its own: the fourth field behind the program's name.
        CPPUNIT_ASSERT_EQUAL(0, sh("test $$ = $(cut -d' ' -f6 /proc/$$/stat)").exit_code);
    }

    void uses_no_shell() {
        const auto output = run_process({"printf", "%s|", "a b", "$HOME", "; exit 3"}, 60s);
        CPPUNIT_ASSERT_EQUAL(std::string("a b|$HOME|; exit 3|"), output->diagnostics);
    }

    void gives_a_clean_environment_and_no_descriptors() {
        const UniqueFd leak(::open("/dev/null", O_RDONLY));  // no O_CLOEXEC
        ::setenv("VM_TEST_SECRET", "secret", 1);
        const ProcessOutput output =
            sh("env | grep -c SECRET; echo $LANG $TZ; ls /proc/self/fd | wc -l; cat");
        ::unsetenv("VM_TEST_SECRET");
        // 0, 1, 2 and the directory ls reads; cat ends at once, as stdin is /dev/null.
        CPPUNIT_ASSERT_EQUAL(std::string("0\nC UTC\n4\n"), output.diagnostics);
    }

    void gives_input_and_takes_all_output() {
        const std::string input(300'000, 'x');
        const auto done = run_with_input({"sh", "-c", "cat; echo why >&2; exit 3"}, input, {});
        CPPUNIT_ASSERT(done && done->exit_code == 3);
        CPPUNIT_ASSERT(done->output == input);
        CPPUNIT_ASSERT_EQUAL(std::string("why\n"), done->diagnostics);
        // One that does not read it.
        CPPUNIT_ASSERT_EQUAL(0, run_with_input({"true"}, input, {})->exit_code);
        SandboxLimits limits;
        limits.output_bytes = 1000;
        CPPUNIT_ASSERT(run_with_input({"cat"}, input, limits).error().kind == ErrorKind::kMessage);
        limits.time = 50ms;
        CPPUNIT_ASSERT(run_with_input({"sleep", "1000"}, "", limits).error().kind ==
                       ErrorKind::kUnavailable);
        // It is not confined: it may open a socket.
        CPPUNIT_ASSERT_EQUAL(
            0,
            run_with_input({"python3", "-c", "import socket; socket.socket()"}, "", {})->exit_code);
    }

    // What a program says last is why it ended.
    void keeps_the_end_of_the_output() {
        const ProcessOutput output = sh("head -c 1000000 /dev/zero | tr '\\0' x; echo reason");
        CPPUNIT_ASSERT_EQUAL(0, output.exit_code);
        CPPUNIT_ASSERT_EQUAL(std::size_t{4096}, output.diagnostics.size());
        CPPUNIT_ASSERT(output.diagnostics.ends_with("xxreason\n"));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(ProcessTest);

}  // namespace
