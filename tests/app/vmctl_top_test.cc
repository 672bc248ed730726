#include "agent/metrics_text.h"
#include "app/metrics_reading.h"
#include "app/top_picture.h"
#include "base/text.h"
#include "vmctl_rig.h"

#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>
#include <string>
#include <vector>

namespace {

using namespace vm;
using namespace vm::app;

constexpr TimeMs kNow = 1'800'000'000'000;

class VmctlTopTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(VmctlTopTest);
    CPPUNIT_TEST(what_the_agent_says_is_read);
    CPPUNIT_TEST(lines_that_are_no_samples_are_left_out);
    CPPUNIT_TEST(the_picture_has_the_figures);
    CPPUNIT_TEST(a_start_that_goes_on_is_shown);
    CPPUNIT_TEST(rates_are_of_the_time_between);
    CPPUNIT_TEST(it_fits_the_screen);
    CPPUNIT_TEST(foreign_words_do_no_harm);
    CPPUNIT_TEST(trouble_is_shown_instead);
    CPPUNIT_TEST(without_an_agent_the_commands_say_so);
    CPPUNIT_TEST(the_metrics_are_listed);
    CPPUNIT_TEST_SUITE_END();

    // What an agent says with these values.
    static MetricsReading reading(const agent::MetricValues& values) {
        return MetricsReading(agent::metrics_text(values, kNow));
    }
    static std::string drawn(const TopView& view) {
        std::string out;
        for (const std::string& line : top_picture(view)) out += line + "\n";
        return out;
    }
    static void contains(const std::string& text, const std::string& words) {
        CPPUNIT_ASSERT_MESSAGE(words + " in\n" + text, text.find(words) != std::string::npos);
    }
    static std::size_t width(const std::string& line) {
        return static_cast<std::size_t>(std::count_if(line.begin(), line.end(), [](char c) {
            return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
        }));
    }

    void what_the_agent_says_is_read() {
        using agent::Metric;
        const MetricsReading read =
            reading({{Metric::kDeliveries,
                      {{{"a\\b\"c\nd,}", "sent"}, 3}, {{"b", "sent"}, 4}, {{"b", "failed"}, 9}}},
                     {Metric::kOldestQueued, {{{}, kNow - 1500}}}});
        const std::string name = "vmemail_deliveries_total";
        CPPUNIT_ASSERT_EQUAL(16.0, read.sum(name));
        CPPUNIT_ASSERT_EQUAL(7.0, read.sum(name, {{"outcome", "sent"}}));
        CPPUNIT_ASSERT_EQUAL(3.0, read.sum(name, {{"server", "a\\b\"c\nd,}"}}));
        CPPUNIT_ASSERT_EQUAL(0.0, read.sum(name, {{"server", "c"}}));
        CPPUNIT_ASSERT(read.has(name, {{"server", "b"}}) && !read.has(name, {{"server", "c"}}));
        CPPUNIT_ASSERT_EQUAL(1.5, read.sum("vmemail_queue_oldest_age_seconds"));
        CPPUNIT_ASSERT((read.values_of("server") == std::set<std::string>{"a\\b\"c\nd,}", "b"}));
    }

    void lines_that_are_no_samples_are_left_out() {
        const MetricsReading read(
            "# HELP a b\nx{ 1\nx{y=\"1 2\nx{y=\"\\\nx word\nx\n\nx{y=\"1\"} 5\nz 2 "
            "1395066363000\n");
        CPPUNIT_ASSERT_EQUAL(5.0, read.sum("x"));
        CPPUNIT_ASSERT_EQUAL(2.0, read.sum("z"));
    }

    static TopView some_view(int servers = 2, int troubled = 1) {
        using agent::Metric;
        agent::MetricValues before, now;
        before[Metric::kDeliveries][{"smtp0:587", "sent"}] = 100;
        now[Metric::kDeliveries][{"smtp0:587", "sent"}] = 104;
        before[Metric::kRoundTrips][{"imap:993", "imap"}] = 10;
        now[Metric::kRoundTrips][{"imap:993", "imap"}] = 30;
        now[Metric::kBytesSent][{"imap:993", "imap"}] = 100;
        now[Metric::kBytesReceived][{"imap:993", "imap"}] = 4700;
        now[Metric::kIdleConnections][{"imap:993"}] = 998;
        now[Metric::kMailboxes][{"ok"}] = 996;
        now[Metric::kMailboxes][{"error"}] = troubled;
        for (int i = 0; i < servers; ++i) {
            now[Metric::kQueue][{"smtp" + std::to_string(i) + ":587", "deferred"}] = i;
            now[Metric::kQueue][{"smtp" + std::to_string(i) + ":587", "queued"}] = 2;
        }
        now[Metric::kServerDownUntil][{"smtp1:587"}] = kNow + 20'000;
        now[Metric::kServerDownUntil][{"smtp0:587"}] = kNow - 20'000;
        now[Metric::kOldestQueued][{}] = kNow - 3'725'000;
        now[Metric::kStartTime][{}] = kNow - 90'000'000;
        TopView view{reading(before), reading(now), 2.0, kNow, "", {}, 0, 0};
        view.statuses.push_back({"100", "ok", ""});
        for (int i = 0; i < troubled; ++i)
            view.statuses.push_back({std::to_string(101 + i), i % 2 == 0 ? "error" : "hold",
                                     "sync with imap:993: " + std::string(200, 'w')});
        return view;
    }

    void the_picture_has_the_figures() {
        const std::string picture = drawn(some_view());
        contains(picture, "2027-01-15 08:00:00Z, up 1d 01:00");
        contains(picture, "996 ok, 0 hold, 1 error, 0 off; 0 in quarantine");
        contains(picture, "4 queued, 0 sending, 1 deferred, 0 uncertain, 0 failed; oldest 1:02:05");
        contains(picture, "998 idle connections");
        contains(picture, "101      error  sync with imap:993: www");
        CPPUNIT_ASSERT(picture.find("\n100 ") == std::string::npos);
        // The one that is down is the first.
        CPPUNIT_ASSERT(picture.find("smtp1:587") < picture.find("smtp0:587"));
        contains(picture, "08:00:20Z");
        contains(drawn(some_view(2, 0)), "No mailbox is in trouble.");
    }

    void a_start_that_goes_on_is_shown() {
        TopView view = some_view();
        const std::string words = "looked at since the start";
        CPPUNIT_ASSERT(drawn(view).find(words) == std::string::npos);
        for (const int looked_at : {0, 312, 1000}) {
            agent::MetricValues values;
            values[agent::Metric::kAccounts][{}] = 1000;
            values[agent::Metric::kAccountsLookedAt][{}] = looked_at;
            view.now = reading(values);
            if (looked_at < 1000)
                contains(drawn(view),
                         "\nAccounts   " + std::to_string(looked_at) + " of 1000 " + words + "\n");
            else
                CPPUNIT_ASSERT(drawn(view).find(words) == std::string::npos);
        }
    }

    void rates_are_of_the_time_between() {
        std::vector<std::string> lines = top_picture(some_view());
        const auto row = [&](const std::string& server) {
            for (const std::string& line : lines)
                if (line.starts_with(server)) {
                    std::vector<std::string> cells;
                    for (const std::string& cell : split(line, ' '))
                        if (!cell.empty()) cells.push_back(cell);
                    return join(cells, " ");
                }
            return std::string("no row");
        };
        CPPUNIT_ASSERT_EQUAL(std::string("smtp0:587 2.0 2 0 0 0 - -"), row("smtp0:587"));
        CPPUNIT_ASSERT_EQUAL(std::string("imap:993 - - - 10 2.4k 998 -"), row("imap:993"));
        // Counters that went back are another agent's.
        TopView view = some_view();
        std::swap(view.before, view.now);
        lines = top_picture(view);
        CPPUNIT_ASSERT_EQUAL(std::string("imap:993 - - - 0 0 - -"), row("imap:993"));
    }

    void it_fits_the_screen() {
        for (const auto& [width_of, height_of] :
             {std::pair<std::size_t, std::size_t>{80, 24}, {80, 10}, {132, 50}, {20, 5}, {1, 1}})
            for (const int servers : {0, 1, 3, 40})
                for (const int troubled : {0, 1, 5, 60}) {
                    TopView view = some_view(servers, troubled);
                    view.width = width_of;
                    view.height = height_of;
                    const auto lines = top_picture(view);
                    CPPUNIT_ASSERT(lines.size() <= height_of);
                    for (const std::string& line : lines) CPPUNIT_ASSERT(width(line) <= width_of);
                }
        TopView view = some_view(40, 60);
        view.width = 80;
        view.height = 24;
        const std::string picture = drawn(view);
        contains(picture, "servers more");
        contains(picture, "`vmctl status` shows all");
        contains(picture, "\n101      error");
        // A long name leaves the figures on the screen.
        agent::MetricValues values;
        const std::string name(253, 'x');
        values[agent::Metric::kServerDownUntil][{name}] = kNow + 1000;
        view.now = reading(values);
        contains(drawn(view), "08:00:01Z\n");
    }

    void foreign_words_do_no_harm() {
        TopView view = some_view();
        view.statuses = {{"101", "error", "a\x1b[2J\nb \xe2\x80\xae x"}};
        agent::MetricValues values;
        values[agent::Metric::kIdleConnections][{"h\x1b]0;x\x07\n"}] = 1;
        view.now = reading(values);
        for (const std::string& line : top_picture(view))
            CPPUNIT_ASSERT(line.find('\x1b') == std::string::npos &&
                           line.find('\n') == std::string::npos &&
                           line.find("\xe2\x80\xae") == std::string::npos);
    }

    void trouble_is_shown_instead() {
        TopView view = some_view();
        view.problem = "read metrics: /r: no agent runs";
        const std::string picture = drawn(view);
        contains(picture, "\nread metrics: /r: no agent runs\n");
        CPPUNIT_ASSERT(picture.find("SERVER") == std::string::npos);
        contains(picture, "101      error");
    }

    void without_an_agent_the_commands_say_so() {
        const VmctlRig rig;
        rig.bad(69, "no agent runs on this root", {"metrics"});
        rig.bad(69, "no agent runs on this root", {"top"});
        rig.bad(69, "no agent runs on this root", {"top", "--once"});
        rig.bad(64, "--json", {"metrics", "--json"});
    }

    void the_metrics_are_listed() {
        const VmctlRig rig;
        const std::string listed = rig.good({"metrics", "--list"}).out;
        for (const agent::MetricInfo& info : agent::metric_catalogue()) {
            contains(listed, std::string("\n") + info.name + " ");
            contains(listed, info.help);
        }
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(VmctlTopTest);

}  // namespace
