// vmemaild, the agent: options, and which of its four ways to run.
#include "agent/inspect.h"
#include "agent/master.h"
#include "app/cli.h"
#include "base/files.h"
#include "base/identity.h"
#include "base/text.h"
#include "config/config.h"
#include "content/table.h"
#include "transport/plugin.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

namespace {

// Leaves the terminal: the first process waits until the agent runs or has said why it cannot, and
// takes over its exit status. Returns the pipe on which the agent says "ready", by closing it after
// a zero byte.
vm::UniqueFd become_daemon() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) {
        std::perror("vmemaild: pipe");
        std::exit(69);
    }
    vm::UniqueFd reading(ends[0]), writing(ends[1]);
    const pid_t pid = ::fork();
    if (pid < 0) {
        std::perror("vmemaild: fork");
        std::exit(69);
    }
    if (pid > 0) {
        writing.reset();
        unsigned char status = 69;
        ssize_t n = 0;
        do n = ::read(reading.get(), &status, 1);
        while (n < 0 && errno == EINTR);
        ::_exit(status);  // no answer: it died; its words, if any, are on stderr
    }
    ::setsid();
    if (::chdir("/") != 0) std::perror("vmemaild: chdir /");
    return writing;
}

// Tells the waiting first process how the start went and lets go of the terminal.
void report_start(vm::UniqueFd& pipe, int status) {
    if (!pipe) return;
    const auto byte = static_cast<char>(status);
    const vm::UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    for (const int fd : {0, 1, 2}) ::dup2(null.get(), fd);
    (void)vm::write_all(pipe.get(), {&byte, 1}, "start");
    pipe.reset();
}

int run_vmemaild(int argc, char** argv) {
    CLI::App program("The agent: sends voice and fax messages to the subscribers' mail accounts",
                     "vmemaild");
    std::string root, mailbox;
    bool foreground = false, once = false, check = false, dry_run = false;
    vm::app::add_common(program, root);
    program.add_flag("--foreground", foreground,
                     "Stay in the foreground and repeat the trace on stderr");
    auto* once_flag =
        program.add_flag("--once", once, "Do everything due now, print a summary and exit");
    auto* dry_flag = program.add_flag("--dry-run", dry_run, "Print what --once would do");
    auto* check_flag = program.add_flag("--check", check, "Validate the whole configuration");
    auto* mailbox_option =
        program.add_option("--mailbox", mailbox, "With --once or --dry-run: this mailbox only")
            ->type_name("NNN");
    once_flag->excludes(dry_flag)->excludes(check_flag);
    dry_flag->excludes(check_flag);
    if (const auto status = vm::app::parse(program, argc, argv)) return *status;
    ::umask(0027);

    const auto found = vm::find_root(root);
    if (!found) return vm::app::report(program, found.error());
    const vm::Paths& paths = *found;
    if (const auto owner = vm::act_as_owner(paths); !owner)
        return vm::app::report(program, owner.error());
    if (*mailbox_option && !once && !dry_run)
        return vm::app::report(program, {vm::ErrorKind::kUsage, "--mailbox", mailbox,
                                         "goes with --once or --dry-run", "see vmemaild --help"});
    std::optional<std::string> only;
    if (*mailbox_option) {
        only = mailbox;
        if (!vm::is_mailbox_number(mailbox))
            return vm::app::report(program, {vm::ErrorKind::kUsage, "--mailbox", mailbox,
                                             "a mailbox number has 1 to 8 digits", ""});
        if (!vm::config::has_mailbox(paths, mailbox))
            return vm::app::report(
                program, {vm::ErrorKind::kNoInput, "--mailbox", mailbox, "no such mailbox",
                          "`vmconfig mailbox list` shows them"});
    }
    if (check || dry_run) {
        const auto status = vm::agent::run_in_child([&] {
            if (!check) return vm::agent::print_plan(paths, only);
            const int valid = vm::agent::check_configuration(paths);
            const auto content = vm::content::check();
            return content ? valid : vm::app::report(program, content.error());
        });
        return status ? *status : vm::app::report(program, status.error());
    }

    std::error_code ignored;
    if (!std::filesystem::is_directory(paths.etc(), ignored))
        return vm::app::report(program, {vm::ErrorKind::kNoInput, "start", paths.root.string(),
                                         "there is no unit here", "`vmconfig init` makes one"});
    if (!once) {
        // What an administrator should see on the terminal, not only in the trace.
        const auto misc = vm::config::load_misc(paths);
        if (!misc) return vm::app::report(program, misc.error());
        const auto tried = vm::agent::run_in_child([&] {
            const auto plugin = vm::transport::Plugin::load(misc->email_dll_path);
            return plugin ? 0 : vm::app::report(program, plugin.error());
        });
        if (!tried) vm::app::report(program, tried.error());
    }
    vm::UniqueFd starting;
    if (!foreground && !once) starting = become_daemon();
    vm::agent::MasterOptions options{paths, once, false, only, foreground, {}};
    options.ready = [&] { report_start(starting, 0); };
    const auto status = vm::agent::run_master(options);
    if (status) return *status;
    const int code = vm::app::report(program, status.error());
    report_start(starting, code);
    return code;
}

}  // namespace

int main(int argc, char** argv) {
    return vm::app::run_program(argc, argv, run_vmemaild);
}
