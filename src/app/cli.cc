#include "app/cli.h"

#include "base/files.h"
#include "base/text.h"

#include <cerrno>
#include <cstdlib>
#include <exception>
#include <fcntl.h>
#include <filesystem>
#include <iostream>
#include <sys/prctl.h>
#include <unistd.h>

namespace vm::app {

namespace {

// Opened the wrong way round: who has no standard output is still told that nothing can be written
// to it.
void take_standard_descriptors() {
    for (const int fd : {0, 1, 2})
        if (::fcntl(fd, F_GETFD) < 0 && errno == EBADF)
            (void)::open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
}

std::string g_program;  // its name
pid_t g_process = 0;    // the one main() runs in

// Not a catch in run_program(): unwinding would wait for the threads of a worker whose dialogues
// can take minutes, and its master would not see it crash.
[[noreturn]] void end_by_exception() {
    std::string what = "unknown exception";
    try {
        if (const auto problem = std::current_exception()) std::rethrow_exception(problem);
    } catch (const std::exception& problem) {
        what = problem.what();
    } catch (...) {  // what it is stays unknown
    }
    const std::string line = g_program + ": internal error: " + sanitize_line(what) + "\n";
    (void)write_all(STDERR_FILENO, line, "standard error");
    if (::getpid() != g_process) std::abort();
    ::_exit(exit_status(ErrorKind::kUnavailable));
}

}  // namespace

int run_program(int argc, char** argv, int (*body)(int, char**)) noexcept {
    take_standard_descriptors();
    g_program = argc > 0 ? std::filesystem::path(argv[0]).filename().string() : "?";
    g_process = ::getpid();
    // The memory holds passwords: it goes into no core file, and no other process of this user
    // looks into it.
    ::prctl(PR_SET_DUMPABLE, 0);
    std::set_terminate(end_by_exception);
    return body(argc, argv);
}

void add_common(CLI::App& program, std::string& root) {
    program
        .add_option("--root", root,
                    "Root directory of the unit (else $VM_ROOT, else /usr/local/vm)")
        ->type_name("DIR");
    program.set_version_flag("--version", program.get_name() + " " + kVersion);
    program.set_help_flag("--help", "Print this help and exit");
    program.footer(
        "Exit status: 0 done, 64 usage, 65 bad data, 66 no such input, 69 unavailable or failed,\n"
        "75 deferred (try later), 77 permission, 78 configuration.");
    program.fallthrough();
}

namespace {

// How far the command line was understood: program, command, its command.
std::vector<const CLI::App*> commands_of(const CLI::App& program) {
    std::vector<const CLI::App*> out{&program};
    while (!out.back()->get_subcommands().empty())
        out.push_back(out.back()->get_subcommands().front());
    return out;
}

// The word that was no command, where one of `last` was expected; "" when there was none at all.
// CLI11 reports only that a command is missing, and leaves the word with the program.
std::string unknown_command(const CLI::App& program, const CLI::App& last) {
    const auto words = program.remaining(true);
    return words.empty() ? std::string()
                         : "'" + words.front() + "' is no command of " + last.get_name();
}

}  // namespace

std::optional<int> parse(CLI::App& program, int argc, char** argv) {
    try {
        program.parse(argc, argv);
        return std::nullopt;
    } catch (const CLI::CallForHelp& e) {
        return program.exit(e);
    } catch (const CLI::CallForAllHelp& e) {
        return program.exit(e);
    } catch (const CLI::CallForVersion& e) {
        return program.exit(e);
    } catch (const CLI::ParseError& e) {
        const auto commands = commands_of(program);
        const std::string unknown = unknown_command(program, *commands.back());
        std::string help = "--help";
        for (auto it = commands.rbegin(); it != commands.rend(); ++it)
            help = (*it)->get_name() + " " + help;
        const bool missing = dynamic_cast<const CLI::RequiredError*>(&e) != nullptr;
        std::cerr << program.get_name() << ": "
                  << sanitize_line((missing && !unknown.empty() ? unknown : std::string(e.what())) +
                                   "; see " + help)
                  << '\n';
        return 64;
    }
}

int report(const CLI::App& program, const Error& error) {
    std::cerr << program.get_name() << ": " << error.text() << '\n';
    return exit_status(error.kind);
}

int end_output(const CLI::App& program) {
    if (std::cout.flush()) return 0;
    return report(program, {ErrorKind::kUnavailable,
                            "write",
                            "standard output",
                            "not everything could be written",
                            {}});
}

}  // namespace vm::app
