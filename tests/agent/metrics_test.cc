#include "agent/metrics.h"

#include "agent/metrics_text.h"

#include <cppunit/extensions/HelperMacros.h>

#include <csignal>
#include <functional>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

using namespace vm::agent;

// Runs `work` in a process of its own; its waitpid() status is looked at by await().
pid_t in_process(const std::function<void()>& work) {
    const pid_t child = ::fork();
    if (child == 0) {
        work();
        ::_exit(0);
    }
    return child;
}

int await(pid_t child) {
    int status = 0;
    CPPUNIT_ASSERT_EQUAL(child, ::waitpid(child, &status, 0));
    return status;
}

void finish(pid_t child) {
    CPPUNIT_ASSERT_EQUAL(0, await(child));
}

class MetricsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(MetricsTest);
    CPPUNIT_TEST(the_catalogue_is_in_order);
    CPPUNIT_TEST(what_is_counted_is_read);
    CPPUNIT_TEST(several_processes_count_the_same);
    CPPUNIT_TEST(several_threads_count_the_same);
    CPPUNIT_TEST(counters_survive_their_process);
    CPPUNIT_TEST(gauges_go_with_their_process);
    CPPUNIT_TEST(processes_are_merged_as_the_catalogue_says);
    CPPUNIT_TEST(a_full_table_drops_new_series_and_says_so);
    CPPUNIT_TEST(a_death_in_a_claim_costs_a_slot);
    CPPUNIT_TEST(labels_that_do_not_fit_are_dropped);
    CPPUNIT_TEST(a_gauge_for_as_long_as_something_lives);
    CPPUNIT_TEST(no_table);
    CPPUNIT_TEST(the_text_of_all_that_was_counted);
    CPPUNIT_TEST(a_histogram_is_cumulative);
    CPPUNIT_TEST(labels_are_escaped);
    CPPUNIT_TEST_SUITE_END();

    static std::int64_t value(const MetricsTable& table, Metric metric,
                              const LabelValues& labels = {}) {
        const MetricValues values = table.read();
        const auto found = values.find(metric);
        if (found == values.end() || !found->second.contains(labels)) return -1;
        return found->second.at(labels);
    }

    void the_catalogue_is_in_order() {
        for (std::size_t i = 0; i < metric_catalogue().size(); ++i)
            CPPUNIT_ASSERT_EQUAL(i, static_cast<std::size_t>(metric_catalogue()[i].metric));
        CPPUNIT_ASSERT_EQUAL(static_cast<std::size_t>(Metric::kDropped) + 1,
                             metric_catalogue().size());
    }

    void what_is_counted_is_read() {
        MetricsTable table;
        Metrics metrics(&table);
        metrics.add(Metric::kDeliveries, {"a:25", "sent"});
        metrics.add(Metric::kDeliveries, {"a:25", "sent"}, 4);
        metrics.add(Metric::kDeliveries, {"a:25", "failed"});
        metrics.add(Metric::kDeliveries, {"a:25", "sent"}, -3);  // a counter does not go back
        metrics.set(Metric::kMailboxes, {"ok"}, 7);
        metrics.set(Metric::kMailboxes, {"ok"}, 6);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{5}, value(table, Metric::kDeliveries, {"a:25", "sent"}));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1},
                             value(table, Metric::kDeliveries, {"a:25", "failed"}));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{6}, value(table, Metric::kMailboxes, {"ok"}));
        // Another of the same process goes on with the same series.
        Metrics again(&table);
        again.add(Metric::kDeliveries, {"a:25", "sent"});
        CPPUNIT_ASSERT_EQUAL(std::int64_t{6}, value(table, Metric::kDeliveries, {"a:25", "sent"}));
    }

    // Each claims every series, in another order, while the others do.
    void several_processes_count_the_same() {
        MetricsTable table;
        constexpr int kProcesses = 6, kSeries = 60, kTimes = 50;
        std::vector<pid_t> children;
        for (int process = 0; process < kProcesses; ++process)
            children.push_back(in_process([&] {
                Metrics metrics(&table);
                for (int i = 0; i < kSeries * kTimes; ++i) {
                    const int series = (i * (process * 2 + 1)) % kSeries;
                    metrics.add(Metric::kRoundTrips, {std::to_string(series), "smtp"});
                }
                for (int i = 0; i < kSeries; ++i)
                    metrics.add(Metric::kConnections, {std::to_string(i), "smtp"});
            }));
        for (const pid_t child : children) finish(child);
        std::int64_t trips = 0;
        for (int i = 0; i < kSeries; ++i) {
            const std::string server = std::to_string(i);
            trips += std::max<std::int64_t>(value(table, Metric::kRoundTrips, {server, "smtp"}), 0);
            CPPUNIT_ASSERT_EQUAL(std::int64_t{kProcesses},
                                 value(table, Metric::kConnections, {server, "smtp"}));
        }
        CPPUNIT_ASSERT_EQUAL(std::int64_t{kProcesses * kSeries * kTimes}, trips);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, value(table, Metric::kDropped));
    }

    void several_threads_count_the_same() {
        MetricsTable table;
        Metrics metrics(&table);
        std::vector<std::thread> threads;
        for (int i = 0; i < 8; ++i)
            threads.emplace_back([&] {
                for (int n = 0; n < 2000; ++n)
                    metrics.add(Metric::kPasses, {std::to_string(n % 7), "complete"});
            });
        for (std::thread& thread : threads) thread.join();
        std::int64_t passes = 0;
        for (int i = 0; i < 7; ++i)
            passes += value(table, Metric::kPasses, {std::to_string(i), "complete"});
        CPPUNIT_ASSERT_EQUAL(std::int64_t{16000}, passes);
    }

    void counters_survive_their_process() {
        MetricsTable table;
        for (int i = 1; i <= 3; ++i) {
            const pid_t child = in_process([&] {
                Metrics metrics(&table);
                metrics.add(Metric::kChanges, {"phone"}, 2);
                std::raise(SIGKILL);
            });
            CPPUNIT_ASSERT(WIFSIGNALED(await(child)));
            table.ended(child);
            CPPUNIT_ASSERT_EQUAL(std::int64_t{2 * i}, value(table, Metric::kChanges, {"phone"}));
        }
    }

    void gauges_go_with_their_process() {
        MetricsTable table;
        Metrics other(&table);
        other.set(Metric::kMailboxes, {"ok"}, 10);
        const auto worker = [&](std::int64_t mailboxes) {
            const pid_t child = in_process([&] {
                Metrics metrics(&table);
                metrics.set(Metric::kMailboxes, {"ok"}, mailboxes);
                metrics.add(Metric::kTurnsRunning, {}, 3);
                std::raise(SIGKILL);
            });
            CPPUNIT_ASSERT(WIFSIGNALED(await(child)));
            return child;
        };
        const pid_t first = worker(5);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{15}, value(table, Metric::kMailboxes, {"ok"}));
        table.ended(first);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{10}, value(table, Metric::kMailboxes, {"ok"}));
        const pid_t second = worker(4);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{14}, value(table, Metric::kMailboxes, {"ok"}));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{3}, value(table, Metric::kTurnsRunning));
        table.ended(second);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{10}, value(table, Metric::kMailboxes, {"ok"}));
    }

    void processes_are_merged_as_the_catalogue_says() {
        MetricsTable table;
        for (const std::int64_t time : {3000, 0, 2000, 9000})
            finish(in_process([&] {
                Metrics metrics(&table);
                metrics.set(Metric::kServerDownUntil, {"a"}, time);
                metrics.set(Metric::kOldestQueued, {}, time);
                metrics.set(Metric::kIdleConnections, {"a"}, time);
            }));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{9000}, value(table, Metric::kServerDownUntil, {"a"}));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{2000}, value(table, Metric::kOldestQueued));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{14000}, value(table, Metric::kIdleConnections, {"a"}));
    }

    void a_full_table_drops_new_series_and_says_so() {
        MetricsTable table(4);
        Metrics metrics(&table);
        for (int round = 0; round < 3; ++round)
            for (int i = 0; i < 6; ++i)
                metrics.add(Metric::kDeliveries, {std::to_string(i), "sent"});
        for (int i = 0; i < 6; ++i)
            CPPUNIT_ASSERT_EQUAL(std::int64_t{i < 4 ? 3 : -1},
                                 value(table, Metric::kDeliveries, {std::to_string(i), "sent"}));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{2}, value(table, Metric::kDropped));
    }

    void a_death_in_a_claim_costs_a_slot() {
        MetricsTable table(2);
        table.claimed = [] { std::raise(SIGKILL); };
        CPPUNIT_ASSERT(WIFSIGNALED(await(in_process([&] {
            Metrics(&table).add(Metric::kDeliveries, {"a", "sent"});
        }))));
        table.claimed = nullptr;
        Metrics metrics(&table);
        metrics.add(Metric::kDeliveries, {"a", "sent"});
        metrics.add(Metric::kDeliveries, {"b", "sent"});
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, value(table, Metric::kDeliveries, {"a", "sent"}));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{-1}, value(table, Metric::kDeliveries, {"b", "sent"}));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, value(table, Metric::kDropped));
    }

    void labels_that_do_not_fit_are_dropped() {
        MetricsTable table;
        Metrics metrics(&table);
        const std::string longest = std::string(253, 'x') + ":65535";
        metrics.add(Metric::kDeliveries, {longest, "switched_off"});
        metrics.add(Metric::kDeliveries, {std::string(300, 'x'), "sent"});
        metrics.add(Metric::kDeliveries, {std::string("a\0b", 3), "sent"});
        metrics.add(Metric::kDeliveries, {"one"});
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1},
                             value(table, Metric::kDeliveries, {longest, "switched_off"}));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, table.read().at(Metric::kDeliveries).size());
        CPPUNIT_ASSERT_EQUAL(std::int64_t{3}, value(table, Metric::kDropped));
        // In the table, but nothing that Prometheus would take.
        metrics.add(Metric::kDeliveries, {"\xff", "sent"});
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, table.read().at(Metric::kDeliveries).size());
    }

    void a_gauge_for_as_long_as_something_lives() {
        MetricsTable table;
        Metrics metrics(&table);
        {
            const CountedIn one(&metrics, Metric::kIdleConnections, {"a"});
            const CountedIn other(&metrics, Metric::kIdleConnections, {"a"});
            CPPUNIT_ASSERT_EQUAL(std::int64_t{2}, value(table, Metric::kIdleConnections, {"a"}));
        }
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, value(table, Metric::kIdleConnections, {"a"}));
    }

    void no_table() {
        Metrics metrics(nullptr);
        metrics.add(Metric::kDeliveries, {"a", "sent"});
        metrics.observe(Metric::kLinkLatency, 1);
        const CountedIn nowhere(nullptr, Metric::kTurnsRunning);
    }

    // ---- the text -------------------------------------------------------------------------------

    static void contains(const std::string& text, const std::string& line) {
        CPPUNIT_ASSERT_MESSAGE(line + " in\n" + text,
                               ("\n" + text).find("\n" + line + "\n") != std::string::npos);
    }

    void the_text_of_all_that_was_counted() {
        MetricsTable table;
        Metrics metrics(&table);
        metrics.add(Metric::kDeliveries, {"a:25", "sent"}, 12);
        metrics.set(Metric::kOldestQueued, {}, 1'800'000'000'000);
        metrics.set(Metric::kServerDownUntil, {"a:25"}, 1'800'000'012'340);
        const std::string text = metrics_text(table.read(), 1'800'000'061'500);
        contains(text, "# TYPE vmemail_deliveries_total counter");
        contains(text, "vmemail_deliveries_total{server=\"a:25\",outcome=\"sent\"} 12");
        contains(text, "vmemail_queue_oldest_age_seconds 61.5");
        contains(text,
                 "vmemail_server_down_until_timestamp_seconds{server=\"a:25\"} 1800000012.34");
        contains(text, "vmemail_worker_deaths_total 0");
        contains(text, "vmemail_metrics_dropped_total 0");
        for (const MetricInfo& info : metric_catalogue())
            contains(text, std::string("# HELP ") + info.name + " " + info.help);
        CPPUNIT_ASSERT(text.ends_with('\n'));
        // A clock that was set back makes nothing negative; without one that waits there is no age.
        contains(metrics_text(table.read(), 1), "vmemail_queue_oldest_age_seconds 0");
        metrics.set(Metric::kOldestQueued, {}, 0);
        contains(metrics_text(table.read(), 1'800'000'061'500),
                 "vmemail_queue_oldest_age_seconds 0");
    }

    void a_histogram_is_cumulative() {
        MetricsTable table;
        Metrics metrics(&table);
        for (const std::int64_t ms : {0, 100, 101, 1000, 3'600'001, 99'999'999, -5})
            metrics.observe(Metric::kLinkLatency, ms);
        const std::string text = metrics_text(table.read(), 1);
        const std::string name = "vmemail_link_latency_seconds";
        contains(text, "# TYPE " + name + " histogram");
        contains(text, name + "_bucket{le=\"0.1\"} 3");
        contains(text, name + "_bucket{le=\"0.25\"} 4");
        contains(text, name + "_bucket{le=\"1\"} 5");
        contains(text, name + "_bucket{le=\"3600\"} 5");
        contains(text, name + "_bucket{le=\"+Inf\"} 7");
        contains(text, name + "_count 7");
        contains(text, name + "_sum 103601.201");
        // One that nothing was put into is there, too.
        contains(metrics_text({}, 1), name + "_bucket{le=\"+Inf\"} 0");
    }

    void labels_are_escaped() {
        CPPUNIT_ASSERT_EQUAL(std::string(R"(a\\b\"c\nd)"), escaped_label("a\\b\"c\nd"));
        MetricsTable table;
        Metrics metrics(&table);
        metrics.set(Metric::kIdleConnections, {"a\\b\"c\nd{},é"}, 1);
        contains(metrics_text(table.read(), 1),
                 R"(vmemail_idle_connections{server="a\\b\"c\nd{},é"} 1)");
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(MetricsTest);

}  // namespace
