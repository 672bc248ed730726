#include "store/watch.h"

#include "root.h"

#include <cppunit/extensions/HelperMacros.h>

#include <poll.h>

namespace {

using namespace vm;
using namespace vm::store;
using Mailboxes = std::vector<std::string>;

class WatchTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(WatchTest);
    CPPUNIT_TEST(a_change_is_told_once_and_only_what_came_after);
    CPPUNIT_TEST(one_mailbox_is_watched_alone);
    CPPUNIT_TEST(what_a_shared_writer_wrote_is_told);
    CPPUNIT_TEST(a_delivery_that_goes_on_is_no_change);
    CPPUNIT_TEST_SUITE_END();

  public:
    void setUp() override {
        root_ = std::make_unique<Root>();
        own_ = root_->open();
        other_ = root_->open();
        old_ = good(other_->add(root_->message("101")));
    }
    void tearDown() override {
        own_.reset();
        other_.reset();
        root_.reset();
    }

  private:
    Watch begin(const std::string& only = "") const {
        return good(Watch::begin(root_->paths, *own_, only));
    }
    // As whoever waits at its descriptor is told.
    static Mailboxes next(Watch& watch) {
        for (;;) {
            pollfd fd{watch.fd(), POLLIN, 0};
            CPPUNIT_ASSERT_EQUAL(1, ::poll(&fd, 1, -1));
            Mailboxes told = good(watch.look());
            if (!told.empty()) return told;
        }
    }

    void a_change_is_told_once_and_only_what_came_after() {
        Watch watch = begin();
        CPPUNIT_ASSERT(good(watch.look()).empty());
        good(other_->mark(old_, MessageState::kRead));
        CPPUNIT_ASSERT(next(watch) == Mailboxes{"101"});
        CPPUNIT_ASSERT(good(watch.look()).empty());
        // Two changes of one mailbox are one; done twice is no change.
        good(other_->mark(old_, MessageState::kNew));
        good(other_->set_urgent(old_, true));
        good(other_->add(root_->message("102")));
        good(other_->set_urgent(old_, true));
        CPPUNIT_ASSERT((next(watch) == Mailboxes{"101", "102"}));
        CPPUNIT_ASSERT(good(watch.look()).empty());
    }

    void one_mailbox_is_watched_alone() {
        Watch watch = begin("102");
        good(other_->remove(old_));
        CPPUNIT_ASSERT(good(watch.look()).empty());
        good(other_->add(root_->message("102")));
        CPPUNIT_ASSERT(next(watch) == Mailboxes{"102"});
    }

    void what_a_shared_writer_wrote_is_told() {
        const auto writer = share_writer(root_->paths);
        const auto threads = Store::for_threads(root_->paths, writer);
        Watch watch = begin();
        good(threads->move(old_, "Saved"));
        CPPUNIT_ASSERT(next(watch) == Mailboxes{"101"});
    }

    void a_delivery_that_goes_on_is_no_change() {
        Watch watch = begin();
        good(other_->record_intent(old_, "x@example.test"));
        good(other_->add(root_->message("102")));
        CPPUNIT_ASSERT(next(watch) == Mailboxes{"102"});
    }

    std::unique_ptr<Root> root_;
    std::unique_ptr<Store> own_, other_;
    std::string old_;
};

CPPUNIT_TEST_SUITE_REGISTRATION(WatchTest);

}  // namespace
