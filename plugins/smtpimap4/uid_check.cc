#include "smtpimap4/uid_check.h"

#include <algorithm>

namespace vm::plug::imap {

void UidCheck::add(const std::vector<std::uint32_t>& uids, std::vector<Dialogue::Step>& steps) {
    first_ = steps.size();
    asked_ = uids;
    const auto pieces = chunks(uids, kUidsPerCommand);
    steps_ = pieces.size();
    for (const auto& piece : pieces)
        steps.push_back({"UID SEARCH UID " + uid_set(piece), [this](const Response& response) {
                             const auto* search = std::get_if<SearchData>(&response);
                             if (search == nullptr) return false;
                             ++answers_;
                             for (const std::uint32_t uid : search->uids)
                                 if (std::binary_search(asked_.begin(), asked_.end(), uid))
                                     there_.insert(uid);
                             return true;
                         }});
}

void UidCheck::require_answers(const std::vector<Condition>& done, const std::string& folder) {
    for (std::size_t i = 0; i < steps_; ++i) require(done[first_ + i], "UID SEARCH in " + folder);
    if (answers_ < steps_)
        give_up(VM_CAUSE_PROTOCOL, "UID SEARCH in " + folder + ": OK without a result");
}

bool UidCheck::there(std::uint32_t uid) const {
    return there_.count(uid) != 0;
}

}  // namespace vm::plug::imap
