#include "base/files.h"
#include "root.h"
#include "store/store.h"

#include <cppunit/extensions/HelperMacros.h>

#include <filesystem>
#include <future>
#include <string>
#include <vector>

namespace {

using namespace vm;
using namespace vm::store;

const Placement kNewInInbox{MessageState::kNew, kInboxFolder, false};
const Placement kDeletedPlace{MessageState::kDeleted, "", false};

class OriginsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(OriginsTest);
    CPPUNIT_TEST(what_comes_twice_is_stored_once);
    CPPUNIT_TEST(the_second_call_needs_no_file);
    CPPUNIT_TEST(two_at_once_store_one);
    CPPUNIT_TEST(another_mailbox_is_refused);
    CPPUNIT_TEST(bad_origins_are_refused);
    CPPUNIT_TEST(what_was_purged_does_not_come_again);
    CPPUNIT_TEST(what_is_gone_at_its_source_is_forgotten_with_the_message);
    CPPUNIT_TEST(agreeing_changes_the_message_in_one_step);
    CPPUNIT_TEST(a_message_that_changed_meanwhile_is_left_alone);
    CPPUNIT_TEST(agreeing_restores);
    CPPUNIT_TEST(sources_that_keep_nothing_are_not_listed);
    CPPUNIT_TEST_SUITE_END();

    static NewMessage from(const Root& root, const std::string& origin,
                           const std::string& agreed = "") {
        NewMessage out = root.message();
        out.message.origin = origin;
        out.agreed = agreed;
        return out;
    }

    void what_comes_twice_is_stored_once() {
        const Root root;
        const auto store = root.open();
        const std::string id = good(store->add(from(root, "fax/7")));
        CPPUNIT_ASSERT_EQUAL(id, good(store->add(from(root, "fax/7"))));
        CPPUNIT_ASSERT(id != good(store->add(from(root, "fax/8"))));
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, good(store->list({})).size());
        CPPUNIT_ASSERT_EQUAL(2, root.media_files());
        CPPUNIT_ASSERT_EQUAL(std::string("fax/7"), good(store->get(id)).message.origin);
        good(store->remove(id));
        CPPUNIT_ASSERT_EQUAL(id, good(store->add(from(root, "fax/7"))));
        CPPUNIT_ASSERT(good(store->get(id)).message.state == MessageState::kDeleted);
        // None is not one.
        CPPUNIT_ASSERT(good(store->add(root.message())) != good(store->add(root.message())));
    }

    void the_second_call_needs_no_file() {
        const Root root;
        const auto store = root.open();
        NewMessage message = from(root, "fax/7");
        const std::string id = good(store->add(message));
        message.file = root.paths.root / "not there";
        CPPUNIT_ASSERT_EQUAL(id, good(store->add(message)));
    }

    void two_at_once_store_one() {
        const Root root;
        root.open();
        std::vector<std::future<std::string>> adding;
        for (int i = 0; i < 8; ++i)
            adding.push_back(std::async(
                std::launch::async, [&] { return good(root.open()->add(from(root, "fax/7"))); }));
        const std::string id = adding.front().get();
        for (std::size_t i = 1; i < adding.size(); ++i) CPPUNIT_ASSERT_EQUAL(id, adding[i].get());
        CPPUNIT_ASSERT_EQUAL(1, root.media_files());
    }

    void another_mailbox_is_refused() {
        const Root root;
        const auto store = root.open();
        good(store->add(from(root, "fax/7")));
        NewMessage other = from(root, "fax/7");
        other.message.mailbox = "102";
        CPPUNIT_ASSERT(kind_of(store->add(other)) == ErrorKind::kUsage);
        CPPUNIT_ASSERT_EQUAL(1, root.media_files());
    }

    void bad_origins_are_refused() {
        const Root root;
        const auto store = root.open();
        for (const std::string& bad :
             {std::string("a\nb"), std::string(251, 'x'), std::string(" a"), std::string("\xff"),
              std::string("a\0b", 3)})
            CPPUNIT_ASSERT(kind_of(store->add(from(root, bad))) == ErrorKind::kUsage);
        good(store->add(from(root, std::string(250, 'x'))));
    }

    void what_was_purged_does_not_come_again() {
        const Root root;
        ManualClock clock(1000);
        const auto store = root.open(clock);
        const std::string once = good(store->add(from(root, "fax/7")));
        const std::string held = good(store->add(from(root, "pbx/1", "INBOX")));
        good(store->remove(once));
        good(store->remove(held));
        clock.advance(1000);
        CPPUNIT_ASSERT_EQUAL(2, good(store->purge("101", clock.now())));
        CPPUNIT_ASSERT_EQUAL(once, good(store->add(from(root, "fax/7"))));
        CPPUNIT_ASSERT_EQUAL(held, good(store->add(from(root, "pbx/1", "INBOX"))));
        CPPUNIT_ASSERT_EQUAL(0, root.media_files());
        // Its source still has it, and is told that it is not wanted.
        const auto origins = good(store->origins("101"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, origins.size());
        CPPUNIT_ASSERT(!origins[0].placed && origins[0].agreed == "INBOX");
        CPPUNIT_ASSERT(good(store->agree({"pbx/1", kGone, {}, {}, ""})));
        CPPUNIT_ASSERT(good(store->origins("101")).empty());
    }

    void what_is_gone_at_its_source_is_forgotten_with_the_message() {
        const Root root;
        ManualClock clock(1000);
        const auto store = root.open(clock);
        const std::string id = good(store->add(from(root, "pbx/1", "INBOX")));
        CPPUNIT_ASSERT(good(store->agree({"pbx/1", kGone, kNewInInbox, kDeletedPlace, "gone"})));
        clock.advance(1000);
        CPPUNIT_ASSERT_EQUAL(1, good(store->purge("101", clock.now())));
        CPPUNIT_ASSERT(good(store->origins("101")).empty());
        CPPUNIT_ASSERT(id != good(store->add(from(root, "pbx/1", "INBOX"))));
    }

    void agreeing_changes_the_message_in_one_step() {
        const Root root;
        const auto store = root.open();
        const std::string id = good(store->add(from(root, "pbx/1", "INBOX")));
        const auto before = good(store->changes_since(0, "101")).at(0);
        const Placement work{MessageState::kRead, "Work", true};
        CPPUNIT_ASSERT(good(store->agree({"pbx/1", "Work", kNewInInbox, work, "moved there"})));
        const MessageRecord record = good(store->get(id));
        CPPUNIT_ASSERT(record.message.state == MessageState::kRead && record.message.urgent);
        CPPUNIT_ASSERT_EQUAL(std::string("Work"), record.message.folder);
        CPPUNIT_ASSERT(good(store->origins("101")).at(0).agreed == "Work");
        CPPUNIT_ASSERT_EQUAL(std::string("moved there"), good(store->history(id)).back().reply);
        // The account is to follow.
        const auto after = good(store->changes_since(before.sequence, "101")).at(0);
        CPPUNIT_ASSERT(after.phone_sequence > before.phone_sequence);
        CPPUNIT_ASSERT(kind_of(store->agree({"pbx/2", "Work", {}, {}, ""})) == ErrorKind::kNoInput);
        CPPUNIT_ASSERT(kind_of(store->agree({"pbx/1", "INBOX", work,
                                             Placement{MessageState::kRead, "/", true}, ""})) ==
                       ErrorKind::kUsage);
        CPPUNIT_ASSERT(good(store->origins("101")).at(0).agreed == "Work");
    }

    void a_message_that_changed_meanwhile_is_left_alone() {
        const Root root;
        const auto store = root.open();
        const std::string id = good(store->add(from(root, "pbx/1", "INBOX")));
        good(store->mark(id, MessageState::kRead));
        CPPUNIT_ASSERT(!good(store->agree({"pbx/1", kGone, kNewInInbox, kDeletedPlace, ""})));
        CPPUNIT_ASSERT(good(store->get(id)).message.state == MessageState::kRead);
        CPPUNIT_ASSERT(good(store->origins("101")).at(0).agreed == "INBOX");
    }

    void agreeing_restores() {
        const Root root;
        const auto store = root.open();
        const std::string id = good(store->add(from(root, "pbx/1", "INBOX")));
        good(store->remove(id));
        const Placement seen = *good(store->origins("101")).at(0).placed;
        CPPUNIT_ASSERT(seen.state == MessageState::kDeleted);
        const Placement read{MessageState::kRead, kInboxFolder, false};
        CPPUNIT_ASSERT(good(store->agree({"pbx/1", "Old", seen, read, "back"})));
        const Message message = good(store->get(id)).message;
        CPPUNIT_ASSERT(message.state == MessageState::kRead && !message.deleted_at);
    }

    void sources_that_keep_nothing_are_not_listed() {
        const Root root;
        const auto store = root.open();
        good(store->add(from(root, "fax/7")));
        good(store->add(root.message()));
        CPPUNIT_ASSERT(good(store->origins("101")).empty());
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(OriginsTest);

}  // namespace
