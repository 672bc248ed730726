// The plugins' functions: those of the account in memory, looked at on the way, and a push, a
// search and a visit to a maildrop of the simulation's own.
#include "../plugins/fixtures/fixture.h"
#include "outside.h"

#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>

namespace vm::sim {

Outside& the_outside();

namespace {

std::map<const vm_session*, unsigned> g_accounts;  // each session's

unsigned account_of(const vm_session* session) {
    return g_accounts.at(session);
}

vm_session* open(const vm_options* options, char* error, size_t size) {
    vm_session* session = fixture::open(options, error, size);
    // One that only pushes has none.
    if (options->account.user != nullptr && *options->account.user != '\0')
        g_accounts[session] = static_cast<unsigned>(std::stoul(options->account.user));
    return session;
}
void close(vm_session* session) {
    g_accounts.erase(session);
    fixture::close(session);
}

const vm_transport& base() {
    return *vm_transport_entry(nullptr);
}

int failed(vm_account_report* report, const Outside& outside) {
    report->step = VM_STEP_ACCOUNT;
    report->cause = outside.cut_kind % 2 == 0 ? VM_CAUSE_LOST : VM_CAUSE_TIMEOUT;
    std::snprintf(report->text, sizeof report->text, "cut");
    return VM_FAILED;
}

// ---- the push
// ------------------------------------------------------------------------------------

std::string field_of(const std::string& mail, const std::string& name) {
    const auto at = mail.find("\r\n" + name + ": ");
    if (at == std::string::npos) return {};
    const auto from = at + name.size() + 4;
    return mail.substr(from, mail.find("\r\n", from) - from);
}

void say(vm_push_report* report, std::uint8_t step, std::uint8_t cause, std::uint16_t code) {
    report->step = step;
    report->cause = cause;
    report->code = cause == VM_CAUSE_REPLY ? code : 0;
    std::snprintf(report->text, sizeof report->text, "%d simulated", code);
}

void push(vm_session*, const vm_message* message, vm_push_report* report) {
    Outside& outside = the_outside();
    *report = {};
    report->struct_size = sizeof *report;
    std::string mail(message->size, '\0');
    const auto size = message->read(message->read_context, mail.data(), mail.size());
    mail = "\r\n" + mail.substr(0, static_cast<std::size_t>(std::max<std::int64_t>(size, 0)));
    std::string message_id = field_of(mail, "Message-ID");
    message_id = message_id.substr(1, message_id.size() - 2);
    const std::string id = field_of(mail, "X-VM-Message-Id");

    PushAnswer answer;
    if (!outside.answers.empty()) {
        answer = outside.answers.front();
        outside.answers.pop_front();
    }
    const auto cut_before = [&](std::uint8_t step) { say(report, step, VM_CAUSE_LOST, 0); };
    if (outside.ends_at("push begin")) return cut_before(VM_STEP_MAIL);
    if (answer.step >= VM_STEP_MAIL && answer.code / 100 == 5) outside.witness().refused(id);
    if (answer.step < VM_STEP_DOT) return say(report, answer.step, answer.cause, answer.code);
    if (outside.ends_at("push body")) return cut_before(VM_STEP_BODY);
    if (outside.ends_at("push dot")) return cut_before(VM_STEP_DOT);
    if (answer.taken) {
        // Whose mailbox it is says the address, see set_account().
        const auto account = static_cast<unsigned>(std::stoul(message->recipient));
        outside.on_its_way.push_back({account, {id, message_id, 0, 0, outside.next_serial()}});
        outside.witness().taken(account, id, message_id);
    }
    if (outside.ends_at("push taken")) return cut_before(VM_STEP_DOT);
    say(report, answer.step, answer.cause, answer.code);
}

// ---- the account
// ---------------------------------------------------------------------------------

int find(vm_session* session, const char* id, vm_find_result* result) {
    Outside& outside = the_outside();
    const unsigned which = account_of(session);
    const auto cut = [&] {
        std::snprintf(result->error, sizeof result->error, "cut");
        return VM_FAILED;
    };
    if (outside.ends_at("find begin")) return cut();
    const bool lies = std::exchange(outside.lie, false);
    outside.lied |= lies;
    result->found = 0;
    const FakeAccount& account = outside.account(which);
    if (!account.refused_folders.empty()) return cut();  // it says NO to one of the searches
    for (const auto& [folder, uid] : account.places(id)) {
        if (lies || (outside.setting().drop && folder != "INBOX")) continue;
        result->found = 1;
        result->uid = uid;
        result->uidvalidity = account.folders.at(folder).uidvalidity;
        std::snprintf(result->folder, sizeof result->folder, "%s", folder.c_str());
        break;
    }
    const bool found = result->found == 1;
    if (outside.ends_at("find end")) return cut();
    if (!found) outside.witness().told_absent(which, id, false);
    return VM_OK;
}

int folders(vm_session* session, const vm_scope* scope, void* context,
            void (*sink)(void*, const vm_folder*), vm_account_report* report) {
    const Outside::InHand in_hand(account_of(session));
    return base().folders(session, scope, context, sink, report);
}

struct Look {
    const vm_look_sink& sink;
    Outside& outside;
    unsigned account;
    std::string folder;
};

int look(vm_session* session, const vm_look* look, const vm_look_sink* sink, vm_look_result* result,
         vm_account_report* report) {
    const unsigned which = account_of(session);
    const Outside::InHand in_hand(which);
    Look context{*sink, the_outside(), which, look->folder};
    const vm_look_sink through{&context,
                               [](void* of, std::uint32_t uid, std::uint32_t flags) {
                                   const auto& to = *static_cast<Look*>(of);
                                   to.sink.flags(to.sink.context, uid, flags);
                               },
                               [](void* of, std::uint32_t uid) {
                                   const auto& to = *static_cast<Look*>(of);
                                   to.sink.gone(to.sink.context, uid);
                               },
                               [](void* of, const vm_found* found) {
                                   const auto& to = *static_cast<Look*>(of);
                                   const FakeFolder& in =
                                       to.outside.account(to.account).folders.at(to.folder);
                                   to.outside.truth(in.mails.at(found->uid)).told = true;
                                   to.sink.found(to.sink.context, found);
                               }};
    return base().look(session, look, &through, result, report);
}

int apply(vm_session* session, const char* folder, std::uint32_t uidvalidity,
          const vm_change* changes, std::size_t count, const vm_change_sink* sink,
          vm_account_report* report) {
    Outside& outside = the_outside();
    const unsigned which = account_of(session);
    const FakeAccount& account = outside.account(which);
    const auto in = account.folders.find(folder);
    for (std::size_t i = 0; i < count && !outside.dead; ++i) {
        const FakeMail* mail = nullptr;
        if (in != account.folders.end() && in->second.uidvalidity == uidvalidity) {
            const auto found = in->second.mails.find(changes[i].uid);
            if (found != in->second.mails.end()) mail = &found->second;
        }
        outside.witness().asked(which, changes[i], mail);
    }
    const Outside::InHand in_hand(which);
    return base().apply(session, folder, uidvalidity, changes, count, sink, report);
}

int recover(vm_session* session, const char* id, const char* message_id, const char* to,
            vm_change_result* result, vm_account_report* report) {
    const unsigned which = account_of(session);
    const Outside::InHand in_hand(which);
    const int status = base().recover(session, id, message_id, to, result, report);
    if (status == VM_OK && result->outcome == VM_CHANGE_MISSING)
        the_outside().witness().told_absent(which, id, true);
    return status;
}

int fetch(vm_session* session, const char* folder, std::uint32_t uidvalidity, std::uint32_t uid,
          std::uint32_t size, void* context,
          void (*sink)(void*, std::uint32_t, const void*, std::size_t), vm_account_report* report) {
    const Outside::InHand in_hand(account_of(session));
    return base().fetch(session, folder, uidvalidity, uid, size, context, sink, report);
}

// ---- a maildrop: the account's INBOX; a mail's unique-id is its serial
// ---------------------------

using Mails = std::map<std::uint32_t, FakeMail>;

std::vector<std::uint32_t> mails_of(const vm_drop_removal& removal, const Mails& mails) {
    std::vector<std::uint32_t> out;
    const std::string unique_id = removal.unique_id;
    for (const auto& [uid, mail] : mails)
        if (unique_id.empty() ? mail.id == removal.id : mail.content == unique_id)
            out.push_back(uid);
    return out;
}

int visit(vm_session* session, const vm_drop* drop, const vm_drop_sink* sink,
          vm_account_report* report) {
    Outside& outside = the_outside();
    const unsigned which = account_of(session);
    const auto size = report->struct_size;
    *report = {};
    report->struct_size = size;
    if (outside.ends_at("visit begin")) return failed(report, outside);
    const Mails mails = outside.account(which).folder("INBOX").mails;
    const auto is_known = [&](const std::string& unique_id) {
        return std::any_of(drop->known, drop->known + drop->known_count,
                           [&](const char* one) { return unique_id == one; });
    };
    for (auto mail = mails.rbegin(); mail != mails.rend(); ++mail) {
        if (is_known(mail->second.content)) continue;
        const vm_drop_mail told{sizeof told, mail->second.content.c_str(), mail->second.id.c_str(),
                                mail->second.message_id.c_str()};
        sink->mail(sink->context, &told);
    }
    for (std::size_t i = 0; i < drop->known_count; ++i) {
        const std::string known = drop->known[i];
        if (std::none_of(mails.begin(), mails.end(),
                         [&](const auto& mail) { return mail.second.content == known; }))
            sink->gone(sink->context, drop->known[i]);
    }
    if (outside.ends_at("visit looked")) return failed(report, outside);
    std::vector<std::uint8_t> results;
    std::vector<std::uint32_t> doomed;
    for (std::size_t i = 0; i < drop->removal_count; ++i) {
        const vm_drop_removal& removal = drop->removals[i];
        const auto uids = mails_of(removal, mails);
        if (uids.empty()) {
            results.push_back(VM_CHANGE_MISSING);
        } else if (mails.at(uids.front()).id != removal.id) {
            results.push_back(VM_CHANGE_OTHER);
        } else if (sink->confirm(sink->context, i) == 0) {
            results.push_back(VM_CHANGE_CANNOT);
        } else {
            results.push_back(VM_CHANGE_DONE);
            for (const std::uint32_t uid : uids) {
                doomed.push_back(uid);
                outside.witness().asked_to_drop(which, mails.at(uid), removal.id);
            }
        }
    }
    // Before the answer to QUIT nothing is deleted, and with it everything.
    if (outside.ends_at("visit quit")) return failed(report, outside);
    for (const std::uint32_t uid : doomed) outside.account(which).folder("INBOX").mails.erase(uid);
    if (outside.ends_at("visit end")) return failed(report, outside);
    for (std::size_t i = 0; i < results.size(); ++i)
        sink->removed(sink->context, i, results[i], "");
    return VM_OK;
}

vm_transport imap_table() {
    vm_transport out = base();
    out.name = "simimap4";
    out.capabilities = VM_CAN_SEARCH | VM_CAN_SYNC;
    out.open = open;
    out.close = close;
    out.push = push;
    out.find = find;
    out.folders = folders;
    out.look = look;
    out.apply = apply;
    out.recover = recover;
    out.fetch = fetch;
    return out;
}

}  // namespace

}  // namespace vm::sim

const vm_transport* sim_imap_transport() {
    static const vm_transport table = vm::sim::imap_table();
    return &table;
}

const vm_transport* sim_drop_transport() {
    static const vm_transport table = [] {
        vm_transport out = fixture::good();
        out.name = "simpop3";
        out.capabilities = VM_CAN_SEARCH | VM_CAN_VISIT;
        out.open = vm::sim::open;
        out.close = vm::sim::close;
        out.push = vm::sim::push;
        out.find = vm::sim::find;
        out.visit = vm::sim::visit;
        return out;
    }();
    return &table;
}
