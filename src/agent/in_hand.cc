#include "agent/in_hand.h"

#include "base/text.h"

#include <algorithm>
#include <string_view>
#include <sys/mman.h>

namespace vm::agent {

const char* to_string(Work work) {
    switch (work) {
        case Work::kPush:
            return "sending its messages";
        case Work::kSync:
            return "synchronising its account";
        case Work::kVisit:
            return "visiting its maildrop";
        case Work::kClose:
            return "closing its connection";
        case Work::kWaiting:
            return "telling of its waiting messages";
        case Work::kPurge:
            return "removing its deleted messages";
        case Work::kTranscribe:
            return "transcribing a message";
    }
    return "working for it";
}

InHandTable::InHandTable() {
    // Zeros: every slot is free.
    void* const memory = ::mmap(nullptr, kSlots * sizeof(Slot), PROT_READ | PROT_WRITE,
                                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory != MAP_FAILED) slots_ = static_cast<Slot*>(memory);
}

InHandTable::~InHandTable() {
    if (slots_) ::munmap(slots_, kSlots * sizeof(Slot));
}

std::map<std::string, std::vector<Work>> InHandTable::read() const {
    std::map<std::string, std::vector<Work>> out;
    for (const Slot* slot = slots_; slot && slot != slots_ + kSlots; ++slot) {
        const auto& name = slot->mailbox;
        const std::string mailbox(name.begin(), std::find(name.begin(), name.end(), '\0'));
        if (slot->state != kNoted || slot->work > static_cast<std::uint32_t>(Work::kTranscribe) ||
            !is_mailbox_number(mailbox))
            continue;
        auto& works = out[mailbox];
        const auto work = static_cast<Work>(slot->work);
        if (std::find(works.begin(), works.end(), work) == works.end()) works.push_back(work);
    }
    return out;
}

void InHandTable::clear() {
    for (Slot* slot = slots_; slot && slot != slots_ + kSlots; ++slot) slot->state = kFree;
}

InHand::InHand(InHandTable* table, const std::string& mailbox, Work work) {
    if (!table || !table->slots_) return;
    for (InHandTable::Slot* slot = table->slots_; slot != table->slots_ + InHandTable::kSlots;
         ++slot) {
        std::uint32_t free = InHandTable::kFree;
        if (!slot->state.compare_exchange_strong(free, InHandTable::kTaken)) continue;
        const std::size_t length = std::min(mailbox.size(), slot->mailbox.size() - 1);
        mailbox.copy(slot->mailbox.data(), length);
        slot->mailbox.at(length) = '\0';
        slot->work = static_cast<std::uint32_t>(work);
        slot->state = InHandTable::kNoted;
        slot_ = slot;
        return;
    }
}

InHand::~InHand() {
    if (slot_) slot_->state = InHandTable::kFree;
}

}  // namespace vm::agent
