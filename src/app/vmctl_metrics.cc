// vmctl metrics: what the running agent counts, in Prometheus' text format.
#include "agent/metric_catalogue.h"
#include "agent/metrics_socket.h"
#include "app/output.h"
#include "app/vmctl_commands.h"
#include "base/text.h"

#include <iostream>
#include <memory>

namespace vm::app {

namespace {

void list_metrics() {
    Table table({"NAME", "TYPE", "LABELS", "MEANING"});
    for (const agent::MetricInfo& info : agent::metric_catalogue())
        table.add({info.name, to_string(info.type),
                   info.labels.empty() ? "-" : join(info.labels, ","), info.help});
    table.print(std::cout);
}

Result<> metrics(const Paths& paths, bool list) {
    if (list) {
        list_metrics();
        return {};
    }
    VM_ASSIGN(const std::string text, agent::fetch_metrics(paths));
    std::cout << text;
    return {};
}

}  // namespace

void add_metrics_command(CLI::App& program, VmctlContext& context) {
    const auto list = std::make_shared<bool>(false);
    CLI::App* sub = context.command(
        program, "metrics", "Print what the running agent counts, in Prometheus' text format",
        "vmctl metrics | grep vmemail_deliveries_total",
        [list](const Paths& paths) { return metrics(paths, *list); });
    sub->remove_option(sub->get_option("--json"));
    sub->add_flag("--list", *list, "List the metrics there are, with what they mean");
}

}  // namespace vm::app
