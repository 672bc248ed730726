// What the tests of a pass do and expect, in short words.
#ifndef VM_TESTS_AGENT_SYNC_FIXTURE_H
#define VM_TESTS_AGENT_SYNC_FIXTURE_H

#include "sync_rig.h"

#include <cppunit/extensions/HelperMacros.h>

#include <memory>
#include <string>
#include <vector>

namespace vm::testing {

class SyncFixture : public CppUnit::TestFixture {
  public:
    void setUp() override { rig_ = std::make_unique<SyncRig>(); }

  protected:
    using Text = std::string;

    // The phone.
    void remove(const std::string& id) { CPPUNIT_ASSERT(rig_->store().remove(id).has_value()); }
    void restore(const std::string& id) { CPPUNIT_ASSERT(rig_->store().restore(id).has_value()); }
    void mark(const std::string& id, MessageState state) {
        CPPUNIT_ASSERT(rig_->store().mark(id, state).has_value());
    }
    // The subscriber, with the message's first mail.
    void flag(const std::string& id, std::uint32_t add, std::uint32_t remove) {
        const auto [folder, uid] = rig_->account.places(id).at(0);
        rig_->account.set_flags(folder, uid, add, remove);
    }
    void move_mail(const std::string& id, const std::string& to) {
        const auto [folder, uid] = rig_->account.places(id).at(0);
        rig_->account.move(folder, uid, to);
    }
    void expunge(const std::string& id) {
        const auto [folder, uid] = rig_->account.places(id).at(0);
        rig_->account.expunge(folder, uid);
    }

    bool has(const std::string& id, std::uint32_t flag) {
        return (rig_->mail(id).flags & flag) != 0;
    }
    void expect_state(const char* state, const std::vector<std::string>& ids) {
        for (const auto& id : ids) CPPUNIT_ASSERT_EQUAL(Text(state), rig_->state_of(id));
    }
    // The only mail of each is where the store says it is.
    void expect_linked(const std::vector<std::string>& ids) {
        for (const auto& id : ids) {
            const auto places = rig_->account.places(id);
            CPPUNIT_ASSERT_EQUAL(std::size_t{1}, places.size());
            CPPUNIT_ASSERT_EQUAL(places[0].first + " " + std::to_string(places[0].second),
                                 rig_->link(id));
        }
    }

    std::unique_ptr<SyncRig> rig_;
};

}  // namespace vm::testing

#endif
