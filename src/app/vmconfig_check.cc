#include "app/vmconfig_check.h"

#include "agent/master.h"
#include "app/mailbox_check.h"
#include "app/output.h"

#include <fmt/format.h>

#include <iostream>
#include <memory>

namespace vm::app {

namespace {

// One line a step, as it ends; what is wrong at the end.
class Printer {
  public:
    void add(const CheckedStep& step) {
        const diagnose::Finding& found = step.finding;
        std::string server = step.server;
        if (!server.empty()) server += std::string(" (") + diagnose::name_of(found.protocol) + ")";
        const bool new_server = !server.empty() && server != server_;
        if (new_server) server_ = std::move(server);
        const char* state = step.advice ? "FAILED" : found.note.empty() ? "ok" : "note";
        std::cout << fmt::format("{}{:<16} {:<7}{}", new_server ? shown(server_) + "\n  " : "  ",
                                 diagnose::name_of(found.step), state, shown(found.words));
        if (found.ms > 0) std::cout << "  (" << found.ms << " ms)";
        std::cout << '\n';
        if (!step.advice && !found.note.empty())
            std::cout << fmt::format("{:26}{}\n", "", shown(found.note));
        if (step.advice) failed_.push_back(*step.advice);
        std::cout << std::flush;
    }

    // nullptr: it did not come to its end.
    void finish(const std::string& number, const CheckSummary* summary) {
        if (summary != nullptr) std::cout << '\n';
        for (const diagnose::Advice& advice : failed_)
            std::cout << shown(advice.wrong) << '\n' << "    " << shown(advice.change) << '\n';
        if (failed_.empty() && summary != nullptr)
            std::cout << "mailbox " << number << " works: " << shown(summary->works) << ".\n";
    }

  private:
    std::string server_;
    std::vector<diagnose::Advice> failed_;
};

Json json_of(const CheckedStep& step) {
    const diagnose::Finding& found = step.finding;
    const bool options = step.server.empty();
    return {{"server", options ? Json() : Json(step.server)},
            {"protocol", options ? Json() : Json(diagnose::name_of(found.protocol))},
            {"step", diagnose::id_of(found.step)},
            {"ok", !step.advice},
            {"text", step.advice ? step.advice->wrong : found.words},
            {"hint", step.advice ? step.advice->change : found.note},
            {"ms", found.ms}};
}

// Whatever happens: what was found so far is printed.
Result<CheckSummary> whole_check(const Paths& paths, const CheckWish& wish,
                                 const std::function<void(const CheckedStep&)>& tell) {
    try {
        return check_mailbox(paths, wish, tell);
    } catch (const std::exception& problem) {
        return fail(ErrorKind::kUnavailable, "check", "mailbox " + wish.number,
                    std::string("internal error: ") + problem.what());
    }
}

int check(const Paths& paths, const CheckWish& wish, bool as_json) {
    Printer printer;
    Json steps = Json::array();
    const auto summary = whole_check(paths, wish, [&](const CheckedStep& step) {
        if (as_json)
            steps.push_back(json_of(step));
        else
            printer.add(step);
    });
    if (as_json && (summary || !steps.empty()))
        print_json(std::cout, steps);
    else if (!as_json)
        printer.finish(wish.number, summary ? &*summary : nullptr);
    std::cout << std::flush;
    if (summary) return summary->status;
    std::cerr << "vmconfig: " << summary.error().text() << '\n';
    return exit_status(summary.error().kind);
}

}  // namespace

void add_check_command(CLI::App& program, VmconfigRequest& request, int& status) {
    const auto wish = std::make_shared<CheckWish>();
    const auto seconds = std::make_shared<int>(10);
    const auto as_json = std::make_shared<bool>(false);
    CLI::App* command = program.get_subcommand("mailbox")->add_subcommand(
        "check", "Test the mailbox's servers step by step, and say what to change");
    command->add_option("NNN", wish->number, "The mailbox number, 1 to 8 digits")->required();
    command->add_flag("--send", wish->send, "Send a small test mail to Email Name");
    command->add_option("--timeout", *seconds, "Longest wait for one step (default: 10)")
        ->type_name("SECONDS")
        ->check(CLI::Range(1, 600));
    command->add_flag("--json", *as_json, "Print JSON, an object a step");
    command->callback([&request, &status, wish, seconds, as_json] {
        wish->timeout = std::chrono::seconds(*seconds);
        request.run = [&status, wish, as_json](const Paths& paths) -> Result<> {
            VM_ASSIGN(status, agent::run_in_child([&] { return check(paths, *wish, *as_json); }));
            return {};
        };
    });
}

}  // namespace vm::app
