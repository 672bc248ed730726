// Random sequences of operations on a few messages against a model that says what must come of
// them.
#include "root.h"

#include <cppunit/extensions/HelperMacros.h>
#include <rapidcheck.h>

#include <map>

namespace {

using namespace vm;
using namespace vm::store;

enum class Op {
    kAdd,
    kMarkRead,
    kMarkNew,
    kMove,
    kRemove,
    kRestore,
    kRetry,
    kPostpone,
    kAbandon,
    kIntent,
    kAccepted,
    kDeferral,
    kFailure,
    kReplyLost,
    kSwitchOff,
    kGiveUp,
    kFound,
    kRecover,
    // As a pass says:
    kSyncRead,
    kSyncDelete,
    kSyncRestore,
    kSyncFound,
    kSyncResend,
    kReopen,
};

struct Step {
    Op op;
    unsigned which;
};
std::ostream& operator<<(std::ostream& out, const Step& step) {
    return out << static_cast<int>(step.op) << '@' << step.which;
}

struct ModelMessage {
    bool deleted = false;
    bool read = false;
    std::string folder = kInboxFolder;
    DeliveryState delivery = DeliveryState::kQueued;
    bool unsure = false;  // it was uncertain since it was queued
    int attempts = 0;
    bool postponed = false;
    std::size_t history = 2;
};

class Model {
  public:
    Model(const Root& root, std::shared_ptr<SharedWriter> writer)
        : root_(root), writer_(std::move(writer)) {
        open();
    }

    void run(const Step& step) {
        if (step.op == Op::kReopen) {
            open();
        } else if (step.op == Op::kRecover) {
            int count = 0;
            for (auto& [id, m] : messages_)
                if (const auto next = next_state(m.delivery, DeliveryEvent::kRestart))
                    ++count, change(m, *next);
            RC_ASSERT(*store_->recover([&](const auto& m) { return m == mailbox_; }, 0) == count);
        } else if (step.op == Op::kAdd || messages_.empty()) {
            const auto id = store_->add(root_.message(mailbox_));
            RC_ASSERT(id.has_value());
            RC_ASSERT(messages_.emplace(*id, ModelMessage{}).second);
        } else {
            auto target =
                std::next(messages_.begin(), static_cast<long>(step.which % messages_.size()));
            RC_ASSERT(apply(step.op, target->first) == expect(step.op, target->second));
        }
        compare();
    }

  private:
    // What the store says of the operation.
    bool apply(Op op, const std::string& id) {
        const auto outcome = [&](DeliveryEvent event) {
            return store_->record_outcome({id, event, "words", 0}).has_value();
        };
        switch (op) {
            case Op::kMarkRead:
                return store_->mark(id, MessageState::kRead).has_value();
            case Op::kMarkNew:
                return store_->mark(id, MessageState::kNew).has_value();
            case Op::kMove:
                return store_->move(id, "Saved").has_value();
            case Op::kRemove:
                return store_->remove(id).has_value();
            case Op::kRestore:
                return store_->restore(id).has_value();
            case Op::kRetry:
                return store_->retry(id).has_value();
            case Op::kPostpone:
                return store_->postpone(id, system_clock().now() + 10LL * 365 * 86'400'000)
                    .has_value();
            case Op::kAbandon:
                return store_->give_up(id, "nobody wants it").has_value();
            case Op::kIntent:
                return store_->record_intent(id, id + "@x").has_value();
            case Op::kSyncRead:
            case Op::kSyncDelete:
            case Op::kSyncRestore:
            case Op::kSyncFound:
            case Op::kSyncResend:
                return store_->commit_sync(mailbox_, commit_of(op, id)).has_value();
            default:
                return outcome(event_of(op));
        }
    }

    static SyncCommit commit_of(Op op, const std::string& id) {
        SyncCommit out;
        SyncChange change;
        change.id = id;
        change.state = MessageState::kRead;
        change.kind = op == Op::kSyncRead     ? SyncActionKind::kSetState
                      : op == Op::kSyncDelete ? SyncActionKind::kDeleteLocal
                                              : SyncActionKind::kRestoreLocal;
        if (op == Op::kSyncFound)
            out.found = {id};
        else if (op == Op::kSyncResend)
            out.push_again = {id};
        else
            out.changes = {change};
        return out;
    }

    // What the model says; does it.
    static bool expect(Op op, ModelMessage& m) {
        switch (op) {
            case Op::kMarkRead:
            case Op::kMarkNew: {
                if (m.deleted) return false;
                const bool read = op == Op::kMarkRead;
                if (m.read != read) m.read = read, ++m.history;
                return true;
            }
            case Op::kMove:
                if (m.deleted) return false;
                if (m.folder != "Saved") m.folder = "Saved", ++m.history;
                return true;
            case Op::kRemove:
            case Op::kRestore: {
                const bool deleted = op == Op::kRemove;
                if (m.deleted != deleted) m.deleted = deleted, ++m.history;
                return true;
            }
            case Op::kRetry: {
                if (m.deleted) return false;
                if (m.delivery == DeliveryState::kQueued) return true;
                if (m.delivery == DeliveryState::kFailed || m.delivery == DeliveryState::kOff)
                    m.attempts = 0;
                return transition(m, m.unsure && m.delivery == DeliveryState::kFailed
                                         ? DeliveryEvent::kLookAgain
                                         : DeliveryEvent::kRequeue);
            }
            case Op::kPostpone:
            case Op::kAbandon:
                return !m.deleted && transition(m, event_of(op));
            // A pass has seen a new message. Whatever it finds another way it leaves as it is.
            case Op::kSyncRead:
                if (!m.deleted && !m.read) m.read = true, ++m.history;
                return true;
            case Op::kSyncDelete:
                if (!m.deleted) m.deleted = true, ++m.history;
                return true;
            case Op::kSyncRestore:
                if (m.deleted) m.deleted = false, ++m.history;
                return true;
            case Op::kSyncFound:
                transition(m, DeliveryEvent::kFound);
                return true;
            case Op::kSyncResend:
                if (!m.deleted && transition(m, DeliveryEvent::kResend)) m.attempts = 0;
                return true;
            case Op::kIntent:
                if (m.deleted || m.postponed || !transition(m, DeliveryEvent::kIntent))
                    return false;
                ++m.attempts;
                return true;
            default:
                return transition(m, event_of(op));
        }
    }

    static DeliveryEvent event_of(Op op) {
        switch (op) {
            case Op::kAccepted:
                return DeliveryEvent::kAccepted;
            case Op::kDeferral:
                return DeliveryEvent::kDeferral;
            case Op::kFailure:
                return DeliveryEvent::kFailure;
            case Op::kReplyLost:
                return DeliveryEvent::kReplyLost;
            case Op::kSwitchOff:
                return DeliveryEvent::kSwitchOff;
            case Op::kGiveUp:
                return DeliveryEvent::kGiveUp;
            case Op::kPostpone:
                return DeliveryEvent::kPostpone;
            case Op::kAbandon:
                return DeliveryEvent::kAbandon;
            default:
                return DeliveryEvent::kFound;
        }
    }

    static void change(ModelMessage& m, DeliveryState to) {
        m.delivery = to, ++m.history;
        m.unsure = to == DeliveryState::kUncertain || (m.unsure && to != DeliveryState::kQueued);
    }

    static bool transition(ModelMessage& m, DeliveryEvent event) {
        const auto next = next_state(m.delivery, event);
        if (next) change(m, *next);
        // A look for an uncertain one leaves it as it is.
        if (next)
            m.postponed = event == DeliveryEvent::kPostpone ||
                          (event == DeliveryEvent::kDeferral && m.postponed);
        return next.has_value();
    }

    void compare() {
        const auto records = store_->list({mailbox_, {}, true});
        RC_ASSERT(records.has_value());
        RC_ASSERT(records->size() == messages_.size());
        std::size_t pending = 0, queue = 0;
        for (const MessageRecord& record : *records) {
            const ModelMessage& m = messages_.at(record.message.id);
            RC_ASSERT(record.message.state == (m.deleted ? MessageState::kDeleted
                                               : m.read  ? MessageState::kRead
                                                         : MessageState::kNew));
            RC_ASSERT(record.message.deleted_at.has_value() == m.deleted);
            RC_ASSERT(record.message.folder == m.folder);
            RC_ASSERT(record.delivery.state == m.delivery);
            RC_ASSERT(record.delivery.attempts == m.attempts);
            RC_ASSERT(record.delivery.postponed == m.postponed);
            RC_ASSERT(store_->history(record.message.id)->size() == m.history);
            using D = DeliveryState;
            if (m.deleted) continue;
            const bool waits = m.delivery == D::kQueued || m.delivery == D::kDeferred ||
                               m.delivery == D::kUncertain;
            pending += waits ? 1 : 0;
            queue += waits || m.delivery == D::kSending || m.delivery == D::kFailed ? 1 : 0;
        }
        RC_ASSERT(store_->pending(mailbox_)->size() == pending);
        RC_ASSERT(store_->queue()->size() == queue);
        const auto due = store_->due();
        RC_ASSERT(due->size() == (pending == 0 ? 0U : 1U));
        RC_ASSERT(store_->due(mailbox_)->has_value() == !due->empty());
    }

    void open() { store_ = root_.open(system_clock(), writer_); }

    const Root& root_;
    const std::shared_ptr<SharedWriter> writer_;
    const std::string mailbox_ = "101";
    std::unique_ptr<Store> store_;
    std::map<std::string, ModelMessage> messages_;
};

class ModelTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ModelTest);
    CPPUNIT_TEST(any_sequence_of_operations_does_what_the_model_says);
    CPPUNIT_TEST(so_it_does_by_a_shared_writer);
    CPPUNIT_TEST_SUITE_END();

    void any_sequence_of_operations_does_what_the_model_says() { check(false); }
    void so_it_does_by_a_shared_writer() { check(true); }

    static void check(bool shared) {
        const auto steps = rc::gen::container<std::vector<Step>>(rc::gen::apply(
            [](int op, unsigned which) {
                return Step{static_cast<Op>(op), which};
            },
            rc::gen::inRange(0, static_cast<int>(Op::kReopen) + 1), rc::gen::inRange(0U, 3U)));
        CPPUNIT_ASSERT(rc::check("the store is its model", [&] {
            const Root root;
            Model model(root, shared ? share_writer(root.paths) : nullptr);
            for (const Step& step : *steps) model.run(step);
        }));
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(ModelTest);

}  // namespace
