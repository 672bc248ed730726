// What is one message, and what are two: Asterisk gives a message that is sent on, or back, with a
// comment before it no other msg_id.
#include "box_fixture.h"

#include <filesystem>
#include <set>

namespace {

using namespace vm;
using namespace vm::asterisk;
using store::good;
namespace fs = std::filesystem;

class IdentityTest : public BoxFixture {
    CPPUNIT_TEST_SUITE(IdentityTest);
    CPPUNIT_TEST(two_recordings_are_two_messages);
    CPPUNIT_TEST(one_recording_is_one_message_wherever_it_lies);
    CPPUNIT_TEST(what_comes_back_after_a_deletion_is_new);
    CPPUNIT_TEST(a_comment_that_is_being_recorded_is_no_other_message);
    CPPUNIT_TEST(what_was_half_removed_or_converted_is_what_it_was);
    CPPUNIT_TEST(another_directory_deletes_nothing);
    CPPUNIT_TEST(what_was_left_in_another_directory_is_kept);
    CPPUNIT_TEST(a_directory_is_known_again_when_nothing_is_missing);
    CPPUNIT_TEST_SUITE_END();

    void two_recordings_are_two_messages() {
        write(inbox_, 0, "1-1", "a message");
        write(inbox_, 1, "1-1", "listen to this: a message");
        write(inbox_, 2, "1-1", "and now to this: a message");
        CPPUNIT_ASSERT_EQUAL(3, look().added);
        CPPUNIT_ASSERT_EQUAL(3, present());
        // Each with its own recording. Those of one millisecond are listed in any order.
        std::multiset<std::uintmax_t> kept, recorded;
        for (const MessageRecord& record : messages())
            kept.insert(fs::file_size(store_->media_path(record.message)));
        for (int number = 0; number < 3; ++number)
            recorded.insert(fs::file_size(inbox_ / file_name(number, ".wav")));
        CPPUNIT_ASSERT(kept == recorded);
        // Heard by phone: one of them. Deleted in the mail: one of them.
        fs::create_directories(box_ / "Old");
        take(inbox_, box_ / "Old", 1);
        CPPUNIT_ASSERT_EQUAL(1, look().followed);
        std::string removed;
        for (const MessageRecord& record : messages())
            if (fs::file_size(store_->media_path(record.message)) ==
                fs::file_size(inbox_ / "msg0002.wav"))
                removed = record.message.id;
        good(store_->remove(removed));
        CPPUNIT_ASSERT_EQUAL(1, look().removed);
        CPPUNIT_ASSERT(lies("INBOX", 0) && lies("Old", 1) && !lies("INBOX", 2));
    }

    void one_recording_is_one_message_wherever_it_lies() {
        write(inbox_, 3, "1-1", "a message");
        look();
        fs::create_directories(box_ / "Old");
        write(box_ / "Old", 0, "1-1", "a message");  // a copy, as Asterisk's
        CPPUNIT_ASSERT_EQUAL(0, look().added);
        take(inbox_, away_, 3);
        CPPUNIT_ASSERT_EQUAL(1, look().followed);
        CPPUNIT_ASSERT(MessageState::kRead == messages().front().message.state);
        fs::rename(box_ / "Old/msg0000.wav", box_ / "Old/msg0007.wav");
        fs::rename(box_ / "Old/msg0000.txt", box_ / "Old/msg0007.txt");
        const BoxSync::Done done = look_twice();
        CPPUNIT_ASSERT_EQUAL(0, done.added + done.followed);
        CPPUNIT_ASSERT_EQUAL(1, present());
    }

    void what_comes_back_after_a_deletion_is_new() {
        write(inbox_, 0, "1-1", "a message");
        look();
        good(store_->remove(messages().front().message.id));
        look();
        CPPUNIT_ASSERT(!lies("INBOX", 0));
        write(inbox_, 0, "1-1", "with many thanks: a message");
        CPPUNIT_ASSERT_EQUAL(1, look().added);
        CPPUNIT_ASSERT_EQUAL(1, present());
        CPPUNIT_ASSERT_EQUAL(fs::file_size(inbox_ / "msg0000.wav"),
                             fs::file_size(store_->media_path(messages().front().message)));
    }

    // Asterisk makes a backup, records the comment into the message, copies that, and takes the
    // backup back.
    void a_comment_that_is_being_recorded_is_no_other_message() {
        const fs::path wav = inbox_ / "msg0000.wav", backup = inbox_ / "msg0000-bak.wav";
        write(inbox_, 0, "1-1", "a message");
        write(inbox_, 1, "1-2", "another one");
        look();
        fs::copy_file(wav, backup);
        fs::copy_file(inbox_ / "msg0000.txt", inbox_ / "msg0000-bak.txt");
        const auto nothing_happens = [&] {
            const BoxSync::Done done = look_twice();
            CPPUNIT_ASSERT_EQUAL(0, done.added + done.followed + done.removed + done.moved);
            CPPUNIT_ASSERT_EQUAL(2, present());
        };
        nothing_happens();
        std::ofstream(wav) << "listen to this: a message";
        nothing_happens();
        // Nor is it taken away meanwhile.
        good(store_->mark(id_of("/1-1/"), MessageState::kRead));
        CPPUNIT_ASSERT(look().again_ms);
        CPPUNIT_ASSERT(lies("INBOX", 0));
        // One that came when it was begun.
        write(inbox_, 2, "1-3", "a comment, and that");
        std::ofstream(inbox_ / "msg0002-bak.wav") << "that";
        CPPUNIT_ASSERT_EQUAL(0, look().added);
        fs::rename(inbox_ / "msg0002-bak.wav", inbox_ / "msg0002.wav");
        fs::rename(backup, wav);
        fs::rename(inbox_ / "msg0000-bak.txt", inbox_ / "msg0000.txt");
        const BoxSync::Done done = look();
        CPPUNIT_ASSERT_EQUAL(1, done.added);
        CPPUNIT_ASSERT_EQUAL(1, done.moved);
        CPPUNIT_ASSERT(lies("Old", 0));
        CPPUNIT_ASSERT_EQUAL(3, present());
    }

    void what_was_half_removed_or_converted_is_what_it_was() {
        write(inbox_, 0, "1-1", "a message");
        write(inbox_, 1, "1-1", "listen to this: a message");
        look();
        fs::rename(inbox_ / "msg0001.wav", inbox_ / "msg0001.gsm");
        const BoxSync::Done done = look_twice();
        CPPUNIT_ASSERT_EQUAL(0, done.added + done.followed);
        CPPUNIT_ASSERT_EQUAL(2, present());
        for (const MessageRecord& record : messages())
            if (fs::file_size(store_->media_path(record.message)) >
                fs::file_size(inbox_ / "msg0000.wav"))
                good(store_->remove(record.message.id));
        CPPUNIT_ASSERT_EQUAL(1, look().removed);
        CPPUNIT_ASSERT(lies("INBOX", 0) && !lies("INBOX", 1));
    }

    // A spool that is not mounted, in which Asterisk has stored a message.
    void bare() {
        for (int i = 0; i < 2; ++i) record(i);
        look();
        fs::rename(box_, away_ / "101");
        fs::create_directories(inbox_);
        record(5);
    }

    void another_directory_deletes_nothing() {
        bare();
        for (int i = 0; i < 2; ++i) CPPUNIT_ASSERT_EQUAL(0, look_twice().followed);
        CPPUNIT_ASSERT(look().held);
        CPPUNIT_ASSERT_EQUAL(3, present());
        // A person says that it is the spool.
        CPPUNIT_ASSERT_EQUAL(2, look(true).followed);
        CPPUNIT_ASSERT_EQUAL(1, present());
        CPPUNIT_ASSERT(!look().held);
        take(inbox_, away_, 5);
        CPPUNIT_ASSERT_EQUAL(1, look_twice().followed);
    }

    void what_was_left_in_another_directory_is_kept() {
        bare();
        look();
        fs::remove_all(box_);
        fs::rename(away_ / "101", box_);
        look_twice();
        CPPUNIT_ASSERT(look().held);
        CPPUNIT_ASSERT_EQUAL(3, present());
        CPPUNIT_ASSERT_EQUAL(1, look(true).followed);
        CPPUNIT_ASSERT_EQUAL(2, present());
    }

    void a_directory_is_known_again_when_nothing_is_missing() {
        for (int i = 0; i < 3; ++i) record(i);
        look();
        fs::remove(box_ / ".vmasterisk-id");
        take(inbox_, away_, 0);
        CPPUNIT_ASSERT(look_twice().held);
        take(away_, inbox_, 0);
        CPPUNIT_ASSERT(!look().held);
        take(inbox_, away_, 0);
        CPPUNIT_ASSERT_EQUAL(1, look_twice().followed);
        CPPUNIT_ASSERT_EQUAL(2, present());
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(IdentityTest);

}  // namespace
