#include "base/files.h"
#include "root.h"

#include <cppunit/extensions/HelperMacros.h>

#include <csignal>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using namespace vm;
using namespace vm::store;

class CrashTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(CrashTest);
    CPPUNIT_TEST(every_id_that_was_printed_survives);
    CPPUNIT_TEST(every_outcome_that_was_reported_survives);
    CPPUNIT_TEST(every_pass_that_was_committed_survives_as_a_whole);
    CPPUNIT_TEST(a_purge_takes_no_media_of_a_message_that_stays);
    CPPUNIT_TEST_SUITE_END();

    // Runs `work(store, out)` in a child and kills it as soon as `lines` lines came out of it: it
    // goes on meanwhile, so the end finds it anywhere. Returns the complete lines.
    template <class Work>
    static std::vector<std::string> kill_after(const Root& root, int lines, Work work) {
        int pipe[2];
        CPPUNIT_ASSERT_EQUAL(0, ::pipe(pipe));
        const pid_t child = ::fork();
        if (child == 0) {
            ::close(pipe[0]);
            const auto store = Store::open(root.paths);
            if (store) work(**store, pipe[1]);
            ::_exit(1);
        }
        ::close(pipe[1]);
        UniqueFd in(pipe[0]);
        std::vector<std::string> out;
        std::string line;
        char c = 0;
        bool killed = false;
        while (::read(in.get(), &c, 1) == 1) {
            if (c != '\n') {
                line += c;
                continue;
            }
            out.push_back(std::move(line));
            line.clear();
            if (killed || static_cast<int>(out.size()) < lines) continue;
            ::kill(child, SIGKILL);
            killed = true;
        }
        int status = 0;
        CPPUNIT_ASSERT_EQUAL(child, ::waitpid(child, &status, 0));
        CPPUNIT_ASSERT_MESSAGE("the child ended by itself", WIFSIGNALED(status));
        return out;
    }

    void every_id_that_was_printed_survives() {
        const Root root;
        for (int round = 1; round <= 15; ++round) {
            const auto ids = kill_after(root, round, [&](Store& store, int out) {
                for (;;) {
                    const auto id = store.add(root.message());
                    if (!id || !write_all(out, *id + "\n", "pipe")) return;
                }
            });
            const auto store = root.open();
            for (const std::string& id : ids) {
                const MessageRecord record = good(store->get(id));
                CPPUNIT_ASSERT_EQUAL(std::string("as good as a recording"),
                                     good(read_file(store->media_path(record.message))));
                CPPUNIT_ASSERT(record.delivery.state == DeliveryState::kQueued);
            }
        }
        // And what was not printed is there as a whole or not at all.
        const auto store = root.open();
        const auto all = good(store->list({"101", {}, true}));
        for (const MessageRecord& record : all) {
            CPPUNIT_ASSERT(std::filesystem::exists(store->media_path(record.message)));
            CPPUNIT_ASSERT_EQUAL(std::size_t{2}, good(store->history(record.message.id)).size());
        }
        // At most one file without a message is left for each kill.
        CPPUNIT_ASSERT(root.media_files() <= static_cast<int>(all.size()) + 15);
    }

    void every_outcome_that_was_reported_survives() {
        const Root root;
        const std::string id = good(root.open()->add(root.message()));
        int attempts = 0;
        for (int round = 1; round <= 15; ++round) {
            const auto reported = kill_after(root, round, [&](Store& store, int out) {
                for (;;) {
                    const auto intent = store.record_intent(id, id + "@x");
                    if (!intent) return;
                    const std::string attempt = std::to_string(intent->attempts);
                    if (!store.record_outcome({id, DeliveryEvent::kDeferral, attempt, 0})) return;
                    if (!write_all(out, attempt + "\n", "pipe")) return;
                }
            });
            const auto store = root.open();
            const Delivery delivery = good(store->get(id)).delivery;
            CPPUNIT_ASSERT(delivery.attempts >= std::stoi(reported.back()));
            CPPUNIT_ASSERT(delivery.attempts > attempts);
            attempts = delivery.attempts;
            // Each attempt is one intent, and at most the last has no outcome.
            const bool in_hand = delivery.state == DeliveryState::kSending;
            CPPUNIT_ASSERT_EQUAL(in_hand ? 1 : 0,
                                 good(store->recover([](const auto&) { return true; }, 0)));
        }
    }

    // Every part of a commit says which pass it is of.
    static SyncCommit pass(const std::string& id, std::uint32_t number) {
        SyncChange link;
        link.kind = SyncActionKind::kLink;
        link.id = id;
        link.agreed_folder = kInboxFolder;
        link.copy.place = {"INBOX", 1, number};
        SyncCommit out;
        out.copies = {{id, {link.copy}}};
        out.changes = {link};
        out.state = SyncState{};
        out.state->last_pass = number;
        out.state->folders = {{"INBOX", 1, number, 0}};
        return out;
    }

    void every_pass_that_was_committed_survives_as_a_whole() {
        const Root root;
        const std::string id = good(root.open()->add(root.message()));
        std::uint32_t done = 0;
        for (int round = 1; round <= 15; ++round) {
            const auto reported = kill_after(root, round, [&](Store& store, int out) {
                for (std::uint32_t number = done + 1;; ++number) {
                    if (!store.commit_sync("101", pass(id, number))) return;
                    if (!write_all(out, std::to_string(number) + "\n", "pipe")) return;
                }
            });
            const auto store = root.open();
            const SyncState state = good(store->sync_state("101"));
            const SyncMessage message = good(store->sync_messages("101")).at(0);
            CPPUNIT_ASSERT(state.last_pass >= std::stoi(reported.back()));
            done = static_cast<std::uint32_t>(state.last_pass);
            CPPUNIT_ASSERT_EQUAL(done, state.folders.at(0).uid_next);
            CPPUNIT_ASSERT_EQUAL(done, message.agreed.value().link.uid);
            CPPUNIT_ASSERT_EQUAL(std::size_t{1}, message.copies.size());
            CPPUNIT_ASSERT_EQUAL(done, message.copies[0].place.uid);
        }
    }

    void a_purge_takes_no_media_of_a_message_that_stays() {
        const Root root;
        constexpr TimeMs kForever = 1LL << 50;
        for (int round = 1; round <= 15; ++round)
            kill_after(root, round, [&](Store& store, int out) {
                for (;;) {
                    const auto id = store.add(root.message());
                    if (!id || !store.remove(*id) || !store.purge("101", kForever)) return;
                    if (!write_all(out, *id + "\n", "pipe")) return;
                }
            });
        const auto store = root.open();
        const auto all = good(store->list({"101", {}, true}));
        for (const MessageRecord& record : all)
            CPPUNIT_ASSERT(std::filesystem::exists(store->media_path(record.message)));
        CPPUNIT_ASSERT(root.media_files() <= static_cast<int>(all.size()) + 15);
        // What was left half done is done by the next one.
        for (const MessageRecord& record : all) good(store->remove(record.message.id));
        CPPUNIT_ASSERT_EQUAL(static_cast<int>(all.size()), good(store->purge("101", kForever)));
        CPPUNIT_ASSERT(root.media_files() <= 15);
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(CrashTest);

}  // namespace
