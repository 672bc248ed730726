// What one call of the store costs: store_calls ROOT MAILBOX...
//
// Makes each call once for each mailbox, all of a mailbox in a row, on the store of a unit whose
// mailboxes have messages that were sent, and prints a JSON object: by call, the median of its wall
// time in microseconds. Nothing is forced to the disk but where the name says so, for that is the
// disk's time. What it adds is gone again in the end.
#include "store/store.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <sys/syscall.h>
#include <unistd.h>
#include <vector>

namespace {

bool g_to_disk = false;

int force(long call, int fd) {
    return g_to_disk ? static_cast<int>(::syscall(call, fd)) : 0;
}

}  // namespace

// These stand before the C library's for the whole program, SQLite included.
extern "C" __attribute__((visibility("default"))) int fsync(int fd) {
    return force(SYS_fsync, fd);
}
extern "C" __attribute__((visibility("default"))) int fdatasync(int fd) {
    return force(SYS_fdatasync, fd);
}

namespace {

using namespace vm;
using store::Store;

// The value of a Result; its error ends the program.
template <class T>
T good(Result<T> result) {
    if (!result) {
        std::fprintf(stderr, "store_calls: %s\n", result.error().text().c_str());
        std::exit(1);
    }
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

constexpr TimeMs kFarMs = 4'000'000'000'000;

class Calls {
  public:
    explicit Calls(const Paths& paths) : paths_(paths), store_(good(Store::open(paths))) {
        std::ofstream(recording()) << std::string(1000, 'r');
    }
    ~Calls() { std::remove(recording().c_str()); }
    Calls(const Calls&) = delete;
    Calls& operator=(const Calls&) = delete;

    // All calls for one mailbox, those that read it all first: another one's pages were read since.
    void round(const std::string& mailbox) {
        mailbox_ = mailbox;
        std::vector<MessageRecord> records;
        time("list", [&] { records = good(store_->list({mailbox_, std::nullopt, false})); });
        if (records.empty()) {
            std::fprintf(stderr, "store_calls: mailbox %s is empty\n", mailbox_.c_str());
            std::exit(1);
        }
        const std::string id = records[records.size() / 2].message.id;
        time("open", [&] { good(Store::open(paths_)); });
        time("get", [&] { good(store_->get(id)); });
        time("history", [&] { good(store_->history(id)); });
        time("counts", [&] { good(store_->counts(mailbox_)); });
        time("queue", [&] { good(store_->queue()); });
        time("pending", [&] { good(store_->pending(mailbox_)); });
        time("due", [&] { good(store_->due()); });
        time("due of a mailbox", [&] { good(store_->due(mailbox_)); });
        time("status", [&] { good(store_->status(mailbox_)); });
        time("unfinished", [&] { good(store_->unfinished()); });
        const std::int64_t last = good(store_->changes_since(last_)).back().sequence;
        last_ = last - 1;
        time("changes_since", [&] { good(store_->changes_since(last_)); });
        time("change_mark", [&] { good(store_->change_mark()); });
        time("sync_state", [&] { good(store_->sync_state(mailbox_)); });
        time("sync_messages", [&] { good(store_->sync_messages(mailbox_)); });
        time("new_mails", [&] { good(store_->new_mails(mailbox_)); });
        time("drop_state", [&] { good(store_->drop_state(mailbox_, "nobody's")); });
        time("waiting_told", [&] { good(store_->waiting_told(mailbox_)); });
        time("purge, nothing to purge", [&] { good(store_->purge(mailbox_, 1)); });
        store::MailboxStatus status = good(store_->status(mailbox_)).value();
        time("set_status, as it is", [&] { good(store_->set_status(status)); });
        status.idle = !status.idle;
        time("set_status, another", [&] { good(store_->set_status(status)); });
        store::SyncCommit commit;
        commit.state = good(store_->sync_state(mailbox_));
        time("commit_sync", [&] { good(store_->commit_sync(mailbox_, commit)); });
        push();
    }

    nlohmann::json medians() {
        nlohmann::json out = nlohmann::json::object();
        for (auto& [name, times] : times_) {
            const auto middle = times.begin() + static_cast<long>(times.size() / 2);
            std::nth_element(times.begin(), middle, times.end());
            out[name] = *middle;
        }
        return out;
    }

  private:
    // What the store does for a message from its arrival to its end, and for the following one.
    void push() {
        store::NewMessage incoming;
        incoming.message.mailbox = mailbox_;
        incoming.message.received = system_clock().now();
        incoming.file = recording();
        incoming.extension = "wav";
        incoming.delivery = DeliveryState::kQueued;
        std::string id, following;
        time("add", [&] { id = good(store_->add(incoming)); });
        time(
            "add, to the disk", [&] { following = good(store_->add(incoming)); }, true);
        time("record_intent", [&] { good(store_->record_intent(id, id + "@example.test")); });
        time("record_outcome and the following intent", [&] {
            good(store_->record_outcome({id, DeliveryEvent::kAccepted, "250 2.0.0 Ok", 0},
                                        {following, following + "@example.test"}));
        });
        time("record_outcome", [&] {
            good(store_->record_outcome({following, DeliveryEvent::kAccepted, "250 2.0.0 Ok", 0}));
        });
        time("mark", [&] { good(store_->mark(id, MessageState::kRead)); });
        time(
            "mark, to the disk", [&] { good(store_->mark(id, MessageState::kNew)); }, true);
        time("remove", [&] { good(store_->remove(id)); });
        good(store_->remove(following));
        time("purge of two", [&] { good(store_->purge(mailbox_, kFarMs)); });
    }

    void time(const std::string& name, const std::function<void()>& call, bool to_disk = false) {
        g_to_disk = to_disk;
        const auto start = std::chrono::steady_clock::now();
        call();
        const std::chrono::duration<double, std::micro> took =
            std::chrono::steady_clock::now() - start;
        g_to_disk = false;
        times_[name].push_back(took.count());
    }

    std::filesystem::path recording() const { return paths_.spool() / "store_calls"; }

    const Paths paths_;
    const std::unique_ptr<Store> store_;
    std::string mailbox_;
    std::int64_t last_ = 0;
    std::map<std::string, std::vector<double>> times_;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) {
        std::fprintf(stderr, "usage: store_calls ROOT MAILBOX...\n");
        return 64;
    }
    Calls calls{Paths(argv[1])};
    for (int i = 2; i < argc; ++i) calls.round(argv[i]);
    std::cout << calls.medians().dump(1) << '\n';
    return 0;
}
