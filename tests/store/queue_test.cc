#include "base/text.h"
#include "root.h"
#include "store/database.h"

#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>
#include <atomic>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace {

using namespace vm;
using namespace vm::store;

constexpr TimeMs kStart = 1000000;

class QueueTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(QueueTest);
    CPPUNIT_TEST(an_attempt_from_intent_to_sent);
    CPPUNIT_TEST(the_message_id_is_fixed_by_the_first_intent);
    CPPUNIT_TEST(an_intent_is_refused_unless_something_waits);
    CPPUNIT_TEST(outcomes_follow_the_state_machine_only);
    CPPUNIT_TEST(retry_by_state);
    CPPUNIT_TEST(a_person_postpones_what_waits);
    CPPUNIT_TEST(what_is_postponed_is_not_begun_before_its_time);
    CPPUNIT_TEST(a_postponement_ends);
    CPPUNIT_TEST(a_person_gives_up_what_waits);
    CPPUNIT_TEST(what_a_person_decides_is_refused_elsewhere);
    CPPUNIT_TEST(recovers_what_a_dead_agent_had_in_hand);
    CPPUNIT_TEST(an_outcome_begins_the_following_delivery);
    CPPUNIT_TEST(a_following_delivery_that_is_refused_does_not_touch_the_outcome);
    CPPUNIT_TEST(a_queued_delivery_is_due_whatever_the_clock_was);
    CPPUNIT_TEST(a_recovery_sweeps_old_temporaries_only);
    CPPUNIT_TEST(due_and_pending_leave_out_what_is_settled);
    CPPUNIT_TEST(threads_share_out_the_intents);
    CPPUNIT_TEST(processes_share_out_the_intents);
    CPPUNIT_TEST(history_keeps_the_words_of_the_server);
    CPPUNIT_TEST(status_is_written_when_it_changes);
    CPPUNIT_TEST(the_last_pass_is_written_once_a_minute);
    CPPUNIT_TEST(counts_what_is_not_deleted);
    CPPUNIT_TEST(names_the_mailboxes_with_unfinished_deliveries);
    CPPUNIT_TEST(counts_what_is_not_settled);
    CPPUNIT_TEST(the_change_mark_moves_with_the_commits_of_others);
    CPPUNIT_TEST_SUITE_END();

    // Brings the delivery of a new message to `state`.
    static std::string message_in(Store& store, const Root& root, DeliveryState state) {
        NewMessage incoming = root.message();
        if (state == DeliveryState::kOff) incoming.delivery = state;
        const std::string id = good(store.add(incoming));
        if (state == DeliveryState::kOff || state == DeliveryState::kQueued) return id;
        good(store.record_intent(id, id + "@x"));
        const auto end = [&](DeliveryEvent event) {
            good(store.record_outcome({id, event, "words", kStart + 60000}));
        };
        if (state == DeliveryState::kSent) end(DeliveryEvent::kAccepted);
        if (state == DeliveryState::kDeferred) end(DeliveryEvent::kDeferral);
        if (state == DeliveryState::kFailed) end(DeliveryEvent::kFailure);
        if (state == DeliveryState::kUncertain) end(DeliveryEvent::kReplyLost);
        return id;
    }

    void an_attempt_from_intent_to_sent() {
        const Root root;
        ManualClock clock(kStart);
        const auto store = root.open(clock);
        const std::string id = good(store->add(root.message()));
        const Delivery intent = good(store->record_intent(id, id + "@example.com"));
        CPPUNIT_ASSERT(intent.state == DeliveryState::kSending);
        CPPUNIT_ASSERT_EQUAL(1, intent.attempts);
        CPPUNIT_ASSERT_EQUAL(id + "@example.com", intent.message_id);
        // Durable, for every process.
        CPPUNIT_ASSERT(good(root.open()->get(id)).delivery.state == DeliveryState::kSending);

        good(store->record_outcome({id, DeliveryEvent::kAccepted, "250 2.0.0 Ok: queued\r\n", 0}));
        const Delivery sent = good(root.open()->get(id)).delivery;
        CPPUNIT_ASSERT(sent.state == DeliveryState::kSent);
        CPPUNIT_ASSERT_EQUAL(std::string("250 2.0.0 Ok: queued  "), sent.last_reply);
    }

    void the_message_id_is_fixed_by_the_first_intent() {
        const Root root;
        const auto store = root.open();
        const std::string id = good(store->add(root.message()));
        good(store->record_intent(id, "first@x"));
        good(store->record_outcome({id, DeliveryEvent::kDeferral, "451", 0}));
        const Delivery again = good(store->record_intent(id, "second@y"));
        CPPUNIT_ASSERT_EQUAL(std::string("first@x"), again.message_id);
        CPPUNIT_ASSERT_EQUAL(2, again.attempts);
    }

    void an_intent_is_refused_unless_something_waits() {
        const Root root;
        const auto store = root.open();
        for (const DeliveryState state : {DeliveryState::kOff, DeliveryState::kSending,
                                          DeliveryState::kSent, DeliveryState::kFailed}) {
            const std::string id = message_in(*store, root, state);
            const int attempts = good(store->get(id)).delivery.attempts;
            CPPUNIT_ASSERT(kind_of(store->record_intent(id, "x")) == ErrorKind::kMessage);
            CPPUNIT_ASSERT_EQUAL(attempts, good(store->get(id)).delivery.attempts);
        }
        const std::string deleted = message_in(*store, root, DeliveryState::kQueued);
        good(store->remove(deleted));
        CPPUNIT_ASSERT(kind_of(store->record_intent(deleted, "x")) == ErrorKind::kMessage);
    }

    void outcomes_follow_the_state_machine_only() {
        const Root root;
        const auto store = root.open();
        using D = DeliveryState;
        using E = DeliveryEvent;
        for (const D state : {D::kOff, D::kQueued, D::kSending, D::kSent, D::kDeferred, D::kFailed,
                              D::kUncertain}) {
            for (const E event : {E::kAccepted, E::kDeferral, E::kFailure, E::kReplyLost,
                                  E::kRestart, E::kFound, E::kSwitchOff, E::kGiveUp}) {
                const std::string id = message_in(*store, root, state);
                const std::size_t steps = good(store->history(id)).size();
                const auto next = next_state(state, event);
                const auto done = store->record_outcome({id, event, "words", 77});
                const std::string what = std::string(to_string(state)) + " " + to_string(event);
                CPPUNIT_ASSERT_EQUAL_MESSAGE(what, next.has_value(), done.has_value());
                CPPUNIT_ASSERT_MESSAGE(what,
                                       good(store->get(id)).delivery.state == next.value_or(state));
                CPPUNIT_ASSERT_EQUAL_MESSAGE(what, steps + (next ? 1 : 0),
                                             good(store->history(id)).size());
                if (!done) CPPUNIT_ASSERT(done.error().kind == ErrorKind::kMessage);
            }
        }
        const std::string id = message_in(*store, root, D::kQueued);
        for (const E event : {E::kIntent, E::kRequeue, E::kLookAgain, E::kResend})
            CPPUNIT_ASSERT(kind_of(store->record_outcome({id, event, "", 0})) == ErrorKind::kUsage);
    }

    void retry_by_state() {
        const Root root;
        ManualClock clock(kStart);
        const auto store = root.open(clock);
        struct Case {
            DeliveryState from, to;
            int attempts;
            bool fresh;  // the delivery timeout begins anew
        };
        using D = DeliveryState;
        for (const Case& c :
             {Case{D::kOff, D::kQueued, 0, true}, Case{D::kFailed, D::kQueued, 0, true},
              Case{D::kDeferred, D::kQueued, 1, true}, Case{D::kUncertain, D::kUncertain, 1, true},
              Case{D::kQueued, D::kQueued, 0, false}}) {
            const std::string id = message_in(*store, root, c.from);
            const TimeMs before = good(store->get(id)).delivery.queued_at;
            clock.advance(5);
            good(store->retry(id));
            const Delivery after = good(store->get(id)).delivery;
            const std::string what = to_string(c.from);
            CPPUNIT_ASSERT_MESSAGE(what, after.state == c.to);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(what, c.attempts, after.attempts);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(what, clock.now(), after.next_attempt);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(what, c.fresh ? clock.now() : before, after.queued_at);
        }
        // Given up after a reply was lost: it is looked for first, each time.
        const std::string unsure = message_in(*store, root, D::kUncertain);
        for (int i = 0; i < 2; ++i) {
            good(store->record_outcome({unsure, DeliveryEvent::kGiveUp, "gave up", 0}));
            good(store->retry(unsure));
            CPPUNIT_ASSERT(good(store->get(unsure)).delivery.state == D::kUncertain);
        }
        const auto sent = store->retry(message_in(*store, root, D::kSent));
        CPPUNIT_ASSERT(kind_of(sent) == ErrorKind::kMessage);
        CPPUNIT_ASSERT_EQUAL(std::string("it was sent already"), sent.error().reason);
        const auto sending = store->retry(message_in(*store, root, D::kSending));
        CPPUNIT_ASSERT(kind_of(sending) == ErrorKind::kMessage);
        CPPUNIT_ASSERT_EQUAL(std::string("it is being sent right now"), sending.error().reason);
    }

    static constexpr TimeMs kFarAhead = kStart + 365LL * 86'400'000;

    void a_person_postpones_what_waits() {
        const Root root;
        ManualClock clock(kStart);
        const auto store = root.open(clock);
        using D = DeliveryState;
        for (const auto& [from, to] :
             {std::pair(D::kQueued, D::kDeferred), std::pair(D::kDeferred, D::kDeferred),
              std::pair(D::kUncertain, D::kUncertain)}) {
            const std::string id = message_in(*store, root, from);
            good(store->postpone(id, kFarAhead));
            const Delivery after = good(store->get(id)).delivery;
            CPPUNIT_ASSERT(after.state == to);
            CPPUNIT_ASSERT(after.postponed);
            CPPUNIT_ASSERT_EQUAL(kFarAhead, after.next_attempt);
            CPPUNIT_ASSERT_EQUAL(kFarAhead, after.queued_at);  // the delivery timeout's begin
            const HistoryEntry last = good(store->history(id)).back();
            CPPUNIT_ASSERT_EQUAL(std::string(to_string(to)), last.to);
            CPPUNIT_ASSERT_EQUAL("postponed by a person until " + format_rfc3339(kFarAhead),
                                 last.reply);
            CPPUNIT_ASSERT_EQUAL(last.reply, after.last_reply);
            good(store->remove(id));
            good(store->restore(id));
            CPPUNIT_ASSERT_EQUAL(kFarAhead, good(store->get(id)).delivery.queued_at);
            good(store->remove(id));
        }
        // The agent looks at it now and then, and not all the time.
        const std::string id = message_in(*store, root, D::kQueued);
        good(store->postpone(id, kFarAhead));
        CPPUNIT_ASSERT_EQUAL(kStart + kLongestPauseMs, good(store->due()).front().next_attempt);
        good(store->postpone(id, kStart + 5000));
        CPPUNIT_ASSERT_EQUAL(kStart + 5000, good(store->due()).front().next_attempt);
        CPPUNIT_ASSERT(good(store->changes_since(0)).front().phone_sequence > 0);
    }

    // Also by a turn that looked at the queue before.
    void what_is_postponed_is_not_begun_before_its_time() {
        const Root root;
        ManualClock clock(kStart);
        const auto store = root.open(clock);
        const std::string id = message_in(*store, root, DeliveryState::kQueued);
        good(store->postpone(id, kFarAhead));
        const auto early = store->record_intent(id, "x");
        CPPUNIT_ASSERT(kind_of(early) == ErrorKind::kMessage);
        CPPUNIT_ASSERT(early.error().reason.find("postponed") != std::string::npos);
        clock.advance(kFarAhead - kStart);
        CPPUNIT_ASSERT(!good(store->record_intent(id, "x")).postponed);
        good(store->record_outcome({id, DeliveryEvent::kDeferral, "451 later", kFarAhead + 1}));
        CPPUNIT_ASSERT(!good(store->get(id)).delivery.postponed);
    }

    void a_postponement_ends() {
        const Root root;
        ManualClock clock(kStart);
        const auto store = root.open(clock);
        const auto postponed = [&](DeliveryState from) {
            const std::string id = message_in(*store, root, from);
            good(store->postpone(id, kFarAhead));
            return id;
        };
        const auto after = [&](const std::string& id) { return good(store->get(id)).delivery; };

        const std::string retried = postponed(DeliveryState::kQueued);
        good(store->retry(retried));
        CPPUNIT_ASSERT(!after(retried).postponed);
        CPPUNIT_ASSERT_EQUAL(kStart, after(retried).queued_at);
        CPPUNIT_ASSERT(store->record_intent(retried, "x").has_value());

        const std::string off = postponed(DeliveryState::kDeferred);
        good(store->record_outcome({off, DeliveryEvent::kSwitchOff, "off", 0}));
        CPPUNIT_ASSERT(!after(off).postponed);

        const std::string given_up = postponed(DeliveryState::kDeferred);
        good(store->give_up(given_up, ""));
        CPPUNIT_ASSERT(!after(given_up).postponed);

        const std::string found = postponed(DeliveryState::kUncertain);
        SyncCommit commit;
        commit.found = {found};
        good(store->commit_sync("101", commit));
        CPPUNIT_ASSERT(after(found).state == DeliveryState::kSent && !after(found).postponed);

        // A look that a turn had begun before does not end it.
        const std::string looked = postponed(DeliveryState::kUncertain);
        good(store->record_outcome({looked, DeliveryEvent::kDeferral, "no answer", kStart + 1}));
        CPPUNIT_ASSERT(after(looked).postponed);
        CPPUNIT_ASSERT_EQUAL(kFarAhead, after(looked).next_attempt);
    }

    void a_person_gives_up_what_waits() {
        const Root root;
        const auto store = root.open();
        using D = DeliveryState;
        for (const D from : {D::kQueued, D::kDeferred, D::kUncertain}) {
            const std::string id = message_in(*store, root, from);
            good(store->give_up(id, "wrong\nnumber"));
            const Delivery after = good(store->get(id)).delivery;
            CPPUNIT_ASSERT(after.state == D::kFailed);
            const std::string maybe = from == D::kUncertain ? "; it may have arrived" : "";
            CPPUNIT_ASSERT_EQUAL("given up by a person" + maybe + ": wrong number",
                                 after.last_reply);
            CPPUNIT_ASSERT_EQUAL(after.last_reply, good(store->history(id)).back().reply);
            good(store->retry(id));
            // (What may have arrived is looked for first.)
            CPPUNIT_ASSERT(good(store->get(id)).delivery.state ==
                           (from == D::kUncertain ? D::kUncertain : D::kQueued));
            good(store->give_up(id, ""));
            CPPUNIT_ASSERT_EQUAL("given up by a person" + maybe,
                                 good(store->get(id)).delivery.last_reply);
        }
    }

    void what_a_person_decides_is_refused_elsewhere() {
        const Root root;
        const auto store = root.open();
        using D = DeliveryState;
        for (const auto& [state, words] : {std::pair(D::kSending, "it is being sent right now"),
                                           std::pair(D::kSent, "it was sent already"),
                                           std::pair(D::kFailed, "it has failed already"),
                                           std::pair(D::kOff, "its delivery is off")}) {
            const std::string id = message_in(*store, root, state);
            for (const auto& done : {store->postpone(id, kFarAhead), store->give_up(id, "x")}) {
                CPPUNIT_ASSERT(kind_of(done) == ErrorKind::kMessage);
                CPPUNIT_ASSERT_EQUAL(std::string(words), done.error().reason);
            }
            CPPUNIT_ASSERT(good(store->get(id)).delivery.state == state);
        }
        const std::string id = message_in(*store, root, D::kQueued);
        good(store->remove(id));
        CPPUNIT_ASSERT(kind_of(store->postpone(id, kFarAhead)) == ErrorKind::kMessage);
        CPPUNIT_ASSERT(kind_of(store->give_up(id, "")) == ErrorKind::kMessage);
        CPPUNIT_ASSERT(kind_of(store->postpone("none", kFarAhead)) == ErrorKind::kNoInput);
        for (const DeliveryEvent event : {DeliveryEvent::kPostpone, DeliveryEvent::kAbandon})
            CPPUNIT_ASSERT(kind_of(store->record_outcome({id, event, "", 0})) == ErrorKind::kUsage);
    }

    void recovers_what_a_dead_agent_had_in_hand() {
        const Root root;
        const auto store = root.open();
        const std::string mine = message_in(*store, root, DeliveryState::kSending);
        const std::string waiting = message_in(*store, root, DeliveryState::kDeferred);
        const std::string other = good(store->add(root.message("102")));
        good(store->record_intent(other, "x"));

        CPPUNIT_ASSERT_EQUAL(0, good(store->recover([](const auto&) { return false; }, 9)));
        const auto not_102 = [](const std::string& mailbox) { return mailbox != "102"; };
        CPPUNIT_ASSERT_EQUAL(1, good(store->recover(not_102, 9)));
        CPPUNIT_ASSERT_EQUAL(0, good(store->recover(not_102, 9)));
        const Delivery recovered = good(store->get(mine)).delivery;
        CPPUNIT_ASSERT(recovered.state == DeliveryState::kUncertain);
        CPPUNIT_ASSERT_EQUAL(TimeMs{9}, recovered.next_attempt);
        CPPUNIT_ASSERT(!recovered.last_reply.empty());
        CPPUNIT_ASSERT(good(store->get(waiting)).delivery.state == DeliveryState::kDeferred);
        CPPUNIT_ASSERT(good(store->get(other)).delivery.state == DeliveryState::kSending);
        CPPUNIT_ASSERT_EQUAL(std::string("uncertain"), good(store->history(mine)).back().to);
    }

    void an_outcome_begins_the_following_delivery() {
        const Root root;
        const auto store = root.open();
        const std::string first = message_in(*store, root, DeliveryState::kSending);
        const std::string second = message_in(*store, root, DeliveryState::kQueued);
        const auto begun = good(store->record_outcome(
            {first, DeliveryEvent::kAccepted, "250 ok", 0}, {second, second + "@x"}));
        CPPUNIT_ASSERT(begun && begun->state == DeliveryState::kSending);
        CPPUNIT_ASSERT_EQUAL(1, begun->attempts);
        CPPUNIT_ASSERT(good(store->get(first)).delivery.state == DeliveryState::kSent);
        CPPUNIT_ASSERT_EQUAL(second + "@x", good(store->get(second)).delivery.message_id);
        CPPUNIT_ASSERT_EQUAL(std::string("sending"), good(store->history(second)).back().to);
    }

    void a_following_delivery_that_is_refused_does_not_touch_the_outcome() {
        const Root root;
        const auto store = root.open();
        const std::string first = message_in(*store, root, DeliveryState::kSending);
        const std::string second = message_in(*store, root, DeliveryState::kQueued);
        good(store->remove(second));
        CPPUNIT_ASSERT(!good(store->record_outcome(
            {first, DeliveryEvent::kDeferral, "451 later", 7}, {second, second + "@x"})));
        CPPUNIT_ASSERT(good(store->get(first)).delivery.state == DeliveryState::kDeferred);
        CPPUNIT_ASSERT(good(store->get(second)).delivery.state == DeliveryState::kQueued);
        // And an outcome that is refused begins nothing.
        const std::string third = message_in(*store, root, DeliveryState::kQueued);
        CPPUNIT_ASSERT(kind_of(store->record_outcome({first, DeliveryEvent::kAccepted, "250", 0},
                                                     {third, third + "@x"})) ==
                       ErrorKind::kMessage);
        CPPUNIT_ASSERT(good(store->get(third)).delivery.state == DeliveryState::kQueued);
    }

    void a_queued_delivery_is_due_whatever_the_clock_was() {
        const Root root;
        ManualClock clock(kStart);
        const auto store = root.open(clock);
        good(store->add(root.message()));
        CPPUNIT_ASSERT_EQUAL(TimeMs{0}, good(store->due()).front().next_attempt);
    }

    void a_recovery_sweeps_old_temporaries_only() {
        const Root root;
        ManualClock clock(system_clock().now());
        const auto store = root.open(clock);
        const std::string id = good(store->add(root.message()));
        const auto left = root.paths.media() / "01ARZ3NDEKTSV4RRFFQ69G5FAV.wav.tmp";
        std::ofstream(left) << "half";
        std::filesystem::create_directories(root.paths.spool());
        const auto spooled = root.paths.spool() / "01ARZ3NDEKTSV4RRFFQ69G5FAV.mp3";
        std::ofstream(spooled) << "half";
        good(store->recover([](const auto&) { return false; }, 0));
        CPPUNIT_ASSERT(std::filesystem::exists(left) && std::filesystem::exists(spooled));
        clock.advance(25LL * 3600 * 1000);
        good(store->recover([](const auto&) { return false; }, 0));
        CPPUNIT_ASSERT(!std::filesystem::exists(left) && !std::filesystem::exists(spooled));
        CPPUNIT_ASSERT(std::filesystem::exists(store->media_path(good(store->get(id)).message)));
    }

    void due_and_pending_leave_out_what_is_settled() {
        const Root root;
        ManualClock clock(kStart);
        const auto store = root.open(clock);
        CPPUNIT_ASSERT(good(store->due()).empty());
        using D = DeliveryState;
        std::vector<std::string> ids;
        for (const D state : {D::kDeferred, D::kQueued, D::kUncertain, D::kSending, D::kFailed,
                              D::kOff, D::kSent}) {
            ids.push_back(message_in(*store, root, state));
            clock.advance(1);
        }
        good(store->add(root.message("99")));

        const auto due = good(store->due());
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, due.size());
        CPPUNIT_ASSERT_EQUAL(std::string("101"), due[0].mailbox);
        CPPUNIT_ASSERT_EQUAL(TimeMs{0}, due[0].next_attempt);  // the queued one's
        CPPUNIT_ASSERT_EQUAL(std::string("99"), due[1].mailbox);
        CPPUNIT_ASSERT(good(store->due("101")) == TimeMs{0});
        CPPUNIT_ASSERT(!good(store->due("102")));

        const auto in_order = [](const std::vector<MessageRecord>& records) {
            std::string out;
            for (const MessageRecord& record : records)
                out += std::string(to_string(record.delivery.state)) + " ";
            return out;
        };
        CPPUNIT_ASSERT_EQUAL(std::string("deferred queued uncertain "),
                             in_order(good(store->pending("101"))));
        CPPUNIT_ASSERT_EQUAL(std::string("deferred queued uncertain sending failed queued "),
                             in_order(good(store->queue())));
        for (const std::string& id : ids) good(store->remove(id));
        CPPUNIT_ASSERT_EQUAL(std::string("queued "), in_order(good(store->queue())));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, good(store->due()).size());
    }

    void threads_share_out_the_intents() {
        const Root root;
        std::vector<std::string> ids;
        {
            const auto store = root.open();
            for (int i = 0; i < 50; ++i) ids.push_back(good(store->add(root.message())));
        }
        std::atomic<int> taken{0}, broken{0};
        std::vector<std::thread> threads;
        for (int i = 0; i < 4; ++i)
            threads.emplace_back([&] {
                const auto store = Store::open(root.paths);
                for (const std::string& id : ids) {
                    const auto intent = (*store)->record_intent(id, id + "@x");
                    if (intent)
                        ++taken;
                    else if (intent.error().kind != ErrorKind::kMessage)
                        ++broken;
                }
            });
        for (std::thread& thread : threads) thread.join();
        CPPUNIT_ASSERT_EQUAL(0, broken.load());
        CPPUNIT_ASSERT_EQUAL(50, taken.load());
        for (const std::string& id : ids)
            CPPUNIT_ASSERT_EQUAL(1, good(root.open()->get(id)).delivery.attempts);
    }

    void processes_share_out_the_intents() {
        const Root root;
        std::vector<std::string> ids;
        {
            const auto store = root.open();
            for (int i = 0; i < 30; ++i) ids.push_back(good(store->add(root.message())));
        }
        std::vector<pid_t> children;
        for (int i = 0; i < 3; ++i) {
            const pid_t child = ::fork();
            if (child == 0) {
                const auto store = Store::open(root.paths);
                int taken = 0;
                for (const std::string& id : ids) {
                    const auto intent = (*store)->record_intent(id, "x");
                    if (!intent && intent.error().kind != ErrorKind::kMessage) ::_exit(255);
                    taken += intent ? 1 : 0;
                }
                ::_exit(taken);
            }
            children.push_back(child);
        }
        int taken = 0;
        for (const pid_t child : children) {
            int status = -1;
            ::waitpid(child, &status, 0);
            CPPUNIT_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) != 255);
            taken += WEXITSTATUS(status);
        }
        CPPUNIT_ASSERT_EQUAL(30, taken);
    }

    void history_keeps_the_words_of_the_server() {
        const Root root;
        const auto store = root.open();
        const std::string id = message_in(*store, root, DeliveryState::kQueued);
        good(store->record_intent(id, "x"));
        good(store->record_outcome({id, DeliveryEvent::kDeferral, "451 4.7.1 later\x07\xFF", 5}));
        good(store->retry(id));
        good(store->record_outcome({id, DeliveryEvent::kSwitchOff, "Email Integration is No", 0}));
        std::string told;
        for (const HistoryEntry& entry : good(store->history(id)))
            told += entry.from + ">" + entry.to + " (" + entry.reply + ") ";
        CPPUNIT_ASSERT_EQUAL(std::string(">new () >queued () queued>sending (attempt 1) "
                                         "sending>deferred (451 4.7.1 later ?) "
                                         "deferred>queued (retry was asked for) "
                                         "queued>off (Email Integration is No) "),
                             told);
    }

    void status_is_written_when_it_changes() {
        const Root root;
        ManualClock clock(kStart);
        const auto store = root.open(clock);
        good(store->set_status({"101", "error", "no\nroute"}));
        clock.advance(1);
        good(store->set_status({"101", "error", "no\nroute"}));
        good(store->set_status({"100", "ok", ""}));
        auto all = good(root.open()->statuses());
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, all.size());
        CPPUNIT_ASSERT_EQUAL(std::string("100"), all[0].mailbox);
        CPPUNIT_ASSERT_EQUAL(std::string("no route"), all[1].reason);
        CPPUNIT_ASSERT_EQUAL(kStart, all[1].changed);
        const MailboxStatus one = good(root.open()->status("101")).value();
        CPPUNIT_ASSERT_EQUAL(std::string("101"), one.mailbox);
        CPPUNIT_ASSERT_EQUAL(std::string("no route"), one.reason);
        CPPUNIT_ASSERT(!good(root.open()->status("102")));
        good(store->set_status({"101", "ok", ""}));
        all = good(root.open()->statuses());
        CPPUNIT_ASSERT_EQUAL(std::string("ok"), all[1].state);
        CPPUNIT_ASSERT_EQUAL(kStart + 1, all[1].changed);
    }

    void the_last_pass_is_written_once_a_minute() {
        const Root root;
        ManualClock clock(kStart);
        const auto store = root.open(clock), reader = root.open();
        MailboxStatus status{"101", "ok", ""};
        status.last_sync = 5000;
        good(store->set_status(status));
        clock.advance(1);
        const std::int64_t mark = good(reader->change_mark());
        for (const TimeMs later : {5000, 5001, 65000, 4000}) {
            status.last_sync = later;
            status.changed = later;  // the store's business
            good(store->set_status(status));
            CPPUNIT_ASSERT_EQUAL(mark, good(reader->change_mark()));
            CPPUNIT_ASSERT_EQUAL(TimeMs{5000}, good(reader->statuses()).front().last_sync);
        }
        status.last_sync = 65001;
        good(store->set_status(status));
        CPPUNIT_ASSERT_EQUAL(TimeMs{65001}, good(reader->statuses()).front().last_sync);
        for (bool MailboxStatus::*const flag :
             {&MailboxStatus::idle, &MailboxStatus::condstore, &MailboxStatus::qresync}) {
            status.*flag = true;
            good(store->set_status(status));
            CPPUNIT_ASSERT(good(reader->statuses()).front().*flag);
        }
        // Without a connection nobody knows what it could do.
        status.idle = status.condstore = status.qresync = false;
        status.unconnected = true;
        good(store->set_status(status));
        const MailboxStatus offline = good(reader->statuses()).front();
        CPPUNIT_ASSERT(!offline.idle && offline.condstore && offline.qresync);
        // None of this is another state.
        CPPUNIT_ASSERT_EQUAL(kStart, good(reader->statuses()).front().changed);
        status.reason = "slow";
        good(store->set_status(status));
        CPPUNIT_ASSERT_EQUAL(kStart + 1, good(reader->statuses()).front().changed);
    }

    void counts_what_is_not_deleted() {
        const Root root;
        const auto store = root.open();
        using D = DeliveryState;
        std::vector<std::string> ids;
        for (const D state : {D::kQueued, D::kSending, D::kSent, D::kSent, D::kDeferred, D::kFailed,
                              D::kUncertain, D::kOff})
            ids.push_back(message_in(*store, root, state));
        good(store->add(root.message("102")));
        good(store->mark(ids[0], MessageState::kRead));
        good(store->remove(ids[2]));
        const auto sql = good(open_database(root.paths));
        for (const int gone : {0, 1})
            *sql << "INSERT INTO links (message_id, folder, uidvalidity, uid, gone)"
                    " VALUES (:id, 'INBOX', 1, 1, :gone)",
                soci::use(ids[gone == 0 ? 3 : 4]), soci::use(gone);

        const MailboxCounts counts = good(store->counts("101"));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{6}, counts.new_messages);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, counts.old_messages);
        for (const std::int64_t one : {counts.queued, counts.sending, counts.sent, counts.deferred,
                                       counts.failed, counts.uncertain, counts.linked})
            CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, one);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, good(store->counts("103")).new_messages);

        auto all = good(store->all_counts());
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, all.size());
        CPPUNIT_ASSERT(all["101"] == counts);
        CPPUNIT_ASSERT(all["102"] == good(store->counts("102")));
    }

    void names_the_mailboxes_with_unfinished_deliveries() {
        using D = DeliveryState;
        for (const D state : {D::kQueued, D::kSending, D::kSent, D::kDeferred, D::kFailed,
                              D::kUncertain, D::kOff}) {
            const Root root;
            const auto store = root.open();
            message_in(*store, root, state);
            message_in(*store, root, state);
            const bool unfinished = state != D::kSent && state != D::kOff;
            CPPUNIT_ASSERT(good(store->unfinished()) ==
                           std::vector<std::string>(unfinished ? 1 : 0, "101"));
            good(store->add(root.message("099")));
            CPPUNIT_ASSERT_EQUAL(std::string("099"), good(store->unfinished()).front());
        }
        const Root root;
        const auto store = root.open();
        good(store->remove(message_in(*store, root, D::kFailed)));
        CPPUNIT_ASSERT(good(store->unfinished()).empty());
    }

    void counts_what_is_not_settled() {
        using D = DeliveryState;
        const Root root;
        ManualClock clock(kStart);
        const auto store = root.open(clock);
        for (const D state : {D::kQueued, D::kQueued, D::kSending, D::kSent, D::kDeferred,
                              D::kFailed, D::kUncertain, D::kOff}) {
            message_in(*store, root, state);
            clock.advance(1000);
        }
        good(store->add(root.message("099")));
        good(store->remove(message_in(*store, root, D::kFailed)));
        std::vector<std::string> found;
        for (const Store::QueueDepth& depth : good(store->queue_depths()))
            found.push_back(depth.mailbox + " " + to_string(depth.state) + " " +
                            std::to_string(depth.deliveries) + " " +
                            std::to_string(depth.oldest - kStart));
        std::sort(found.begin(), found.end());
        CPPUNIT_ASSERT_EQUAL(std::string("099 queued 1 8000, 101 deferred 1 4000, "
                                         "101 failed 1 5000, 101 queued 2 0, "
                                         "101 sending 1 2000, 101 uncertain 1 6000"),
                             join(found, ", "));
    }

    void the_change_mark_moves_with_the_commits_of_others() {
        const Root root;
        const auto store = root.open(), other = root.open();
        const std::int64_t before = good(store->change_mark());
        CPPUNIT_ASSERT_EQUAL(before, good(store->change_mark()));
        const std::string id = good(other->add(root.message()));
        const std::int64_t after = good(store->change_mark());
        CPPUNIT_ASSERT(before != after);
        good(other->mark(id, MessageState::kNew));  // no change, no commit
        CPPUNIT_ASSERT_EQUAL(after, good(store->change_mark()));
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(QueueTest);

}  // namespace
