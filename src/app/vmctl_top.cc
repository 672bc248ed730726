// vmctl top: what the running agent does, as it does it.
#include "agent/metrics_socket.h"
#include "app/full_screen.h"
#include "app/top_picture.h"
#include "app/vmctl_commands.h"
#include "base/clock.h"
#include "store/store.h"

#include <iostream>
#include <memory>
#include <poll.h>
#include <utility>

namespace vm::app {

namespace {

constexpr int kPeriodMs = 1000;

class Top {
  public:
    Top(const Paths& paths, store::Store& store) : paths_(paths), store_(store) {}

    // Reads what there is now; the picture is of the time since the last call. What cannot be read
    // is the picture's, too.
    Result<> look() {
        const bool first = !view_.problem.empty() || read_ == 0;
        view_.time = system_clock().now();
        auto done = read();
        view_.problem = done ? std::string() : done.error().text();
        if (first) view_.before = view_.now;
        return done;
    }
    std::vector<std::string> picture(FullScreen::Size size) {
        view_.width = size.width;
        view_.height = size.height;
        return top_picture(view_);
    }

  private:
    Result<> read() {
        VM_ASSIGN(const std::string text, agent::fetch_metrics(paths_));
        const std::int64_t steady = system_clock().steady_ms();
        view_.before = std::exchange(view_.now, MetricsReading(text));
        view_.seconds = static_cast<double>(steady - read_) / 1000;
        read_ = steady;
        VM_ASSIGN(const std::int64_t mark, store_.change_mark());
        if (mark == mark_) return {};
        VM_ASSIGN(view_.statuses, store_.statuses());
        mark_ = mark;
        return {};
    }

    const Paths& paths_;
    store::Store& store_;
    TopView view_;
    std::int64_t read_ = 0, mark_ = -1;
};

Result<> top(const Paths& paths, bool once) {
    VM_ASSIGN(const std::unique_ptr<store::Store> store, store::Store::open(paths));
    Top top(paths, *store);
    VM_TRY(top.look());
    if (once || !is_screen()) {
        ::poll(nullptr, 0, kPeriodMs);  // what happens in this second is shown
        VM_TRY(top.look());
        for (const std::string& line : top.picture({0, 0})) std::cout << line << '\n';
        return {};
    }
    FullScreen screen;
    while (screen.draw(top.picture(FullScreen::size()))) {
        const std::int64_t next = system_clock().steady_ms() + kPeriodMs;
        for (std::int64_t left = kPeriodMs; left > 0; left = next - system_clock().steady_ms()) {
            const char key = screen.wait_for_key(static_cast<int>(left));
            if (key == 'q' || key == 'Q') return {};
        }
        (void)top.look();  // the picture says so; an agent that was stopped may be started again
    }
    return {};
}

}  // namespace

void add_top_command(CLI::App& program, VmctlContext& context) {
    const auto once = std::make_shared<bool>(false);
    CLI::App* sub = context.command(
        program, "top", "Show what the running agent does, renewed each second, until q is pressed",
        "vmctl top", [once](const Paths& paths) { return top(paths, *once); });
    sub->remove_option(sub->get_option("--json"));
    sub->add_flag("--once", *once, "Print one picture and end, as when it is not a terminal");
}

}  // namespace vm::app
