// Whole sessions of smtpimap4's account half with a hostile server, from the greeting on. The first
// line of an input says what is done, a letter each:
//   l i o   folders(): all, INBOX alone, one that is made when it is missing
//   k n     look(): at some that are known, at everything that is new and at others' mails too
//   a r f   apply() of changes of all kinds, recover(), find()
//   t       fetch()
//   p e q   park(), peek(), ask()
//   b x s   search by text, log in by XOAUTH2, demand STARTTLS
//   c       the server's bytes come one by one
// and the rest is what the server says (hostile_server.h).
#include "account_checks.h"
#include "smtpimap4/imap_session.h"

#include <algorithm>
#include <array>
#include <set>
#include <string>

namespace {

using namespace vm::fuzz;
namespace plug = vm::plug;

constexpr std::size_t kMostCalls = 10;
constexpr std::uint32_t kUidValidity = 7, kUidNext = 5;
constexpr std::array<std::uint32_t, 3> kKnown{1, 2, 4};
constexpr std::uint32_t kAllFlags = VM_FLAG_SEEN | VM_FLAG_FLAGGED | VM_FLAG_DELETED;

bool is_folder_name(const char* name) {
    const std::string_view text(name);
    return !text.empty() && text.size() <= 1000 && vm::is_utf8(text) && !plug::has_control(text);
}

// Whether one of the commands does. (A folder may be called like one.)
bool moves_or_removes(std::string_view heard) {
    while (!heard.empty()) {
        const std::string_view line = take_line(heard);
        const std::string_view command = line.substr(std::min(line.size(), line.find(' ') + 1));
        for (const char* one : {"UID MOVE ", "UID COPY ", "UID EXPUNGE "})
            if (command.starts_with(one)) return true;
    }
    return false;
}

bool is_known(std::uint32_t uid) {
    return std::binary_search(kKnown.begin(), kKnown.end(), uid);
}

void check_change(const vm_change_result& result) {
    FUZZ_REQUIRE(result.outcome <= VM_CHANGE_MARKED);
    FUZZ_REQUIRE(vm::is_utf8(checked_text(result.folder)));
    checked_text(result.text);
}

void list(vm_session* session, vm_scope_mode mode) {
    const vm_scope scope{sizeof(vm_scope), static_cast<std::uint8_t>(mode), 0, 1, "Voice/ünd mehr"};
    vm_account_report report = empty_report();
    std::set<std::string> names;
    const auto sink = [](void* context, const vm_folder* folder) {
        FUZZ_REQUIRE(is_folder_name(folder->name));
        FUZZ_REQUIRE(folder->modseq <= 0x7FFFFFFFFFFFFFFF);
        // (Two names of one folder would be two folders to the host.)
        FUZZ_REQUIRE(static_cast<std::set<std::string>*>(context)->insert(folder->name).second);
    };
    const int status = plug::list_folders(session, &scope, &names, sink, &report);
    check_report(status, report);
    FUZZ_REQUIRE(mode == VM_SCOPE_ALL || names.size() <= 1);
}

struct LookTold {
    std::set<std::uint32_t> flags, gone, found;
    bool others = false;
};

void look(vm_session* session, bool others) {
    vm_look look{};
    look.struct_size = sizeof look;
    look.others = others ? 1 : 0;
    look.then_folders = 1;
    look.folder = "INBOX";
    look.uidvalidity = others ? 0 : kUidValidity;
    look.uid_next = others ? 0 : kUidNext;
    look.modseq = others ? 0 : 8;
    look.uids = kKnown.data();
    look.uid_count = others ? 0 : kKnown.size();
    for (int calls = 0; calls < 3; ++calls) {
        LookTold told;
        told.others = others;
        const vm_look_sink sink{
            &told,
            [](void* context, std::uint32_t uid, std::uint32_t flags) {
                FUZZ_REQUIRE(is_known(uid) && (flags & ~kAllFlags) == 0);
                FUZZ_REQUIRE(static_cast<LookTold*>(context)->flags.insert(uid).second);
            },
            [](void* context, std::uint32_t uid) {
                FUZZ_REQUIRE(is_known(uid));
                FUZZ_REQUIRE(static_cast<LookTold*>(context)->gone.insert(uid).second);
            },
            [](void* context, const vm_found* found) {
                auto& self = *static_cast<LookTold*>(context);
                FUZZ_REQUIRE(found->uid != 0 && (found->flags & ~kAllFlags) == 0);
                FUZZ_REQUIRE(self.found.insert(found->uid).second);
                check_id(found->id);
                check_message_id(found->message_id);
                FUZZ_REQUIRE(self.others || *found->id != '\0');
            }};
        vm_look_result result{};
        result.struct_size = sizeof result;
        vm_account_report report = empty_report();
        const int status = plug::look_at_folder(session, &look, &sink, &result, &report);
        check_report(status, report);
        if (status != VM_OK) return;
        FUZZ_REQUIRE(result.uidvalidity != 0);
        for (const std::uint32_t uid : told.gone) FUZZ_REQUIRE(told.flags.count(uid) == 0);
        const bool same = result.uidvalidity == look.uidvalidity;
        FUZZ_REQUIRE(same || (told.flags.empty() && told.gone.empty()));
        for (const std::uint32_t uid : told.found)
            FUZZ_REQUIRE(!same || (uid >= look.uid_next && !is_known(uid)));
        if (result.go_on == 0) return;
        FUZZ_REQUIRE(result.go_on > look.uid_next);
        look.uidvalidity = result.uidvalidity;
        look.uid_next = result.go_on;
        look.uid_count = 0;
    }
}

void apply(vm_session* session) {
    const auto change = [](vm_change_kind kind, std::uint32_t uid, const char* to = "",
                           std::uint8_t again = 0) {
        return vm_change{sizeof(vm_change),
                         static_cast<std::uint8_t>(kind),
                         again,
                         uid,
                         VM_FLAG_SEEN,
                         VM_FLAG_DELETED,
                         kId,
                         kMessageId,
                         to};
    };
    const std::array changes{
        change(VM_CHANGE_FLAGS, 1),         change(VM_CHANGE_MOVE, 2, "Old/Voice"),
        change(VM_CHANGE_MOVE, 3, "Trash"), change(VM_CHANGE_TRASH, 4),
        change(VM_CHANGE_EXPUNGE, 5),       change(VM_CHANGE_TRASH, 6, "", 1)};
    std::set<std::size_t> told;
    const vm_change_sink sink{
        &told, [](void* context, std::size_t index, const vm_change_result* result) {
            FUZZ_REQUIRE(static_cast<std::set<std::size_t>*>(context)->insert(index).second);
            check_change(*result);
        }};
    vm_account_report report = empty_report();
    const int status = plug::apply_changes(session, "INBOX", kUidValidity, changes.data(),
                                           changes.size(), &sink, &report);
    check_report(status, report);
    FUZZ_REQUIRE(told.empty() || *told.rbegin() < changes.size());
    FUZZ_REQUIRE(status != VM_OK || told.size() == changes.size());
}

void recover(vm_session* session) {
    vm_change_result result{};
    result.struct_size = sizeof result;
    vm_account_report report = empty_report();
    const int status = plug::recover_message(session, kId, kMessageId, "INBOX", &result, &report);
    check_report(status, report);
    if (status == VM_OK) check_change(result);
}

void find(vm_session* session) {
    vm_find_result result{};
    result.struct_size = sizeof result;
    const int status = plug::find_message(session, kId, &result);
    FUZZ_REQUIRE(result.found <= 1);
    checked_text(result.folder);
    FUZZ_REQUIRE((status == VM_OK) == checked_text(result.error).empty());
    FUZZ_REQUIRE(status == VM_OK || result.found == 0);
}

void fetch(vm_session* session) {
    constexpr std::uint32_t kSize = 500;
    int calls = 0;
    vm_account_report report = empty_report();
    const int status = plug::fetch_message(
        session, "INBOX", kUidValidity, 2, kSize, &calls,
        [](void* context, std::uint32_t flags, const void* data, std::size_t size) {
            FUZZ_REQUIRE((flags & ~kAllFlags) == 0 && data != nullptr && size <= kSize);
            FUZZ_REQUIRE(++*static_cast<int*>(context) == 1);
        },
        &report);
    check_report(status, report);
    FUZZ_REQUIRE(status == VM_OK || calls == 0);
}

void park(vm_session* session) {
    int fd = -2;
    std::uint8_t changed = 2;
    vm_account_report report = empty_report();
    const int status = plug::park_session(session, "INBOX", &fd, &changed, &report);
    check_report(status, report);
    FUZZ_REQUIRE(changed <= 1 && (status == VM_OK ? fd >= 0 : fd == -1));
}

void peek(vm_session* session) {
    std::uint8_t changed = 2;
    vm_account_report report = empty_report();
    check_report(plug::peek_session(session, &changed, &report), report);
    FUZZ_REQUIRE(changed <= 1);
}

void ask(vm_session* session) {
    std::uint8_t waits = 2, changed = 2;
    vm_account_report report = empty_report();
    const int status = plug::ask_session(session, &waits, &changed, &report);
    check_report(status, report);
    FUZZ_REQUIRE(waits + changed <= 1 && (status == VM_OK || waits == 0));
}

void call(vm_session* session, char letter) {
    switch (letter) {
        case 'l':
            return list(session, VM_SCOPE_ALL);
        case 'i':
            return list(session, VM_SCOPE_INBOX);
        case 'o':
            return list(session, VM_SCOPE_FOLDER);
        case 'k':
            return look(session, false);
        case 'n':
            return look(session, true);
        case 'a':
            return apply(session);
        case 'r':
            return recover(session);
        case 'f':
            return find(session);
        case 't':
            return fetch(session);
        case 'p':
            return park(session);
        case 'e':
            return peek(session);
        case 'q':
            return ask(session);
        default:
            break;
    }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view input = view(data, size);
    const std::string_view calls = take_line(input).substr(0, kMostCalls);
    const auto asked = [&](char letter) { return calls.find(letter) != std::string_view::npos; };
    HostileServer server(input, asked('c'));
    plug::AccountOptions options = server.account();
    options.search_text = asked('b');
    if (asked('x')) options.auth = VM_AUTH_XOAUTH2;
    if (asked('s')) options.tls = VM_TLS_STARTTLS;
    {
        const auto session = open_session(plug::imap::make_imap_account, std::move(options));
        for (const char letter : calls) call(session.get(), letter);
    }
    // What the server says decides what is asked, but not without measure.
    FUZZ_REQUIRE(server.heard().size() <= 20'000 * kMostCalls + 300 * input.size());
    // Nothing is moved or removed that was not shown to be the message that is meant.
    if (!asked('b') && !shows_message(server.said()))
        FUZZ_REQUIRE(!moves_or_removes(server.heard()));
    return 0;
}
