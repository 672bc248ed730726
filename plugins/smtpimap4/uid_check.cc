#include "smtpimap4/uid_check.h"

#include <algorithm>

namespace vm::plug::imap {

namespace {

// Servers take lines of 8000 bytes (RFC 7162 section 4); a UID and its comma have at most eleven.
constexpr std::size_t kUidsPerCommand = 600;

}  // namespace

void UidCheck::add(const std::vector<std::uint32_t>& uids, std::vector<Dialogue::Step>& steps) {
    first_ = steps.size();
    const auto pieces = chunks(uids, kUidsPerCommand);
    steps_ = pieces.size();
    for (const auto& piece : pieces)
        steps.push_back({"UID SEARCH UID " + uid_set(piece), [this](const Response& response) {
                             const auto* search = std::get_if<SearchData>(&response);
                             if (search == nullptr) return false;
                             ++answers_;
                             there_.insert(there_.end(), search->uids.begin(), search->uids.end());
                             return true;
                         }});
}

void UidCheck::require_answers(const std::vector<Condition>& done, const std::string& folder) {
    for (std::size_t i = 0; i < steps_; ++i) require(done[first_ + i], "UID SEARCH in " + folder);
    if (answers_ < steps_)
        give_up(VM_CAUSE_PROTOCOL, "UID SEARCH in " + folder + ": OK without a result");
    std::sort(there_.begin(), there_.end());
}

bool UidCheck::there(std::uint32_t uid) const {
    return std::binary_search(there_.begin(), there_.end(), uid);
}

}  // namespace vm::plug::imap
