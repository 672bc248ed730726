#include "smtpimap4/mover.h"

#include <algorithm>

namespace vm::plug::imap {

namespace {

using Step = Dialogue::Step;

// COPYUID's arguments (RFC 4315 section 3): UIDVALIDITY, old UIDs, new UIDs.
void read_arguments(const Condition& condition, Moved& moved) {
    if (condition.code != "COPYUID") return;
    const std::string& text = condition.arguments;
    const auto one = text.find(' ');
    const auto two = one == std::string::npos ? one : text.find(' ', one + 1);
    if (two == std::string::npos) return;
    const auto uidvalidity = parse_number(text.substr(0, one));
    const auto from = parse_uid_ranges(text.substr(one + 1, two - one - 1));
    const auto to = parse_uid_ranges(text.substr(two + 1));
    if (!uidvalidity || *uidvalidity == 0 || !from || !to || from->size() != to->size()) return;
    // (A MOVE may say it in several.)
    moved.uidvalidity = *uidvalidity;
    moved.from.add(*from);
    moved.to.add(*to);
}

}  // namespace

std::uint32_t Moved::uid_of(std::uint32_t uid) const {
    const auto index = from.index_of(uid);
    return index ? to.at(*index).value_or(0) : 0;
}

std::string out_of_scope(Link& link, const std::string& target) {
    return "folder " + link.to_host(target) + " is for deleted, junk, draft or sent mail";
}

Dialogue::Answer Mover::echo(const std::vector<std::uint32_t>& uids) {
    return [uids](const Response& response) {
        // (One with text in it was asked for by another command.)
        const auto* fetch = std::get_if<FetchData>(&response);
        return fetch != nullptr && fetch->sections.empty() &&
               std::find(uids.begin(), uids.end(), fetch->uid) != uids.end();
    };
}

Dialogue::Answer Mover::about(const std::vector<std::uint32_t>& uids) {
    const auto ours = [uids](std::uint32_t uid) {
        return std::find(uids.begin(), uids.end(), uid) != uids.end();
    };
    // EXPUNGE tells no UID: as many as there are messages are theirs.
    return [ours, uids, left = uids.size()](const Response& response) mutable {
        // (One with text in it was asked for by another command.)
        if (const auto* fetch = std::get_if<FetchData>(&response))
            return fetch->sections.empty() && ours(fetch->uid);
        if (const auto* gone = std::get_if<VanishedData>(&response))
            return gone->uids.only_of(uids);
        if (std::holds_alternative<ExpungeData>(response) && left > 0) {
            --left;
            return true;
        }
        return std::holds_alternative<Condition>(response);
    };
}

Dialogue::Answer Mover::read_copyuid(const std::vector<std::uint32_t>& uids, Moved& moved) {
    return [mine = about(uids), &moved](const Response& response) {
        if (const auto* condition = std::get_if<Condition>(&response))
            read_arguments(*condition, moved);
        return mine(response);
    };
}

Moved Mover::attempt(const std::vector<std::uint32_t>& uids, const std::string& target,
                     bool clear) {
    Moved moved;
    const std::string set = uid_set(uids);
    std::vector<Step> steps;
    if (clear) steps.push_back({"UID STORE " + set + " -FLAGS.SILENT (\\Deleted)", echo(uids)});
    const bool move = link_.can("MOVE");
    steps.push_back({(move ? "UID MOVE " : "UID COPY ") + set + " " + quoted(target),
                     read_copyuid(uids, moved)});
    link_.forget_count();
    moved.answer = link_.dialogue().run(steps).back();
    read_arguments(moved.answer, moved);
    if (moved.answer.status != Status::kOk || move) return moved;
    // The copy is there: what follows can only leave one message too many.
    moved.removed = remove(uids);
    if (moved.removed.answer.status != Status::kOk) moved.answer = moved.removed.answer;
    return moved;
}

Moved Mover::move(const std::vector<std::uint32_t>& uids, const std::string& target, bool clear) {
    Moved moved = attempt(uids, target, clear);
    if (moved.answer.status != Status::kNo) return moved;
    // TRYCREATE, which some servers do not say.
    if (moved.answer.code != "TRYCREATE" && link_.exists(target)) return moved;
    const Condition made = link_.try_create(target);
    if (made.status != Status::kOk) {
        moved.answer = made;
        moved.answer.text = "CREATE " + link_.to_host(target) + ": " + made.text;
        // (A server in trouble may do it another time, RFC 5530.)
        moved.no_target = made.status == Status::kNo && made.code != "UNAVAILABLE" &&
                          made.code != "INUSE" && made.code != "LIMIT" &&
                          made.code != "SERVERBUG" && made.code != "OVERQUOTA";
        return moved;
    }
    return attempt(uids, target, false);
}

Removed Mover::remove(const std::vector<std::uint32_t>& uids) {
    const std::string set = uid_set(uids);
    const bool expunges = link_.can("UIDPLUS");
    std::vector<Step> steps{{"UID STORE " + set + " +FLAGS.SILENT (\\Deleted)", echo(uids)}};
    if (expunges) steps.push_back({"UID EXPUNGE " + set, about(uids)});
    link_.forget_count();
    const auto done = link_.dialogue().run(steps);
    Removed out;
    out.answer = done.front();
    out.expunge = done.back();
    out.marked =
        done.front().status == Status::kOk && (!expunges || done.back().status != Status::kOk);
    return out;
}

}  // namespace vm::plug::imap
