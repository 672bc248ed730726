// Which mailboxes a worker has in hand, in memory that it shares with the master: when it dies, the
// master reads there whose work it may have died of.
//
// The table has a fixed number of slots, more than a worker has threads. Noting costs two stores:
// no lock that a dead process could hold, and nothing to recover. A slot that was being written at
// the death says nothing: the work had not begun.
//
// InHandTable: made, read and cleared by the master while no worker uses it. InHand: any thread of
// the worker.
#ifndef VM_AGENT_IN_HAND_H
#define VM_AGENT_IN_HAND_H

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace vm::agent {

// What a thread does for a mailbox.
enum class Work : std::uint32_t { kPush, kSync, kVisit, kClose, kWaiting, kPurge, kTranscribe };
// "sending its messages"; for "the worker died while …".
const char* to_string(Work work);

class InHandTable {
  public:
    // Where there is no memory for it nothing is ever noted.
    InHandTable();
    ~InHandTable();
    InHandTable(const InHandTable&) = delete;
    InHandTable& operator=(const InHandTable&) = delete;

    // What was in hand when the worker ended; what a dying process may have scribbled is left out.
    std::map<std::string, std::vector<Work>> read() const;
    void clear();

  private:
    friend class InHand;
    enum State : std::uint32_t { kFree, kTaken, kNoted };
    struct Slot {
        std::atomic<std::uint32_t> state;
        std::uint32_t work;
        std::array<char, 16> mailbox;  // ends with a zero
    };
    static_assert(std::atomic<std::uint32_t>::is_always_lock_free);
    static constexpr std::size_t kSlots = 80;

    Slot* slots_ = nullptr;
};

// The note, for as long as the object lives. `table` may be null.
class InHand {
  public:
    InHand(InHandTable* table, const std::string& mailbox, Work work);
    ~InHand();
    InHand(const InHand&) = delete;
    InHand& operator=(const InHand&) = delete;

  private:
    InHandTable::Slot* slot_ = nullptr;
};

}  // namespace vm::agent

#endif
