// The part of a visit that deletes: which mails go, what the server says to it, and what the host
// is told of each removal.
#include "smtppop3/drop.h"

#include <algorithm>

namespace vm::plug::pop3 {

// What else is called as the mails that are to be deleted.
void Drop::look_at_namesakes(const vm_drop& drop) {
    std::set<std::string> names;
    for (std::size_t i = 0; i < drop.removal_count; ++i)
        for (const std::size_t match : matches(drop.removals[i]))
            names.insert(mails_.at(match).unique_id);
    std::set<std::size_t> out;
    for (const std::string& name : names)
        for (const std::size_t number : numbers_of(name))
            if (!mails_.at(number).shown) out.insert(number);
    look_at_all(out);
}

// The mails that have a removal's header and one unique-id: nothing says which of them is meant.
// (RFC 1939 section 7 allows it for copies.) "": there are none such.
std::string Drop::shared_unique_id(const std::vector<std::size_t>& numbers) const {
    std::set<std::string> seen;
    for (const std::size_t number : numbers)
        if (const std::string& one = mails_.at(number).unique_id; !seen.insert(one).second)
            return one;
    return {};
}

// The numbers of the mails to delete, ascending.
std::vector<std::size_t> Drop::doomed(const vm_drop& drop, const vm_drop_sink& sink) {
    std::set<std::size_t> out;
    for (std::size_t i = 0; i < drop.removal_count; ++i) {
        const std::vector<std::size_t> numbers = matches(drop.removals[i]);
        if (numbers.empty() || !shared_unique_id(numbers).empty()) continue;
        if (sink.confirm(sink.context, i) != 0)
            out.insert(numbers.begin(), numbers.end());
        else
            unwanted_.insert(i);
    }
    return {out.begin(), out.end()};
}

// One round trip where the server takes commands in a row; QUIT is the last.
void Drop::quit(const std::vector<std::size_t>& doomed) {
    std::vector<std::string> commands;
    commands.reserve(doomed.size() + 1);
    for (const std::size_t number : doomed) commands.push_back("DELE " + std::to_string(number));
    commands.emplace_back("QUIT");
    std::size_t sent = 0;
    for (std::size_t i = 0; i < commands.size(); ++i) {
        if (i == sent) {
            const std::size_t to = std::min(commands.size(), i + pace());
            send({commands.begin() + static_cast<std::ptrdiff_t>(i),
                  commands.begin() + static_cast<std::ptrdiff_t>(to)});
            sent = to;
        }
        const Reply answer = reply();
        if (i < doomed.size()) {
            if (!answer.ok) mails_[doomed[i]].refused = host_.hide(answer.text);
        } else if (!answer.ok) {
            lose(VM_CAUSE_REPLY, "QUIT: " + answer.text);
        }
    }
}

void Drop::tell(const vm_drop& drop, const vm_drop_sink& sink) {
    for (std::size_t i = 0; i < drop.removal_count; ++i) {
        const std::set<std::size_t>& listed =
            numbers_of(is_named(drop.removals[i]) ? drop.removals[i].unique_id : "");
        const std::vector<std::size_t> numbers = matches(drop.removals[i]);
        const std::string shared = shared_unique_id(numbers);
        vm_change_outcome outcome = VM_CHANGE_DONE;
        std::string words;
        for (const std::size_t number : numbers)
            if (!mails_[number].refused.empty()) words = mails_[number].refused;
        if (!shared.empty()) {
            outcome = VM_CHANGE_REFUSED;
            words = host_.hide("several mails in the account have its header and the unique-id \"" +
                               shared + "\"; delete them there, or all but one");
        } else if (unwanted_.count(i) != 0) {
            outcome = VM_CHANGE_CANNOT;
        } else if (!words.empty()) {
            outcome = VM_CHANGE_REFUSED;
        } else if (numbers.empty() && listed.empty()) {
            outcome = VM_CHANGE_MISSING;
        } else if (numbers.empty()) {
            const bool shown = std::all_of(listed.begin(), listed.end(), [&](std::size_t number) {
                return mails_.at(number).shown;
            });
            outcome = shown ? VM_CHANGE_OTHER : VM_CHANGE_REFUSED;
            words = outcome == VM_CHANGE_REFUSED ? "the server does not show it" : "";
        }
        sink.removed(sink.context, i, static_cast<std::uint8_t>(outcome), words.c_str());
    }
}

}  // namespace vm::plug::pop3
