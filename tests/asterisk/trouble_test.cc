// One message, or one folder, that gives trouble keeps no other waiting.
#include "box_fixture.h"

#include <filesystem>
#include <sys/resource.h>
#include <unistd.h>

namespace {

using namespace vm;
using namespace vm::asterisk;
using store::good;
namespace fs = std::filesystem;

class TroubleTest : public BoxFixture {
    CPPUNIT_TEST_SUITE(TroubleTest);
    CPPUNIT_TEST(one_that_cannot_be_taken);
    CPPUNIT_TEST(many_that_cannot_be_taken_now);
    CPPUNIT_TEST(one_that_is_another_mailboxs);
    CPPUNIT_TEST(a_recording_that_cannot_be_opened_is_tried_again);
    CPPUNIT_TEST(a_damaged_recording_is_tried_again_when_it_is_another);
    CPPUNIT_TEST(one_that_cannot_be_moved);
    CPPUNIT_TEST(one_that_is_left_in_two_folders);
    CPPUNIT_TEST(a_folder_that_is_full);
    CPPUNIT_TEST_SUITE_END();

    void refuse(const std::string& part) {
        prepare_ = [part](store::NewMessage& message) -> Result<> {
            if (message.message.origin.find(part) == std::string::npos) return {};
            return fail(ErrorKind::kUnavailable, "prepare", part, "no room");
        };
    }

    void one_that_cannot_be_taken() {
        record(0);
        record(1);
        look();
        good(store_->remove(id_of("/1-0/")));
        record(2);
        record(3);
        refuse("/1-2/");
        const BoxSync::Done done = look();
        CPPUNIT_ASSERT_EQUAL(1, done.added);
        CPPUNIT_ASSERT_EQUAL(1, done.removed);
        CPPUNIT_ASSERT_EQUAL(1, done.failed);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{10'000}, done.retry_ms.value_or(0));
        refuse("none");
        clock_.advance(10'000);
        CPPUNIT_ASSERT_EQUAL(1, look().added);
    }

    void many_that_cannot_be_taken_now() {
        for (int i = 0; i < 60; ++i)
            write(inbox_, 100 + i, "2-" + std::to_string(i), "x" + std::to_string(i));
        fs::create_directories(box_ / "Work");
        write(box_ / "Work", 0, "3-0", "the last one");
        refuse("/2-");
        CPPUNIT_ASSERT(look().again_ms);
        CPPUNIT_ASSERT_EQUAL(1, look().added);
        CPPUNIT_ASSERT(!look().again_ms);
    }

    void one_that_is_another_mailboxs() {
        record(0);
        look();
        // [Mailboxes] is changed.
        BoxSync other(unit_, settings_, *spool_, notices_, Box{"default", "101"}, "102");
        record(1);
        const BoxSync::Done done = good(other.run(false, false));
        CPPUNIT_ASSERT_EQUAL(1, done.added);
        CPPUNIT_ASSERT_EQUAL(0, done.failed);
        CPPUNIT_ASSERT_EQUAL(1, present());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, good(store_->list({"102", {}, false})).size());
    }

    // (With too many files open; a right that is missing is nothing to root.)
    void a_recording_that_cannot_be_opened_is_tried_again() {
        for (int i = 0; i < 9; ++i) record(i);
        struct rlimit before {};
        CPPUNIT_ASSERT_EQUAL(0, ::getrlimit(RLIMIT_NOFILE, &before));
        const int next = ::dup(0);
        ::close(next);
        const struct rlimit few { static_cast<rlim_t>(next) + 8, before.rlim_max };
        CPPUNIT_ASSERT_EQUAL(0, ::setrlimit(RLIMIT_NOFILE, &few));
        const auto done = sync_->run(false, false);
        CPPUNIT_ASSERT_EQUAL(0, ::setrlimit(RLIMIT_NOFILE, &before));
        CPPUNIT_ASSERT(!done || done->retry_ms);
        CPPUNIT_ASSERT(present() < 9);
        clock_.advance(10'000);
        look();
        CPPUNIT_ASSERT_EQUAL(9, present());
    }

    void a_damaged_recording_is_tried_again_when_it_is_another() {
        prepare_ = [](store::NewMessage& message) -> Result<> {
            message.inspect = [](const fs::path& copy, Message&) -> Result<> {
                if (fs::file_size(copy) > 5) return {};
                return fail(ErrorKind::kMessage, "read", copy.string(), "it is damaged");
            };
            return {};
        };
        write(inbox_, 0, "1-0", "RIFF");
        for (int i = 0; i < 2; ++i) {
            const BoxSync::Done done = look();
            CPPUNIT_ASSERT(!done.again_ms && !done.retry_ms);
            CPPUNIT_ASSERT_EQUAL(0, done.added);
        }
        write(inbox_, 0, "1-0", "RIFF, and so on");
        CPPUNIT_ASSERT_EQUAL(1, look().added);
    }

    void one_that_cannot_be_moved() {
        for (int i = 0; i < 3; ++i) record(i);
        look();
        std::ofstream(box_ / "Old") << "no folder";
        good(store_->mark(id_of("/1-0/"), MessageState::kRead));
        good(store_->move(id_of("/1-1/"), "Work"));
        good(store_->remove(id_of("/1-2/")));
        const BoxSync::Done done = look();
        CPPUNIT_ASSERT_EQUAL(1, done.failed);
        CPPUNIT_ASSERT_EQUAL(1, done.moved);
        CPPUNIT_ASSERT_EQUAL(1, done.removed);
        CPPUNIT_ASSERT(lies("INBOX", 0) && lies("Work", 0) && !lies("INBOX", 2));
        fs::remove(box_ / "Old");
        CPPUNIT_ASSERT_EQUAL(1, look().moved);
        CPPUNIT_ASSERT(lies("Old", 0) && !lies("INBOX", 0));
    }

    // Linked, and then not to be removed where it was: it is not linked once more.
    void one_that_is_left_in_two_folders() {
        record(0);
        look();
        fs::create_directories(box_ / "Old");
        for (const char* rest : {"msg0000.wav", "msg0000.txt"})
            fs::create_hard_link(inbox_ / rest, box_ / "Old" / rest);
        good(store_->mark(id_of("/1-0/"), MessageState::kRead));
        CPPUNIT_ASSERT_EQUAL(1, look().moved);
        CPPUNIT_ASSERT(lies("Old", 0) && !lies("Old", 1) && !lies("INBOX", 0));
    }

    void a_folder_that_is_full() {
        settings_.max_messages = 3;
        for (int i = 0; i < 3; ++i) record(i);
        fs::create_directories(box_ / "Old");
        write(box_ / "Old", 1, "2-1", "an old one");  // and a gap before it
        look();
        for (const char* part : {"/1-0/", "/1-1/"})
            good(store_->mark(id_of(part), MessageState::kRead));
        CPPUNIT_ASSERT_EQUAL(1, look().moved);
        CPPUNIT_ASSERT(lies("INBOX", 1) && lies("Old", 2) && !lies("Old", 3));
        good(store_->remove(id_of("/2-1/")));
        look();
        CPPUNIT_ASSERT(lies("INBOX", 1));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(TroubleTest);

}  // namespace
