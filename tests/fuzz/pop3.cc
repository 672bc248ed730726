// Visits to a maildrop on a hostile server, from the greeting on. The first line of an input says
// what is done, a letter each:
//   v w   visit(): for removals, two of which name their mail; for all that is new and its content
//   f     find()
//   x s   log in by XOAUTH2, demand STLS
//   c     the server's bytes come one by one
// and the rest is what the server says (hostile_server.h), a connection for each.
#include "account_checks.h"
#include "smtppop3/pop3_session.h"

#include <algorithm>
#include <array>
#include <set>
#include <string>

namespace {

using namespace vm::fuzz;
namespace plug = vm::plug;

constexpr std::size_t kMostCalls = 5;
constexpr std::uint32_t kContentSize = 300;
constexpr std::array<const char*, 3> kKnown{"a1", "a2", "a3"};  // ascending
constexpr std::array<vm_drop_removal, 3> kRemovals{{
    {sizeof(vm_drop_removal), "a1", kId, kMessageId},
    {sizeof(vm_drop_removal), "a9", kId, ""},
    {sizeof(vm_drop_removal), "", kOtherId, kMessageId},
}};

bool is_known(const std::string& unique_id) {
    return std::find(kKnown.begin(), kKnown.end(), unique_id) != kKnown.end();
}

struct Told {
    // (Copies of one mail may have one unique-id, RFC 1939 section 7.)
    std::multiset<std::string> mails, contents;
    std::set<std::string> gone;
    std::set<std::size_t> asked, removed;

    static Told& of(void* context) { return *static_cast<Told*>(context); }
};

int on_mail(void* context, const vm_drop_mail* mail) {
    const std::string unique_id = mail->unique_id;
    FUZZ_REQUIRE(!unique_id.empty() && unique_id.size() <= 255);
    FUZZ_REQUIRE(plug::is_ascii(unique_id) && !plug::has_control(unique_id));
    FUZZ_REQUIRE(!is_known(unique_id));
    Told::of(context).mails.insert(unique_id);
    check_id(mail->id);
    check_message_id(mail->message_id);
    return *mail->id == '\0' ? 1 : 0;
}
void on_gone(void* context, const char* unique_id) {
    FUZZ_REQUIRE(is_known(unique_id));
    FUZZ_REQUIRE(Told::of(context).gone.insert(unique_id).second);
}
void on_content(void* context, const char* unique_id, const void* data, std::size_t size) {
    Told& told = Told::of(context);
    told.contents.insert(unique_id);
    FUZZ_REQUIRE(told.contents.count(unique_id) <= told.mails.count(unique_id));
    FUZZ_REQUIRE(size <= kContentSize && data != nullptr);
}
int on_confirm(void* context, std::size_t index) {
    FUZZ_REQUIRE(index < kRemovals.size());
    FUZZ_REQUIRE(Told::of(context).asked.insert(index).second);
    return index == 1 ? 0 : 1;
}
void on_removed(void* context, std::size_t index, std::uint8_t outcome, const char* text) {
    FUZZ_REQUIRE(index < kRemovals.size() && outcome <= VM_CHANGE_CANNOT);
    FUZZ_REQUIRE(Told::of(context).removed.insert(index).second);
    // What is deleted was asked for.
    FUZZ_REQUIRE(outcome != VM_CHANGE_DONE || Told::of(context).asked.count(index) == 1);
    FUZZ_REQUIRE(outcome == VM_CHANGE_CANNOT || Told::of(context).asked.count(index) == 0 ||
                 index != 1);
    const std::string_view words(text);
    FUZZ_REQUIRE(!plug::has_control(words) && words.find(kPassword) == std::string_view::npos);
}

void visit(vm_session* session, bool every) {
    vm_drop drop{};
    drop.struct_size = sizeof drop;
    drop.known = kKnown.data();
    drop.known_count = kKnown.size();
    drop.removals = kRemovals.data();
    drop.removal_count = kRemovals.size();
    drop.every = every ? 1 : 0;
    drop.content_size = kContentSize;
    Told told;
    const vm_drop_sink sink{&told, on_mail, on_gone, on_content, on_confirm, on_removed};
    vm_account_report report = empty_report();
    const int status = plug::visit_drop(session, &drop, &sink, &report);
    check_report(status, report);
    FUZZ_REQUIRE(status == VM_OK ? told.removed.size() == kRemovals.size() : told.removed.empty());
}

void find(vm_session* session) {
    vm_find_result result{};
    result.struct_size = sizeof result;
    const int status = plug::find_message(session, kId, &result);
    FUZZ_REQUIRE(result.found <= 1);
    checked_text(result.folder);
    FUZZ_REQUIRE((status == VM_OK) == checked_text(result.error).empty());
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view input = view(data, size);
    const std::string_view calls = take_line(input).substr(0, kMostCalls);
    const auto asked = [&](char letter) { return calls.find(letter) != std::string_view::npos; };
    HostileServer server(input, asked('c'));
    plug::AccountOptions options = server.account();
    if (asked('x')) options.auth = VM_AUTH_XOAUTH2;
    if (asked('s')) options.tls = VM_TLS_STARTTLS;
    {
        const auto session = open_session(plug::pop3::make_pop3_account, std::move(options));
        for (const char letter : calls) {
            if (letter == 'v' || letter == 'w') visit(session.get(), letter == 'w');
            if (letter == 'f') find(session.get());
        }
    }
    FUZZ_REQUIRE(server.heard().size() <= 1000 * kMostCalls + 40 * input.size());
    // Nothing is deleted that was not shown to be the message that is meant.
    if (!shows_message(server.said()))
        FUZZ_REQUIRE(server.heard().find("\nDELE ") == std::string::npos);
    return 0;
}
