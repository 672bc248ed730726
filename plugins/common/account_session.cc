#include "common/account_session.h"

#include "common/session.h"
#include "common/text.h"

#include <algorithm>
#include <exception>

namespace vm::plug {

namespace {

std::string text_of(const char* text) {
    return text == nullptr ? "" : text;
}

// Runs `function` on the account half; what it throws is a failure of this call.
template <class Function>
AccountEnding guarded(vm_session& session, Function function) noexcept {
    AccountEnding out;
    try {
        if (!session.account)
            return {VM_NOT_SUPPORTED,
                    ending_of(VM_STEP_NONE, VM_CAUSE_CONFIG, "not supported by this plugin")};
        out = function(*session.account);
        out.ending.text = session.account->hide(out.ending.text);
    } catch (const std::exception& problem) {
        out = {VM_FAILED, ending_of(VM_STEP_ACCOUNT, VM_CAUSE_LOST, one_line(problem.what()))};
    } catch (...) {
        out = {VM_FAILED, ending_of(VM_STEP_ACCOUNT, VM_CAUSE_LOST, "an unknown exception")};
    }
    return out;
}

vm_account_report report_of(const vm_session& session, const AccountEnding& end) {
    vm_account_report out{};
    out.step = static_cast<std::uint8_t>(end.ending.step);
    out.cause = static_cast<std::uint8_t>(end.ending.cause);
    if (end.status != VM_OK) copy_text(out.text, sizeof out.text, end.ending.text);
    if (!session.account) return out;
    const Counters& counters = session.account->counters();
    out.connected = session.account->connected() ? 1 : 0;
    out.features = session.account->features();
    out.bytes_sent = counters.sent;
    out.bytes_received = counters.received;
    out.round_trips = counters.round_trips;
    return out;
}

template <class Function>
int run(vm_session* session, vm_account_report* report, Function function) noexcept {
    const AccountEnding end = guarded(*session, function);
    answer_with(report, report_of(*session, end));
    return end.status;
}

}  // namespace

int find_message(vm_session* session, const char* id, vm_find_result* result) noexcept {
    FoundMessage found;
    const AccountEnding end =
        guarded(*session, [&](Account& account) { return account.find(text_of(id), found); });
    vm_find_result answer{};
    if (end.status == VM_OK) {
        answer.found = found.found ? 1 : 0;
        answer.uidvalidity = found.uidvalidity;
        answer.uid = found.uid;
        copy_text(answer.folder, sizeof answer.folder, found.folder);
    } else {
        copy_text(answer.error, sizeof answer.error, end.ending.text);
    }
    answer_with(result, answer);
    return end.status;
}

int list_folders(vm_session* session, const vm_scope* scope, void* context,
                 void (*sink)(void* context, const vm_folder* folder),
                 vm_account_report* report) noexcept {
    return run(session, report, [&](Account& account) {
        return account.folders(*scope, [&](const vm_folder& folder) { sink(context, &folder); });
    });
}

int look_at_folder(vm_session* session, const vm_look* look, const vm_look_sink* sink,
                   vm_look_result* result, vm_account_report* report) noexcept {
    vm_look_result answer{};
    const int status =
        run(session, report, [&](Account& account) { return account.look(*look, *sink, answer); });
    // A host that does not know of go_on takes the part for the whole, and asks for the rest later.
    if (result->struct_size < sizeof answer && answer.go_on != 0)
        answer.uid_next = std::min(answer.uid_next, answer.go_on);
    answer_with(result, answer);
    return status;
}

int apply_changes(vm_session* session, const char* folder, uint32_t uidvalidity,
                  const vm_change* changes, size_t count, const vm_change_sink* sink,
                  vm_account_report* report) noexcept {
    return run(session, report, [&](Account& account) {
        return account.apply(text_of(folder), uidvalidity, changes, count,
                             [&](std::size_t index, const vm_change_result& result) {
                                 sink->result(sink->context, index, &result);
                             });
    });
}

int recover_message(vm_session* session, const char* id, const char* message_id, const char* to,
                    vm_change_result* result, vm_account_report* report) noexcept {
    vm_change_result answer{};
    const int status = run(session, report, [&](Account& account) {
        return account.recover(text_of(id), text_of(message_id), text_of(to), answer);
    });
    answer_with(result, answer);
    return status;
}

int fetch_message(vm_session* session, const char* folder, uint32_t uidvalidity, uint32_t uid,
                  uint32_t size, void* context,
                  void (*sink)(void* context, uint32_t flags, const void* data, size_t size),
                  vm_account_report* report) noexcept {
    return run(session, report, [&](Account& account) {
        return account.fetch(text_of(folder), uidvalidity, uid, size,
                             [&](std::uint32_t flags, const std::string& bytes) {
                                 sink(context, flags, bytes.data(), bytes.size());
                             });
    });
}

int park_session(vm_session* session, const char* folder, int* fd, uint8_t* changed,
                 vm_account_report* report) noexcept {
    bool news = false;
    *fd = -1;
    const int status = run(session, report, [&](Account& account) {
        return account.park(text_of(folder), *fd, news);
    });
    *changed = news ? 1 : 0;
    return status;
}

int peek_session(vm_session* session, uint8_t* changed, vm_account_report* report) noexcept {
    bool news = false;
    const int status = run(session, report, [&](Account& account) { return account.peek(news); });
    *changed = news ? 1 : 0;
    return status;
}

int ask_session(vm_session* session, uint8_t* waits, uint8_t* changed,
                vm_account_report* report) noexcept {
    bool awaited = false, news = false;
    const int status =
        run(session, report, [&](Account& account) { return account.ask(awaited, news); });
    *waits = awaited ? 1 : 0;
    *changed = news ? 1 : 0;
    return status;
}

int visit_drop(vm_session* session, const vm_drop* drop, const vm_drop_sink* sink,
               vm_account_report* report) noexcept {
    return run(session, report, [&](Account& account) { return account.visit(*drop, *sink); });
}

}  // namespace vm::plug
