#include "transport/account.h"

#include "base/text.h"
#include "transport/report.h"
#include "transport/session_state.h"

#include <algorithm>

namespace vm::transport {

namespace {

// Larger than any account's; a plugin that gives more has lost its way.
constexpr std::size_t kMostFolders = 20'000;
constexpr std::size_t kLongestFolder = 1000;

std::uint32_t bits_of(const MailFlags& flags) {
    return (flags.seen ? VM_FLAG_SEEN : 0) | (flags.flagged ? VM_FLAG_FLAGGED : 0) |
           (flags.deleted ? VM_FLAG_DELETED : 0);
}
MailFlags flags_of(std::uint32_t bits) {
    return {(bits & VM_FLAG_SEEN) != 0, (bits & VM_FLAG_FLAGGED) != 0,
            (bits & VM_FLAG_DELETED) != 0};
}

bool is_name(const char* name) {
    if (name == nullptr) return false;
    const std::string_view text(name);
    return !text.empty() && text.size() <= kLongestFolder && is_utf8(text) &&
           sanitize_line(text) == text;
}

AccountFailure nonsense(const char* what) {
    return {AccountFault::kStalls, std::string("the plugin's answer makes no sense: ") + what};
}

// A server in trouble may say so at the login (RFC 5530), or break off there.
bool is_about_login(std::uint8_t cause, const std::string& text) {
    if (cause != VM_CAUSE_REPLY) return cause != VM_CAUSE_LOST && cause != VM_CAUSE_TIMEOUT;
    const std::string words = to_lower(text);
    const auto says = [&](const char* code) { return words.find(code) != std::string::npos; };
    return !says("[unavailable]") && !says("[inuse]") && !says("[limit]") && !says("[serverbug]");
}

AccountFailure failure_of(const vm_account_report& report) {
    const auto text = field_text(report.text, sizeof report.text);
    if (!text || text->empty()) return nonsense("a failure without a reason");
    AccountFailure out{AccountFault::kStalls, *text};
    out.replied = report.cause == VM_CAUSE_REPLY;
    out.logged_in = report.step > VM_STEP_AUTH;
    switch (report.cause) {
        case VM_CAUSE_CONFIG:
            out.fault = AccountFault::kConfig;
            break;
        case VM_CAUSE_CANCELLED:
            out.fault = AccountFault::kCancelled;
            break;
        default:
            if ((report.step == VM_STEP_GREETING && report.cause == VM_CAUSE_REPLY) ||
                (report.step <= VM_STEP_GREETING && report.cause == VM_CAUSE_LOST))
                out.fault = AccountFault::kTurnedAway;
            else if (report.step < VM_STEP_AUTH)
                out.fault = AccountFault::kServer;
            else if (report.step == VM_STEP_AUTH && is_about_login(report.cause, *text))
                out.fault = AccountFault::kLogin;
            else if (report.step == VM_STEP_AUTH)
                out.fault = AccountFault::kStalls;
            else if (report.cause == VM_CAUSE_REPLY)
                out.fault = AccountFault::kRefused;
            break;
    }
    return out;
}

// Only what is the same on both sides can be compared.
std::string message_id_of(const char* text) {
    const std::string out = text == nullptr ? "" : text;
    return sanitize_line(out) == out ? out : "";
}

// What a sink's functions fill; nothing may be thrown through the plugin.
struct FolderSink {
    std::vector<FolderState> folders;
    bool senseless = false;

    static void add(void* context, const vm_folder* folder) noexcept {
        auto& self = *static_cast<FolderSink*>(context);
        try {
            if (folder == nullptr || !is_name(folder->name) ||
                self.folders.size() >= kMostFolders) {
                self.senseless = true;
                return;
            }
            self.folders.push_back(
                {folder->name, folder->uidvalidity, folder->uid_next, folder->modseq});
        } catch (...) {
            self.senseless = true;
        }
    }
};

struct NewsSink {
    const FolderLook& look;
    FolderNews news;
    bool senseless = false;

    bool was_asked(std::uint32_t uid) const {
        return std::binary_search(look.uids.begin(), look.uids.end(), uid);
    }
    template <class Add>
    static void guarded(void* context, Add add) noexcept {
        auto& self = *static_cast<NewsSink*>(context);
        try {
            if (!add(self)) self.senseless = true;
        } catch (...) {
            self.senseless = true;
        }
    }
    static void flags(void* context, std::uint32_t uid, std::uint32_t bits) noexcept {
        guarded(context, [&](NewsSink& self) {
            self.news.flags.emplace_back(uid, flags_of(bits));
            return self.was_asked(uid);
        });
    }
    static void gone(void* context, std::uint32_t uid) noexcept {
        guarded(context, [&](NewsSink& self) {
            self.news.gone.push_back(uid);
            return self.was_asked(uid);
        });
    }
    static void found(void* context, const vm_found* message) noexcept {
        guarded(context, [&](NewsSink& self) {
            if (message == nullptr || message->uid == 0 || message->id == nullptr) return false;
            FoundMail mail{message->uid, flags_of(message->flags), sanitize_line(message->id),
                           message_id_of(message->message_id)};
            const bool ours = !mail.id.empty();
            if (!ours && !self.look.others) return false;
            if (ours || self.look.others(mail)) self.news.found.push_back(std::move(mail));
            return true;
        });
    }
};

std::optional<MailChangeResult> result_of(const vm_change_result& from) {
    const auto folder = field_text(from.folder, sizeof from.folder);
    const auto text = field_text(from.text, sizeof from.text);
    if (!folder || !text || from.outcome > VM_CHANGE_MARKED) return std::nullopt;
    MailChangeResult out;
    out.outcome = static_cast<MailChangeOutcome>(from.outcome);
    out.place = {*folder, from.uidvalidity, from.uid};
    out.text = *text;
    return out;
}
static_assert(static_cast<int>(MailChangeOutcome::kMarked) == VM_CHANGE_MARKED &&
              static_cast<int>(MailChangeKind::kExpunge) == VM_CHANGE_EXPUNGE &&
              static_cast<int>(ScopeMode::kFolder) == VM_SCOPE_FOLDER);

struct ResultSink {
    std::vector<std::optional<MailChangeResult>>& results;
    bool senseless = false;

    static void add(void* context, std::size_t index, const vm_change_result* result) noexcept {
        auto& self = *static_cast<ResultSink*>(context);
        try {
            auto out = result == nullptr ? std::nullopt : result_of(*result);
            if (!out || index >= self.results.size())
                self.senseless = true;
            else
                self.results[index] = std::move(out);
        } catch (...) {
            self.senseless = true;
        }
    }
};

static_assert(static_cast<int>(DropOutcome::kRefused) == VM_CHANGE_REFUSED &&
              static_cast<int>(DropOutcome::kUnwanted) == VM_CHANGE_CANNOT);

struct VisitSink {
    const DropVisit& visit;
    DropNews news;
    std::vector<std::optional<DropResult>> results;
    bool senseless = false;

    template <class Function>
    static void guarded(void* context, Function function) noexcept {
        auto& self = *static_cast<VisitSink*>(context);
        try {
            if (!function(self)) self.senseless = true;
        } catch (...) {
            self.senseless = true;
        }
    }
    static int mail(void* context, const vm_drop_mail* mail) noexcept {
        bool wanted = false;
        guarded(context, [&](VisitSink& self) {
            if (mail == nullptr || mail->unique_id == nullptr || mail->id == nullptr) return false;
            const std::string unique_id = mail->unique_id;
            if (unique_id.empty() || sanitize_line(unique_id) != unique_id) return false;
            self.news.mails.push_back(
                {unique_id, sanitize_line(mail->id), message_id_of(mail->message_id)});
            wanted = self.visit.wanted && self.visit.wanted(self.news.mails.back());
            return true;
        });
        return wanted ? 1 : 0;
    }
    static void gone(void* context, const char* unique_id) noexcept {
        guarded(context, [&](VisitSink& self) {
            if (unique_id == nullptr ||
                !std::binary_search(self.visit.known.begin(), self.visit.known.end(),
                                    std::string(unique_id)))
                return false;
            self.news.gone.emplace_back(unique_id);
            return true;
        });
    }
    static void content(void* context, const char* unique_id, const void* data,
                        std::size_t size) noexcept {
        guarded(context, [&](VisitSink& self) {
            if (unique_id == nullptr || size > self.visit.content_size || !self.visit.content)
                return false;
            self.visit.content(unique_id, {static_cast<const char*>(data), size});
            return true;
        });
    }
    static int confirm(void* context, std::size_t index) noexcept {
        bool wanted = false;
        guarded(context, [&](VisitSink& self) {
            if (index >= self.results.size()) return false;
            wanted = !self.visit.confirm || self.visit.confirm(index);
            return true;
        });
        return wanted ? 1 : 0;
    }
    static void removed(void* context, std::size_t index, std::uint8_t outcome,
                        const char* text) noexcept {
        guarded(context, [&](VisitSink& self) {
            if (index >= self.results.size() || outcome > VM_CHANGE_CANNOT) return false;
            self.results[index] = {static_cast<DropOutcome>(outcome),
                                   text == nullptr ? "" : sanitize_line(text)};
            return true;
        });
    }
};

bool has_nul(const std::string& text) {
    return text.find('\0') != std::string::npos;
}

}  // namespace

// Runs one function of the plugin: `call` gets its table, its session and the report. Without
// `unsupported` VM_NOT_SUPPORTED is a failure too.
template <class Call>
std::optional<AccountFailure> AccountSession::call(Call call, bool* unsupported) {
    vm_account_report report{};
    report.struct_size = sizeof report;
    int status = VM_FAILED;
    try {
        status = call(*session_.state_->table, session_.state_->session, report);
    } catch (...) {
        return AccountFailure{AccountFault::kStalls,
                              session_.state_->plugin + " threw an exception"};
    }
    stats_ = {(report.features & VM_FEATURE_IDLE) != 0,
              (report.features & VM_FEATURE_CONDSTORE) != 0,
              (report.features & VM_FEATURE_QRESYNC) != 0,
              (report.features & VM_FEATURE_NOTIFY) != 0,
              (report.features & VM_FEATURE_MOVE) != 0,
              (report.features & VM_FEATURE_UIDPLUS) != 0,
              report.bytes_sent,
              report.bytes_received,
              report.round_trips,
              report.connected != 0};
    traffic_.add(report.connected != 0, report.bytes_sent, report.bytes_received,
                 report.round_trips);
    if (unsupported != nullptr) *unsupported = status == VM_NOT_SUPPORTED;
    if (status == VM_OK || (unsupported != nullptr && *unsupported)) return std::nullopt;
    return failure_of(report);
}

Result<AccountSession> AccountSession::open(const Plugin& plugin, const SessionOptions& options) {
    if (!plugin.can_sync() && !plugin.can_visit())
        return fail(ErrorKind::kConfig, "open account", options.account.host,
                    plugin.name() + " does not synchronise");
    VM_ASSIGN(Session session, plugin.open(options));
    return AccountSession(std::move(session));
}

AccountResult<std::vector<FolderState>> AccountSession::folders(const AccountScope& scope) {
    vm_scope out{};
    out.struct_size = sizeof out;
    out.mode = static_cast<std::uint8_t>(scope.mode);
    out.read_only = scope.read_only ? 1 : 0;
    out.behind_look = scope.behind_look ? 1 : 0;
    out.folder = scope.folder.c_str();
    FolderSink sink;
    if (auto failure = call([&](auto& table, auto* session, auto& report) {
            return table.folders(session, &out, &sink, FolderSink::add, &report);
        }))
        return tl::unexpected(std::move(*failure));
    if (sink.senseless) return tl::unexpected(nonsense("a folder"));
    std::sort(sink.folders.begin(), sink.folders.end(),
              [](const auto& a, const auto& b) { return a.name < b.name; });
    for (std::size_t i = 1; i < sink.folders.size(); ++i)
        if (sink.folders[i].name == sink.folders[i - 1].name)
            return tl::unexpected(nonsense("two folders of one name"));
    return std::move(sink.folders);
}

AccountResult<FolderNews> AccountSession::look(const FolderLook& look) {
    vm_look out{};
    out.struct_size = sizeof out;
    out.every = look.every ? 1 : 0;
    out.then_folders = look.then_folders ? 1 : 0;
    out.others = look.others ? 1 : 0;
    out.folder = look.since.name.c_str();
    out.uidvalidity = look.since.uidvalidity;
    out.uid_next = look.since.uid_next;
    out.modseq = look.since.modseq;
    out.uids = look.uids.data();
    out.uid_count = look.uids.size();
    NewsSink sink{look, {}, false};
    const vm_look_sink functions{&sink, NewsSink::flags, NewsSink::gone, NewsSink::found};
    const auto call_once = [&](vm_look_result& result) -> std::optional<AccountFailure> {
        result.struct_size = sizeof result;
        if (auto failure = call([&](auto& table, auto* session, auto& report) {
                return table.look(session, &out, &functions, &result, &report);
            }))
            return failure;
        if (sink.senseless || result.uidvalidity == 0) return nonsense("a message");
        return std::nullopt;
    };
    FolderState& state = sink.news.state;
    for (bool first = true; first || out.uid_next != 0; first = false) {
        vm_look_result result{};
        const std::size_t flags = sink.news.flags.size(), gone = sink.news.gone.size(),
                          found = sink.news.found.size();
        if (auto failure = call_once(result)) {
            // What a part said that failed, or made no sense, teaches nothing.
            sink.news.flags.resize(flags);
            sink.news.gone.resize(gone);
            sink.news.found.resize(found);
            if (first) return tl::unexpected(std::move(*failure));
            state.uid_next = std::min(state.uid_next, out.uid_next);
            sink.news.failure = std::move(failure);
            break;
        }
        if (first)
            state = {look.since.name, result.uidvalidity, result.uid_next, result.modseq};
        else if (state.uidvalidity != result.uidvalidity)
            return tl::unexpected(AccountFailure{
                AccountFault::kStalls, look.since.name + " was replaced while it was looked at"});
        state.uid_next = std::min(state.uid_next, result.uid_next);
        if (result.go_on != 0 && !first && result.go_on <= out.uid_next)
            return tl::unexpected(nonsense("a look without end"));
        out.every = 0;
        out.uidvalidity = state.uidvalidity;
        out.uid_next = result.go_on;
        out.modseq = 0;
        out.uid_count = 0;
    }
    if (state.uidvalidity != look.since.uidvalidity &&
        (!sink.news.flags.empty() || !sink.news.gone.empty()))
        return tl::unexpected(nonsense("known messages under another UIDVALIDITY"));
    return std::move(sink.news);
}

std::optional<AccountFailure> AccountSession::apply(
    const std::string& folder, std::uint32_t uidvalidity, const std::vector<MailChange>& changes,
    std::vector<std::optional<MailChangeResult>>& results) {
    std::vector<vm_change> out;
    for (const MailChange& change : changes) {
        if (has_nul(change.to) || has_nul(change.id) || has_nul(change.message_id))
            return AccountFailure{AccountFault::kConfig, "NUL in a name"};
        vm_change one{};
        one.struct_size = sizeof one;
        one.kind = static_cast<std::uint8_t>(change.kind);
        one.uid = change.uid;
        one.add = bits_of(change.add);
        one.remove = bits_of(change.remove);
        one.id = change.id.c_str();
        one.message_id = change.message_id.c_str();
        one.to = change.to.c_str();
        one.again = change.again ? 1 : 0;
        out.push_back(one);
    }
    results.assign(changes.size(), std::nullopt);
    ResultSink sink{results};
    const vm_change_sink functions{&sink, ResultSink::add};
    auto failure = call([&](auto& table, auto* session, auto& report) {
        return table.apply(session, folder.c_str(), uidvalidity, out.data(), out.size(), &functions,
                           &report);
    });
    if (failure) return failure;
    const bool all = std::all_of(results.begin(), results.end(),
                                 [](const auto& result) { return result.has_value(); });
    if (sink.senseless || !all) return nonsense("a result");
    return std::nullopt;
}

AccountResult<MailChangeResult> AccountSession::recover(const std::string& id,
                                                        const std::string& message_id,
                                                        const std::string& to) {
    vm_change_result result{};
    result.struct_size = sizeof result;
    if (auto failure = call([&](auto& table, auto* session, auto& report) {
            return table.recover(session, id.c_str(), message_id.c_str(), to.c_str(), &result,
                                 &report);
        }))
        return tl::unexpected(std::move(*failure));
    auto out = result_of(result);
    if (!out) return tl::unexpected(nonsense("a result"));
    return std::move(*out);
}

AccountResult<std::optional<FetchedMail>> AccountSession::fetch(const Link& place,
                                                                std::uint32_t size) {
    struct Sink {
        std::optional<FetchedMail> mail;
        std::size_t most;
        bool senseless = false;
        static void add(void* context, std::uint32_t flags, const void* data,
                        std::size_t count) noexcept {
            auto& self = *static_cast<Sink*>(context);
            try {
                self.senseless |= self.mail || count > self.most;
                if (!self.senseless)
                    self.mail = {flags_of(flags), {static_cast<const char*>(data), count}};
            } catch (...) {
                self.senseless = true;
            }
        }
    } sink{std::nullopt, size};
    if (has_nul(place.folder)) return tl::unexpected(nonsense("a folder"));
    if (auto failure = call([&](auto& table, auto* session, auto& report) {
            return table.fetch(session, place.folder.c_str(), place.uidvalidity, place.uid, size,
                               &sink, Sink::add, &report);
        }))
        return tl::unexpected(std::move(*failure));
    if (sink.senseless) return tl::unexpected(nonsense("more of a message than was asked for"));
    return std::move(sink.mail);
}

AccountResult<Parked> AccountSession::park(const std::string& folder) {
    Parked out;
    std::uint8_t changed = 0;
    bool unsupported = false;
    if (auto failure = call(
            [&](auto& table, auto* session, auto& report) {
                return table.park(session, folder.c_str(), &out.fd, &changed, &report);
            },
            &unsupported))
        return tl::unexpected(std::move(*failure));
    out.supported = !unsupported;
    out.changed = changed != 0;
    if (out.supported && out.fd < 0) return tl::unexpected(nonsense("no descriptor"));
    return out;
}

AccountResult<bool> AccountSession::peek() {
    std::uint8_t changed = 0;
    if (auto failure = call([&](auto& table, auto* session, auto& report) {
            return table.peek(session, &changed, &report);
        }))
        return tl::unexpected(std::move(*failure));
    return changed != 0;
}

AccountResult<Asked> AccountSession::ask() {
    std::uint8_t waits = 0, changed = 0;
    if (auto failure = call([&](auto& table, auto* session, auto& report) {
            return table.ask(session, &waits, &changed, &report);
        }))
        return tl::unexpected(std::move(*failure));
    return Asked{waits != 0 && changed == 0, changed != 0};
}

bool AccountSession::can_ask() const {
    return session_.state_->table->ask != nullptr;
}

DropNews AccountSession::visit(const DropVisit& visit) {
    std::vector<const char*> known;
    known.reserve(visit.known.size());
    for (const std::string& unique_id : visit.known) known.push_back(unique_id.c_str());
    std::vector<vm_drop_removal> removals;
    for (const DropRemoval& removal : visit.removals)
        removals.push_back({sizeof(vm_drop_removal), removal.unique_id.c_str(), removal.id.c_str(),
                            removal.message_id.c_str()});
    vm_drop drop{};
    drop.struct_size = sizeof drop;
    drop.known = known.data();
    drop.known_count = known.size();
    drop.removals = removals.data();
    drop.removal_count = removals.size();
    drop.every = visit.every ? 1 : 0;
    drop.content_size = visit.content_size;
    VisitSink sink{visit, {}, {}, false};
    sink.results.resize(removals.size());
    const vm_drop_sink functions{&sink,
                                 VisitSink::mail,
                                 VisitSink::gone,
                                 VisitSink::content,
                                 VisitSink::confirm,
                                 VisitSink::removed};
    auto failure = call([&](auto& table, auto* session, auto& report) {
        return table.visit(session, &drop, &functions, &report);
    });
    DropNews out = std::move(sink.news);
    if (sink.senseless) {
        // Then nothing of it is believed.
        out = {};
        failure = nonsense("a maildrop");
    }
    for (const auto& result : sink.results) {
        if (failure) break;
        if (result)
            out.results.push_back(*result);
        else
            failure = nonsense("a removal without a result");
    }
    if (failure) out.results.clear();
    out.failure = std::move(failure);
    return out;
}

}  // namespace vm::transport
