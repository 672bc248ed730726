#include "app/top_picture.h"

#include "app/output.h"
#include "app/vmctl_output.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>
#include <tuple>

namespace vm::app {

namespace {

using Labels = MetricsReading::Labels;

// "1.2", "12", "1.2k", "34M": four characters as a rule.
std::string short_number(double value) {
    const char* unit = "";
    for (const char* larger : {"k", "M", "G", "T"}) {
        if (value < 999.5) break;
        value /= 1000;
        unit = larger;
    }
    if (value > 0 && value < 0.05 && *unit == '\0') return "0.0";
    const bool whole = value >= 9.95 || value == 0;
    return fmt::format("{:.{}f}{}", value, whole ? 0 : 1, unit);
}

// The same of what is counted: "7", "1.2k".
std::string short_count(double value) {
    return value < 999.5 ? fmt::format("{:.0f}", value) : short_number(value);
}

// "0:12", "1:02:03", "3d 04:05"
std::string span(double seconds) {
    const auto all = static_cast<long long>(std::max(seconds, 0.0));
    if (all >= 86400)
        return fmt::format("{}d {:02}:{:02}", all / 86400, all / 3600 % 24, all / 60 % 60);
    if (all >= 3600) return fmt::format("{}:{:02}:{:02}", all / 3600, all / 60 % 60, all % 60);
    return fmt::format("{}:{:02}", all / 60, all % 60);
}

// The first `count` characters of `text`, UTF-8; 0: all.
std::string clipped(const std::string& text, std::size_t count) {
    if (count == 0) return text;
    std::size_t characters = 0, bytes = 0;
    for (; bytes < text.size(); ++bytes) {
        const bool begins = (static_cast<unsigned char>(text[bytes]) & 0xC0) != 0x80;
        if (begins && ++characters > count) break;
    }
    return text.substr(0, bytes);
}

class Picture {
  public:
    explicit Picture(const TopView& view) : view_(view) {}

    std::vector<std::string> draw() {
        head();
        if (view_.problem.empty()) {
            figures();
            servers();
        } else {
            lines_.push_back(shown(view_.problem));
        }
        mailboxes();
        if (view_.height > 0 && lines_.size() > view_.height) lines_.resize(view_.height);
        for (std::string& line : lines_) line = clipped(line, view_.width);
        return std::move(lines_);
    }

  private:
    double now(const std::string& name, const Labels& labels = {}) const {
        return view_.now.sum(name, labels);
    }
    // (An agent that was started again counts from 0.)
    double rate(const std::string& name, const Labels& labels = {}) const {
        const double change = now(name, labels) - view_.before.sum(name, labels);
        return view_.seconds > 0 ? std::max(change, 0.0) / view_.seconds : 0;
    }
    std::string count(const std::string& name, const Labels& labels = {}) const {
        return fmt::format("{:.0f}", now(name, labels));
    }

    void head() {
        std::string line = "vmemail, " + short_time(view_.time);
        const double started = now("vmemail_start_time_seconds");
        if (started > 0) line += ", up " + span(static_cast<double>(view_.time) / 1000 - started);
        lines_.push_back(line);
    }

    void figures() {
        const auto state = [&](const char* name) {
            return count("vmemail_mailboxes", {{"state", name}});
        };
        lines_.push_back(fmt::format(
            "Mailboxes  {} ok, {} hold, {} error, {} off; {} in quarantine", state("ok"),
            state("hold"), state("error"), state("off"), count("vmemail_quarantined_mailboxes")));
        // (While it starts.)
        if (now("vmemail_sync_accounts_looked_at") < now("vmemail_sync_accounts"))
            lines_.push_back(fmt::format("Accounts   {} of {} looked at since the start",
                                         count("vmemail_sync_accounts_looked_at"),
                                         count("vmemail_sync_accounts")));
        const auto queue = [&](const char* name) {
            return count("vmemail_queue_deliveries", {{"state", name}});
        };
        lines_.push_back(fmt::format(
            "Queue      {} queued, {} sending, {} deferred, {} uncertain, {} failed; oldest {}",
            queue("queued"), queue("sending"), queue("deferred"), queue("uncertain"),
            queue("failed"), span(now("vmemail_queue_oldest_age_seconds"))));
        lines_.push_back(fmt::format(
            "Now        {} mailboxes sending, {} looks at accounts, {} idle connections",
            count("vmemail_push_turns_running"), count("vmemail_sync_passes_running"),
            count("vmemail_idle_connections")));
        lines_.push_back(
            fmt::format("Per second {} sent, {} looks, {} changes; workers that died {}",
                        short_number(rate("vmemail_deliveries_total", {{"outcome", "sent"}})),
                        short_number(rate("vmemail_sync_passes_total")),
                        short_number(rate("vmemail_sync_changes_total")),
                        count("vmemail_worker_deaths_total")));
    }

    struct Server {
        std::string name;
        bool is_down;
        double waiting, trips;
        std::vector<std::string> cells;
    };

    Server server(const std::string& name) const {
        const Labels labels{{"server", name}};
        const auto with = [&](const char* label, const char* value) {
            Labels all = labels;
            all[label] = value;
            return all;
        };
        const bool pushes = view_.now.has("vmemail_deliveries_total", labels) ||
                            view_.now.has("vmemail_queue_deliveries", labels);
        const double queued = now("vmemail_queue_deliveries", with("state", "queued"));
        const double deferred = now("vmemail_queue_deliveries", with("state", "deferred"));
        const double trips = rate("vmemail_round_trips_total", labels);
        const double until = now("vmemail_server_down_until_timestamp_seconds", labels) * 1000;
        const bool is_down = until > static_cast<double>(view_.time);
        const auto pushed = [&](std::string text) { return pushes ? std::move(text) : "-"; };
        return {name,
                is_down,
                queued + deferred,
                trips,
                {name.empty() ? "(none)" : name,
                 pushed(short_number(rate("vmemail_deliveries_total", with("outcome", "sent")))),
                 pushed(short_count(queued)), pushed(short_count(deferred)), short_number(trips),
                 short_number(rate("vmemail_sent_bytes_total", labels) +
                              rate("vmemail_received_bytes_total", labels)),
                 view_.now.has("vmemail_idle_connections", labels)
                     ? short_count(now("vmemail_idle_connections", labels))
                     : "-",
                 is_down ? short_time(static_cast<TimeMs>(until)).substr(11) : "-"}};
    }

    // Those that are down first, then by what waits for them and what they do.
    void servers() {
        std::vector<Server> all;
        for (const std::string& name : view_.now.values_of("server")) all.push_back(server(name));
        std::stable_sort(all.begin(), all.end(), [](const Server& a, const Server& b) {
            return std::tuple(a.is_down, a.waiting, a.trips) >
                   std::tuple(b.is_down, b.waiting, b.trips);
        });
        // The mailboxes in trouble shall be seen, too.
        const std::size_t left = view_.height > lines_.size() ? view_.height - lines_.size() : 0;
        const std::size_t most =
            view_.height == 0 ? all.size() : std::max<std::size_t>(left / 2, 4) - 2;
        Table table(
            {"SERVER", "SENT/S", "QUEUED", "DEFER", "TRIPS/S", "BYTES/S", "IDLE", "DOWN TILL"});
        for (std::size_t i = 0; i < std::min(most, all.size()); ++i) {
            // A long name must not push the figures off the screen.
            if (view_.width > 0)
                all[i].cells[0] =
                    clipped(all[i].cells[0], std::max<std::size_t>(view_.width, 70) - 58);
            table.add(std::move(all[i].cells));
        }
        lines_.emplace_back();
        add(table);
        if (all.size() > most)
            lines_.push_back(fmt::format("and {} servers more", all.size() - most));
    }

    void mailboxes() {
        Table table({"MAILBOX", "STATE", "REASON"});
        std::size_t troubled = 0;
        for (const store::MailboxStatus& status : view_.statuses) {
            if (status.state != "error" && status.state != "hold") continue;
            table.add({status.mailbox, status.state, status.reason});
            ++troubled;
        }
        lines_.emplace_back();
        if (troubled == 0) {
            lines_.emplace_back("No mailbox is in trouble.");
            return;
        }
        add(table);
        if (view_.height == 0 || lines_.size() <= view_.height) return;
        const std::size_t hidden = lines_.size() - view_.height + 1;
        lines_.resize(view_.height - 1);
        lines_.push_back(fmt::format("and {} more; `vmctl status` shows all", hidden));
    }

    void add(const Table& table) {
        std::ostringstream text;
        table.print(text);
        std::istringstream lines(text.str());
        for (std::string line; std::getline(lines, line);) lines_.push_back(line);
    }

    const TopView& view_;
    std::vector<std::string> lines_;
};

}  // namespace

std::vector<std::string> top_picture(const TopView& view) {
    return Picture(view).draw();
}

}  // namespace vm::app
