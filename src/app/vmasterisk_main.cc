// vmasterisk(8): keeps Asterisk's voice mail and the unit in step.
#include "agent/control.h"
#include "agent/incoming.h"
#include "app/cli.h"
#include "asterisk/adapter.h"
#include "asterisk/inspect.h"
#include "base/identity.h"
#include "base/text.h"
#include "base/trace.h"
#include "config/config.h"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <iostream>
#include <memory>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

using namespace vm;
using asterisk::Adapter;
using asterisk::Settings;

struct Request {
    std::string root, release;
    bool once = false, check = false, dry_run = false;
};

constexpr const char* kTraceFile = "vmasterisk.trace";

// Held as long as the descriptor lives: what another one left in the spool may be broken only by
// who knows that it is dead.
Result<UniqueFd> take_lock(const Paths& paths) {
    const std::filesystem::path file = paths.run() / "vmasterisk.lock";
    UniqueFd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640));
    if (!fd) return fail_errno(errno, "lock", file.string());
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
    if (errno != EWOULDBLOCK) return fail_errno(errno, "lock", file.string());
    return fail(ErrorKind::kUnavailable, "start", paths.root.string(),
                "a vmasterisk already runs on this root", "stop it first");
}

Result<int> check(const Paths& paths, const CLI::App& program) {
    VM_ASSIGN(const Settings settings, asterisk::load_settings(paths));
    const asterisk::Findings findings = asterisk::inspect(paths, settings);
    for (const std::string& note : findings.notes) std::cout << note << '\n';
    int status = 0;
    for (const Error& problem : findings.problems) status = app::report(program, problem);
    return status;
}

// What both ways to run need.
struct Running {
    std::unique_ptr<store::Store> store;
    asterisk::Unit unit;
};

Result<Running> start(const Paths& paths) {
    VM_ASSIGN(const config::MiscSetup misc, config::load_misc(paths));
    VM_ASSIGN(std::unique_ptr<store::Store> store, store::Store::open(paths));
    store::Store& opened = *store;
    const auto prepare = [&paths](store::NewMessage& incoming) -> Result<> {
        VM_ASSIGN(const agent::Incoming decided, agent::decide_delivery(paths, incoming));
        if (decided.trouble) trace(TraceLevel::kWarning, "{}", decided.trouble->text());
        incoming.inspect = agent::measure;
        return {};
    };
    const auto changed = [&paths](const std::string& mailbox) { agent::poke(paths, mailbox); };
    return Running{std::move(store),
                   {paths, opened, system_clock(), prepare, changed, misc.mass_deletion_limit}};
}

Result<int> run_once(const Paths& paths, const Request& request) {
    VM_ASSIGN(const Settings settings, asterisk::load_settings(paths));
    VM_ASSIGN(Running running, start(paths));
    Adapter adapter(running.unit, settings);
    VM_ASSIGN(const Adapter::Summary done, adapter.once(request.release, request.dry_run));
    for (const std::string& line : done.plan) std::cout << sanitize_line(line) << '\n';
    if (!request.dry_run)
        std::cout << done.added << " added, " << done.followed << " changed in the unit, "
                  << done.removed << " removed from the spool, " << done.moved << " moved there, "
                  << done.failed << " mailboxes failed\n";
    return done.failed > 0 || done.held ? exit_status(ErrorKind::kRetryLater) : 0;
}

Result<int> run_until_told(const Paths& paths) {
    sigset_t handled;
    sigemptyset(&handled);
    sigaddset(&handled, SIGTERM);
    sigaddset(&handled, SIGINT);
    ::pthread_sigmask(SIG_BLOCK, &handled, nullptr);
    const UniqueFd signals(::signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!signals) return fail_errno(errno, "start", "signalfd");
    VM_ASSIGN(Running running, start(paths));
    VM_ASSIGN(auto settings, asterisk::load_settings(paths));
    trace(TraceLevel::kInfo, "begins with {}", settings.spool.string());
    for (;;) {
        const auto ended = Adapter(running.unit, settings).run(signals.get());
        if (!ended) return fail(ended.error());
        if (*ended == Adapter::Ended::kStopped) return 0;
        // One that cannot be used is told, and the one before stays in force.
        if (auto other = asterisk::load_settings(paths))
            settings = std::move(*other);
        else
            trace(TraceLevel::kError, "{}; the settings before stay in force",
                  other.error().text());
    }
}

Result<int> act(const Paths& paths, const Request& request, const CLI::App& program) {
    if (request.check) return check(paths, program);
    VM_ASSIGN(const UniqueFd lock, take_lock(paths));
    VM_ASSIGN(const config::MiscSetup misc, config::load_misc(paths));
    VM_TRY(trace_open(paths.trace() / kTraceFile, misc.max_trace_file_size, true));
    return request.once || request.dry_run ? run_once(paths, request) : run_until_told(paths);
}

int run_vmasterisk(int argc, char** argv) {
    CLI::App program("Keeps Asterisk's voice mail and the unit in step", "vmasterisk");
    Request request;
    app::add_common(program, request.root);
    auto* once = program.add_flag("--once", request.once, "Do what is to be done now, and exit");
    auto* dry = program.add_flag("--dry-run", request.dry_run, "Print what --once would do");
    auto* check = program.add_flag("--check", request.check,
                                   "Say whether settings, spool and manager interface can be used");
    program
        .add_option("--release", request.release,
                    "With --once: held deletions of this mailbox of the unit go")
        ->type_name("NNN")
        ->needs(once);
    once->excludes(dry)->excludes(check);
    dry->excludes(check);
    if (const auto status = app::parse(program, argc, argv)) return *status;
    ::umask(0027);
    ::signal(SIGPIPE, SIG_IGN);
    if (!request.release.empty() && !is_mailbox_number(request.release))
        return app::report(program, {ErrorKind::kUsage, "--release", request.release,
                                     "a mailbox number has 1 to 8 digits", ""});

    const auto paths = find_root(request.root);
    if (!paths) return app::report(program, paths.error());
    if (const auto owner = act_as_owner(*paths); !owner) return app::report(program, owner.error());
    const auto status = act(*paths, request, program);
    if (!status) return app::report(program, status.error());
    return *status != 0 ? *status : app::end_output(program);
}

}  // namespace

int main(int argc, char** argv) {
    return app::run_program(argc, argv, run_vmasterisk);
}
