#include "asterisk/box_sync.h"

#include "base/crash_point.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <unistd.h>

namespace vm::asterisk {

using store::kGone;
using store::Placement;

namespace {

// Between the two looks that have to find a message nowhere.
constexpr std::int64_t kSecondLookMs = 2000;
constexpr std::int64_t kRetryMs = 1000;
// After what may need a person, or a disk that has room again.
constexpr std::int64_t kTroubleMs = 10'000;
constexpr std::int64_t kForEver = std::numeric_limits<std::int64_t>::max();
// So many changes are made under one lock.
constexpr std::size_t kWishes = 50;
constexpr std::int64_t kDayMs = 24LL * 3600 * 1000;

// Where a message lies, as far as the merge is concerned. While what was agreed on is still true of
// one copy, another one is Asterisk's business: it copies before it removes.
std::string state_in_spool(const SpoolMessage& message, const std::string& unit,
                           const std::string& agreed) {
    const auto lies_in = [&](const std::string& folder) {
        return std::any_of(message.places.begin(), message.places.end(),
                           [&](const Place& place) { return place.folder == folder; });
    };
    if (agreed != kGone && lies_in(agreed)) return agreed;
    if (unit != kGone && lies_in(unit)) return unit;
    for (const Place& place : message.places)
        if (place.folder != kDeleted) return place.folder;
    return kGone;
}

}  // namespace

void Notices::say(const std::string& about, const std::string& text) {
    std::string& said = said_[about];
    if (said == text) return;
    said = text;
    if (!text.empty()) trace(TraceLevel::kWarning, "{}", text);
}

// One that the unit does not know.
Result<> BoxSync::take(const SpoolMessage& message, Done& done) {
    const std::string& folder = message.places.front().folder;
    const std::string file =
        (spool_.directory(box_) / folder / fmt::format("msg{:04}", message.places.front().number))
            .string();
    if (message.forms.empty()) {
        refuse(message,
               fmt::format("{}: it has no recording that the unit can take{}; it is left to "
                           "Asterisk (have voicemail.conf name wav or wav49 in format)",
                           file, message.other_forms.empty() ? "" : " but " + message.other_forms),
               kForEver);
        return {};
    }
    store::NewMessage incoming;
    Message& m = incoming.message;
    m.mailbox = number_;
    m.kind = MessageKind::kVoice;
    m.origin = message.origin;
    m.caller_name = message.envelope.caller_name;
    m.caller_number = message.envelope.caller_number;
    const TimeMs now = unit_.clock.now();
    m.received = message.envelope.origtime > 0 ? message.envelope.origtime * 1000 : now;
    const bool urgent = message.envelope.urgent && folder != kInbox;
    const Placement placed = placement_for(folder, {MessageState::kNew, "", urgent});
    m.state = placed.state;
    m.folder = placed.folder;
    m.urgent = placed.urgent;
    incoming.agreed = folder;
    incoming.extension = "wav";
    if (dry_) {
        done.plan.push_back(fmt::format("{}: becomes a message of mailbox {}", file, number_));
        return {};
    }
    VM_TRY(unit_.prepare(incoming));
    if (incoming.delivery == DeliveryState::kQueued &&
        m.received < now - settings_.backlog_days * kDayMs) {
        incoming.delivery = DeliveryState::kOff;
        incoming.delivery_reason = fmt::format(
            "it was recorded more than {} days before Asterisk's mailbox was first looked at "
            "(Backlog Days)",
            settings_.backlog_days);
    }
    // What the unit knows must not vanish from the spool with the power: that would be a deletion.
    for (const auto* files : {&message.files, &message.audio})
        for (const UniqueFd& fd : *files)
            if (fd && ::fsync(fd.get()) != 0) return fail_errno(errno, "fsync", file);
    for (std::size_t form = 0; form < message.audio.size(); ++form) {
        incoming.file = fmt::format("/proc/self/fd/{}", message.audio[form].get());
        auto id = unit_.store.add(incoming);
        if (id) {
            VM_CRASH_POINT("added from spool");
            trace(TraceLevel::kInfo, "{}: {} is message {} of mailbox {}", box_.text(), file, *id,
                  number_);
            ++done.added;
            notices_.forget(message.origin);
            return {};
        }
        id.error().object = file;
        if (id.error().kind == ErrorKind::kUsage) {
            // Mostly, that it came to another mailbox, before [Mailboxes] was changed.
            id.error().hint = "it is left to Asterisk";
        } else if (id.error().kind != ErrorKind::kMessage) {
            return fail(id.error());
        } else if (form + 1 < message.audio.size()) {
            continue;
        }
        refuse(message, id.error().text(), kForEver);
        return {};
    }
    return {};
}

void BoxSync::refuse(const SpoolMessage& message, const std::string& words, std::int64_t until) {
    refused_[message.origin] = {message.stamp, until};
    notices_.say(message.origin, words);
}

void BoxSync::take_all(const Look& look, Done& done) {
    for (const SpoolMessage& message : look.messages) {
        if (!message.fresh) continue;
        if (const auto taken = take(message, done); !taken) {
            refuse(message, box_.text() + ": " + taken.error().text(),
                   unit_.clock.steady_ms() + kTroubleMs);
            ++done.failed;
        }
    }
    if (look.more) done.again_ms = 0;
}

// Where nothing is missing, it is the mailbox; where something is, only with its mark. (Then what
// comes from there belongs to no mark either: it would be missing in the directory that comes
// back.)
void BoxSync::check_identity(const std::vector<Known>& known, bool release) {
    const SpoolId id(unit_.paths, spool_.directory(box_), box_);
    is_known_ = id.is_known();
    if (is_known_ || dry_) return;
    const bool is_missing = std::any_of(known.begin(), known.end(), [](const Known& one) {
        return one.message == nullptr && one.row->agreed != kGone;
    });
    const auto done = is_missing && !release ? id.forget() : id.adopt();
    is_known_ = done && (!is_missing || release);
    notices_.say(box_.text() + " identity", done ? "" : box_.text() + ": " + done.error().text());
}

// Those that were found nowhere, for sure.
std::set<std::string> BoxSync::certainly_gone(const std::vector<Known>& known, const Look& look,
                                              bool release, Done& done) {
    const std::int64_t now = unit_.clock.steady_ms();
    std::set<std::string> gone;
    std::int64_t there = 0, would_go = 0;
    for (const auto& [row, message] : known) {
        const bool is_wanted = row->placed && row->placed->state != MessageState::kDeleted;
        if (row->agreed != kGone && is_wanted) ++there;
        if (message != nullptr || row->agreed == kGone) {
            missed_.erase(row->origin);
            if (message == nullptr) gone.insert(row->origin);
            continue;
        }
        if (!look.unread.empty() || !look.folders.contains(row->agreed)) continue;
        const auto [first, is_first] = missed_.try_emplace(row->origin, now);
        if (is_first || now - first->second < kSecondLookMs) {
            done.again_ms = std::max<std::int64_t>(first->second + kSecondLookMs - now, 1);
            continue;
        }
        gone.insert(row->origin);
        if (is_wanted) ++would_go;
    }
    const std::string about = box_.text() + " mass deletion";
    const bool too_many = would_go > unit_.mass_deletion_limit && would_go * 2 > there;
    if (would_go == 0 || release || (is_known_ && !too_many)) {
        notices_.forget(about);
        return gone;
    }
    done.held = true;
    const std::string words = fmt::format(
        "{}: {} of {} messages are gone from {}{}; none of them is deleted until `vmasterisk "
        "--once --release {}` is run",
        box_.text(), would_go, there, spool_.directory(box_).string(),
        is_known_ ? "" : ", which is not the directory they were in: is the spool mounted?",
        number_);
    if (dry_)
        done.plan.push_back(words);
    else
        notices_.say(about, words);
    for (const auto& [row, message] : known)
        if (message == nullptr && row->agreed != kGone) gone.erase(row->origin);
    return gone;
}

Result<> BoxSync::carry_out(const std::vector<Wish>& wishes, const Origins& origins, Done& done) {
    using How = Granted::How;
    for (std::size_t at = 0; at < wishes.size(); at += kWishes) {
        const std::vector<Wish> some(
            wishes.begin() + static_cast<std::ptrdiff_t>(at),
            wishes.begin() + static_cast<std::ptrdiff_t>(std::min(at + kWishes, wishes.size())));
        VM_ASSIGN(const std::vector<Granted> granted, spool_.change(box_, some, origins));
        VM_CRASH_POINT("changed spool");
        for (std::size_t i = 0; i < some.size(); ++i) {
            const Wish& wish = some[i];
            const auto [how, words] = granted[i];
            if (how == How::kElsewhere) done.again_ms = kRetryMs;
            if (how == How::kFull)
                notices_.say(wish.origin, fmt::format("{}: {} cannot go to {}: that folder is full "
                                                      "(Max Messages)",
                                                      box_.text(), wish.origin, wish.to));
            if (how == How::kFailed) {
                notices_.say(
                    wish.origin,
                    fmt::format("{}: {} cannot {}: {}", box_.text(), wish.origin,
                                wish.to == kGone ? "be removed" : "go to " + wish.to, words));
                ++done.failed;
                done.retry_ms = kTroubleMs;
            }
            if (how != How::kDone) continue;
            notices_.forget(wish.origin);
            VM_TRY(unit_.store.agree({wish.origin, wish.to, {}, {}, ""}));
            (wish.to == kGone ? done.removed : done.moved) += 1;
            trace(TraceLevel::kInfo, "{}: {} {}", box_.text(), wish.origin,
                  wish.to == kGone ? "removed from " + wish.from : "moved to " + wish.to);
        }
    }
    return {};
}

Result<> BoxSync::settle(const std::vector<Known>& known, const Origins& origins, const Look& look,
                         bool release, Done& done) {
    const std::set<std::string> gone = certainly_gone(known, look, release, done);
    std::vector<Wish> wishes;
    for (const auto& [row, message] : known) {
        if (message == nullptr && !gone.contains(row->origin)) continue;
        const std::string unit_plain = folder_for(row->placed, "", settings_.move_heard);
        const std::string spool =
            message != nullptr ? state_in_spool(*message, unit_plain, row->agreed) : kGone;
        const std::string unit = folder_for(row->placed, spool, settings_.move_heard);
        const bool in_deleted = message != nullptr && spool == kGone;
        const Decision decision = decide(unit, spool, row->agreed, in_deleted);
        if (decision.step == Step::kNothing) continue;
        if (dry_ && decision.step != Step::kAgree) {
            done.plan.push_back(
                fmt::format("{}: {} in the spool, {} in the unit: {}", row->origin, spool, unit,
                            decision.step == Step::kFollow   ? "the unit follows"
                            : decision.step == Step::kRemove ? "is removed from the spool"
                                                             : "is moved to " + decision.folder));
        }
        if (dry_) continue;
        switch (decision.step) {
            case Step::kNothing:
                break;
            case Step::kAgree:
                VM_TRY(unit_.store.agree({row->origin, decision.folder, {}, {}, ""}));
                break;
            case Step::kFollow: {
                if (!row->placed) break;
                const Placement wanted = placement_for(decision.folder, *row->placed);
                VM_ASSIGN(const bool agreed,
                          unit_.store.agree({row->origin, decision.folder, row->placed, wanted,
                                             decision.folder == kGone
                                                 ? "deleted in Asterisk"
                                                 : "in Asterisk's folder " + decision.folder}));
                if (!agreed) {
                    done.again_ms = 0;  // the unit has changed it meanwhile
                    break;
                }
                VM_CRASH_POINT("followed spool");
                ++done.followed;
                break;
            }
            case Step::kRemove:
            case Step::kMove:
                wishes.push_back({row->origin, spool == kGone ? kDeleted : spool, decision.folder});
                break;
        }
    }
    return carry_out(wishes, origins, done);
}

Result<BoxSync::Done> BoxSync::run(bool release, bool dry) {
    dry_ = dry;
    VM_ASSIGN(std::vector<store::Origin> rows, unit_.store.origins(number_));
    const std::string prefix = spool_.prefix(box_);
    std::erase_if(rows, [&](const store::Origin& row) { return !row.origin.starts_with(prefix); });
    Origins origins;
    for (const store::Origin& row : rows) origins.insert(row.origin);
    const std::int64_t begun = unit_.clock.steady_ms();
    std::erase_if(refused_, [&](const auto& refused) { return refused.second.until <= begun; });
    VM_ASSIGN(const Look look, spool_.look(box_, origins, refused_, dry));
    notices_.say(box_.text() + " unread",
                 look.unread.empty() ? ""
                                     : fmt::format("{}: {}; until this is in order, nothing is "
                                                   "taken for deleted there",
                                                   box_.text(), look.unread.front()));
    std::vector<Known> known;
    for (const store::Origin& row : rows) {
        const auto found = std::lower_bound(
            look.messages.begin(), look.messages.end(), row.origin,
            [](const SpoolMessage& m, const std::string& origin) { return m.origin < origin; });
        const bool is_there = found != look.messages.end() && found->origin == row.origin;
        known.push_back({&row, is_there ? &*found : nullptr});
    }
    Done done;
    check_identity(known, release);
    take_all(look, done);
    const auto result = settle(known, origins, look, release, done);
    if (done.added + done.followed > 0) unit_.changed(number_);
    if (!result) return fail(result.error());
    const auto retry = [&](std::int64_t ms) {
        done.retry_ms = std::min(done.retry_ms.value_or(ms), std::max<std::int64_t>(ms, 1));
    };
    if (look.retry) retry(kTroubleMs);
    for (const auto& [origin, refused] : refused_)
        if (refused.until != kForEver) retry(refused.until - begun);
    return done;
}

}  // namespace vm::asterisk
