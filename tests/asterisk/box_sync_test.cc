// When a message is taken for deleted; the rest of it is in tests/system/asterisk_test.py.
#include "box_fixture.h"

#include <filesystem>
#include <fstream>

namespace {

using namespace vm;
using namespace vm::asterisk;
namespace fs = std::filesystem;

class BoxSyncTest : public BoxFixture {
    CPPUNIT_TEST_SUITE(BoxSyncTest);
    CPPUNIT_TEST(gone_is_what_two_looks_do_not_find);
    CPPUNIT_TEST(what_is_found_in_between_is_there);
    CPPUNIT_TEST(a_folder_that_is_missing_says_nothing);
    CPPUNIT_TEST(what_cannot_be_read_says_nothing);
    CPPUNIT_TEST(many_at_once_wait_for_a_person);
    CPPUNIT_TEST(what_waits_for_a_person_may_come_back);
    CPPUNIT_TEST_SUITE_END();

    void gone_is_what_two_looks_do_not_find() {
        record(0);
        record(1);
        CPPUNIT_ASSERT_EQUAL(2, look().added);
        take(inbox_, away_, 0);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{2000}, look().again_ms.value_or(0));
        clock_.advance(1999);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, look().again_ms.value_or(0));
        CPPUNIT_ASSERT_EQUAL(2, present());
        clock_.advance(1);
        CPPUNIT_ASSERT_EQUAL(1, look().followed);
        CPPUNIT_ASSERT_EQUAL(1, present());
        CPPUNIT_ASSERT(!look().again_ms);
    }

    void what_is_found_in_between_is_there() {
        record(0);
        look();
        take(inbox_, away_, 0);
        look();
        clock_.advance(1000);
        take(away_, inbox_, 0);
        CPPUNIT_ASSERT(!look().again_ms);
        clock_.advance(1000);
        take(inbox_, away_, 0);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{2000}, look().again_ms.value_or(0));
        CPPUNIT_ASSERT_EQUAL(1, present());
    }

    void a_folder_that_is_missing_says_nothing() {
        record(0);
        look();
        fs::rename(inbox_, away_ / "INBOX");
        for (int i = 0; i < 3; ++i) {
            look();
            clock_.advance(5000);
        }
        CPPUNIT_ASSERT_EQUAL(1, present());
        fs::rename(inbox_.parent_path(), away_ / "101");
        CPPUNIT_ASSERT(store::kind_of(sync_->run(false, false)) == ErrorKind::kNoInput);
        CPPUNIT_ASSERT_EQUAL(1, present());
    }

    void what_cannot_be_read_says_nothing() {
        record(0);
        look();
        take(inbox_, away_, 0);
        std::ofstream(inbox_ / "msg0001.txt") << "[mess";  // as a full disk leaves it
        for (int i = 0; i < 3; ++i) {
            look();
            clock_.advance(5000);
        }
        CPPUNIT_ASSERT_EQUAL(1, present());
        fs::remove(inbox_ / "msg0001.txt");
        look();
        clock_.advance(2000);
        look();
        CPPUNIT_ASSERT_EQUAL(0, present());
    }

    // More than two, and more than half.
    void many_at_once_wait_for_a_person() {
        for (int i = 0; i < 5; ++i) record(i);
        look();
        for (int i = 0; i < 3; ++i) take(inbox_, away_, i);
        look();
        clock_.advance(2000);
        CPPUNIT_ASSERT(look().held);
        CPPUNIT_ASSERT_EQUAL(5, present());
        CPPUNIT_ASSERT_EQUAL(3, look(true).followed);
        CPPUNIT_ASSERT_EQUAL(2, present());
        // Two of two are not too many.
        for (int i = 3; i < 5; ++i) take(inbox_, away_, i);
        look();
        clock_.advance(2000);
        CPPUNIT_ASSERT_EQUAL(2, look().followed);
    }

    void what_waits_for_a_person_may_come_back() {
        for (int i = 0; i < 5; ++i) record(i);
        look();
        for (int i = 0; i < 5; ++i) take(inbox_, away_, i);
        look();
        clock_.advance(2000);
        CPPUNIT_ASSERT(look().held);
        for (int i = 0; i < 4; ++i) take(away_, inbox_, i);
        CPPUNIT_ASSERT_EQUAL(1, look().followed);
        CPPUNIT_ASSERT_EQUAL(4, present());
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(BoxSyncTest);

}  // namespace
