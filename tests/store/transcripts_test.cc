// What the store keeps of a voice message's transcript.
#include "root.h"

#include <cppunit/extensions/HelperMacros.h>

namespace {

using namespace vm;
using namespace vm::store;

class TranscriptsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(TranscriptsTest);
    CPPUNIT_TEST(counts_tries_and_keeps_what_came_of_them);
    CPPUNIT_TEST(names_those_of_the_queue);
    CPPUNIT_TEST(goes_with_its_message);
    CPPUNIT_TEST(an_unknown_message_has_none);
    CPPUNIT_TEST_SUITE_END();

    const Root root_;
    const std::unique_ptr<Store> store_ = root_.open();

    std::string add(const char* mailbox = "101") const {
        NewMessage message = root_.message();
        message.message.mailbox = mailbox;
        return good(store_->add(message));
    }

    void counts_tries_and_keeps_what_came_of_them() {
        const std::string id = add();
        CPPUNIT_ASSERT_EQUAL(0, good(store_->transcript(id)).tries);
        CPPUNIT_ASSERT_EQUAL(1, good(store_->begin_transcript(id)));
        CPPUNIT_ASSERT_EQUAL(2, good(root_.open()->begin_transcript(id)));
        good(store_->cut_transcript_short(id));
        CPPUNIT_ASSERT_EQUAL(1, good(store_->transcript(id)).tries);
        CPPUNIT_ASSERT_EQUAL(2, good(store_->begin_transcript(id)));
        CPPUNIT_ASSERT(!good(store_->transcript(id)).settled);
        good(store_->end_transcripts({{id, "Grüße\nAnn", "in 3 s"}}));
        const Transcript made = good(root_.open()->transcript(id));
        CPPUNIT_ASSERT(made.settled && made.tries == 2);
        CPPUNIT_ASSERT_EQUAL(std::string("Grüße\nAnn"), made.text);
        const HistoryEntry entry = good(store_->history(id)).back();
        CPPUNIT_ASSERT_EQUAL(std::string("transcript"), entry.what);
        CPPUNIT_ASSERT_EQUAL(std::string("made"), entry.to);
        CPPUNIT_ASSERT_EQUAL(std::string("in 3 s"), entry.reply);
    }

    void names_those_of_the_queue() {
        const std::string made = add(), none = add(), begun = add(), sent = add();
        const std::string other = add("102");
        good(store_->begin_transcript(begun));
        good(store_->record_intent(sent, "x@y"));
        good(store_->record_outcome({sent, DeliveryEvent::kAccepted, "250", 0}));
        good(store_->end_transcripts(
            {{made, "Hello.", "in 1 s"}, {none, "", "too late"}, {sent, "", ""}, {other, "", ""}}));
        CPPUNIT_ASSERT((std::set{made, none}) == good(store_->transcribed("101")));
        CPPUNIT_ASSERT((std::set{other}) == good(store_->transcribed("102")));
        CPPUNIT_ASSERT_EQUAL(std::string("none"), good(store_->history(none)).back().to);
    }

    void goes_with_its_message() {
        const std::string id = add(), kept = add();
        good(store_->end_transcripts({{id, "Hello.", ""}, {kept, "Hello.", ""}}));
        good(store_->remove(id));
        CPPUNIT_ASSERT_EQUAL(1, good(store_->purge("101", system_clock().now() + 1000)));
        CPPUNIT_ASSERT(!good(store_->transcript(id)).settled);
        // One that is gone keeps the others' from being settled no more than it is itself.
        const std::string other = add();
        good(store_->end_transcripts({{id, "Hello.", ""}, {other, "Hello.", ""}}));
        CPPUNIT_ASSERT(!good(store_->transcript(id)).settled);
        CPPUNIT_ASSERT(good(store_->transcript(other)).settled);
    }

    void an_unknown_message_has_none() {
        CPPUNIT_ASSERT(!good(store_->transcript("01ARZ3NDEKTSV4RRFFQ69G5FAV")).settled);
        CPPUNIT_ASSERT(kind_of(store_->begin_transcript("01ARZ3NDEKTSV4RRFFQ69G5FAV")) ==
                       ErrorKind::kNoInput);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(TranscriptsTest);

}  // namespace
