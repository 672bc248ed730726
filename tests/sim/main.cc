// The simulation: sim [--schedules N] [--first SEED] [--jobs N] [--progress] [--seconds N]
//                 sim --wanted [--schedules N] [--first SEED]
//                 sim --seed SEED [--trace]
//
// Runs one schedule for each seed from SEED on. A violation is printed with its seed and the least
// schedule that ends in it, and the exit status is 1. `--seed` runs a single one, exactly as it
// was.
#include "base/clock.h"
#include "base/text.h"
#include "mime/compose.h"
#include "shrink.h"

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using namespace vm;
using namespace vm::sim;

struct Options {
    std::uint64_t first = 1;
    std::uint64_t schedules = 2000;
    unsigned jobs = 1;
    std::int64_t seconds = 0;  // 0: no limit
    bool single = false, trace = false, progress = false, wanted = false;
};

// A store is made anew after so many schedules: what is left of others makes queries slow.
constexpr std::uint64_t kSchedulesAStore = 200;
constexpr std::int64_t kProgressMs = 30'000;

volatile std::sig_atomic_t g_stop = 0;

// On memory where there is some: a commit must cost no disk.
void use_memory() {
    if (::access("/dev/shm", W_OK) == 0) ::setenv("TMPDIR", "/dev/shm", 1);
}

void print(const Verdict& verdict) {
    for (const std::string& line : verdict.story) std::printf("%s\n", line.c_str());
}

void print_violation(const Schedule& schedule, const std::string& violation, Ground& ground) {
    const Schedule least = shrink(schedule, violation, ground);
    std::printf("VIOLATION, seed %llu: %s\n%zu of its %zu events are enough:\n",
                static_cast<unsigned long long>(schedule.seed), violation.c_str(),
                least.events.size(), schedule.events.size());
    print(run_schedule(least, ground, true));
    std::printf("run again with: sim --seed %llu --trace\n",
                static_cast<unsigned long long>(schedule.seed));
    std::fflush(stdout);
}

int run_single(const Options& options) {
    Ground ground;
    const Verdict verdict = run_schedule(make_schedule(options.first), ground, options.trace);
    print(verdict);
    std::printf("seed %llu: %s\n", static_cast<unsigned long long>(options.first),
                verdict.violation.empty() ? "no violation" : verdict.violation.c_str());
    return verdict.violation.empty() ? 0 : 1;
}

// Schedules number, number + jobs, … Returns how many were run; `violations` how many were bad.
std::uint64_t run_share(const Options& options, unsigned number, std::uint64_t& violations) {
    std::optional<Ground> ground;
    std::uint64_t done = 0;
    const std::int64_t start = system_clock().steady_ms();
    std::int64_t told = start;
    for (std::uint64_t i = number; i < options.schedules && g_stop == 0; i += options.jobs) {
        if (done % kSchedulesAStore == 0) ground.emplace();
        const Schedule schedule = make_schedule(options.first + i);
        const Verdict verdict = run_schedule(schedule, *ground, false);
        ++done;
        if (!verdict.violation.empty()) {
            ++violations;
            print_violation(schedule, verdict.violation, *ground);
            if (violations >= 10) break;
        }
        const std::int64_t now = system_clock().steady_ms();
        if (options.seconds > 0 && now - start > options.seconds * 1000) break;
        if (!options.progress || now - told < kProgressMs) continue;
        told = now;
        std::printf("job %u: %llu schedules, %.0f/s\n", number,
                    static_cast<unsigned long long>(done),
                    static_cast<double>(done) * 1000 / static_cast<double>(now - start));
        std::fflush(stdout);
    }
    return done;
}

int run_all(const Options& options) {
    const std::int64_t start = system_clock().steady_ms();
    std::uint64_t done = 0, violations = 0;
    if (options.jobs == 1) {
        done = run_share(options, 0, violations);
    } else {
        std::vector<std::pair<pid_t, int>> children;
        for (unsigned job = 0; job < options.jobs; ++job) {
            std::array<int, 2> ends{};
            if (::pipe(ends.data()) != 0) return 70;
            const pid_t child = ::fork();
            if (child == 0) {
                std::array<std::uint64_t, 2> told{};
                told[0] = run_share(options, job, told[1]);
                const bool sent = ::write(ends[1], told.data(), sizeof told) == sizeof told;
                std::fflush(stdout);
                ::_exit(sent ? 0 : 70);
            }
            ::close(ends[1]);
            children.emplace_back(child, ends[0]);
        }
        for (const auto& [child, end] : children) {
            std::array<std::uint64_t, 2> told{};
            int status = 0;
            if (::read(end, told.data(), sizeof told) != sizeof told) ++violations;  // it crashed
            ::waitpid(child, &status, 0);
            done += told[0];
            violations += told[1];
        }
    }
    const double seconds = static_cast<double>(system_clock().steady_ms() - start + 1) / 1000;
    std::printf("%llu schedules from seed %llu in %.0f s, %.0f/s, %u job(s)\n",
                static_cast<unsigned long long>(done),
                static_cast<unsigned long long>(options.first), seconds,
                static_cast<double>(done) / seconds, options.jobs);
    const bool good = violations == 0 && done > 0;
    std::printf("%llu violations\n%d passed, %d failed\n",
                static_cast<unsigned long long>(violations), good ? 1 : 0, good ? 0 : 1);
    return good ? 0 : 1;
}

int run_until_found(const Options& options) {
    std::optional<Ground> ground;
    for (std::uint64_t i = 0; i < options.schedules && g_stop == 0; ++i) {
        if (i % kSchedulesAStore == 0) ground.emplace();
        const Verdict verdict = run_schedule(make_schedule(options.first + i), *ground, false);
        if (verdict.violation.empty()) continue;
        std::printf("found by schedule %llu, seed %llu: %s\n",
                    static_cast<unsigned long long>(i + 1),
                    static_cast<unsigned long long>(options.first + i), verdict.violation.c_str());
        return 0;
    }
    std::printf("not found in %llu schedules\n",
                static_cast<unsigned long long>(options.schedules));
    return 1;
}

std::optional<Options> parse(int argc, char** argv) {
    Options out;
    for (int i = 1; i < argc; ++i) {
        const std::string key = argv[i];
        if (key == "--trace") {
            out.trace = true;
            continue;
        }
        if (key == "--progress" || key == "--wanted") {
            (key == "--wanted" ? out.wanted : out.progress) = true;
            continue;
        }
        if (i + 1 == argc) return std::nullopt;
        const auto value = parse_int(argv[++i]);
        if (!value || *value < 0) return std::nullopt;
        const auto number = static_cast<std::uint64_t>(*value);
        if (key == "--seed" || key == "--first")
            out.first = number, out.single |= key == "--seed";
        else if (key == "--schedules")
            out.schedules = number;
        else if (key == "--seconds")
            out.seconds = *value;
        else if (key == "--jobs" && number >= 1 && number <= 64)
            out.jobs = static_cast<unsigned>(number);
        else
            return std::nullopt;
    }
    return out;
}

}  // namespace

int main(int argc, char** argv) {
    const auto options = parse(argc, argv);
    if (!options) {
        std::fprintf(
            stderr,
            "usage: sim [--schedules N] [--first SEED] [--jobs N] [--progress] [--seconds N]\n"
            "       sim --wanted [--schedules N] [--first SEED]\n"
            "       sim --seed SEED [--trace]\n");
        return 64;
    }
    // (Stores are files: they are to be taken away.)
    for (const int signal : {SIGINT, SIGTERM}) std::signal(signal, [](int) { g_stop = 1; });
    use_memory();
    vm::mime::initialise();
    if (options->wanted) return run_until_found(*options);
    return options->single ? run_single(*options) : run_all(*options);
}
