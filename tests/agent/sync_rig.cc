#include "sync_rig.h"

#include <cppunit/TestAssert.h>

#include <algorithm>
#include <dlfcn.h>
#include <sstream>

namespace vm::testing {

namespace {

FakeAccount& the_account() {
    void* handle = ::dlopen(account_plugin().path().c_str(), RTLD_NOW | RTLD_LOCAL);
    CPPUNIT_ASSERT(handle != nullptr);
    auto* function = reinterpret_cast<FakeAccountFunction>(::dlsym(handle, "fake_account"));
    CPPUNIT_ASSERT(function != nullptr);
    return *function();
}

template <class T>
T must(Result<T> result) {
    if (!result) CPPUNIT_FAIL(result.error().text());
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

std::string flags_text(std::uint32_t flags) {
    return std::string(flags & VM_FLAG_SEEN ? "S" : "") + (flags & VM_FLAG_FLAGGED ? "F" : "") +
           (flags & VM_FLAG_DELETED ? "D" : "");
}

}  // namespace

transport::Plugin account_plugin() {
    auto loaded = transport::Plugin::load(UnitRoot::build() / "test" / "libaccount.so");
    if (!loaded) CPPUNIT_FAIL(loaded.error().text());
    return *loaded;
}

// Names have no line ends or tabs in these tests; "-" stands for an empty id.
std::string dump_account(const FakeAccount& account) {
    std::ostringstream out;
    out << account.next_uidvalidity << '\n';
    for (const auto& [name, in] : account.folders) {
        out << "folder\t" << name << '\t' << in.uidvalidity << '\t' << in.uid_next << '\t'
            << in.modseq << '\n';
        for (const auto& [uid, mail] : in.mails)
            out << "mail\t" << uid << '\t' << (mail.id.empty() ? "-" : mail.id) << '\t'
                << mail.message_id << '\t' << mail.flags << '\t' << mail.modseq << '\n';
    }
    for (const std::string& one : account.destroyed) out << "destroyed\t" << one << '\n';
    return out.str();
}

void restore_account(FakeAccount& account, const std::string& dump) {
    account.folders.clear();
    account.destroyed.clear();
    std::istringstream in(dump);
    std::string line;
    std::getline(in, line);
    account.next_uidvalidity = static_cast<std::uint32_t>(std::stoul(line));
    FakeFolder* current = nullptr;
    while (std::getline(in, line)) {
        std::vector<std::string> fields;
        std::istringstream parts(line);
        for (std::string field; std::getline(parts, field, '\t');) fields.push_back(field);
        const auto number = [&](std::size_t i) { return std::stoul(fields.at(i)); };
        const auto number32 = [&](std::size_t i) { return static_cast<std::uint32_t>(number(i)); };
        if (fields.at(0) == "folder") {
            current = &account.folders[fields.at(1)];
            *current = {number32(2), number32(3), number(4), {}};
        } else if (fields.at(0) == "mail") {
            const std::string id = fields.at(2) == "-" ? "" : fields.at(2);
            current->mails[number32(1)] = {id, fields.at(3), number32(4), number(5)};
        } else {
            account.destroyed.push_back(fields.at(1));
        }
    }
}

SyncRig::SyncRig() : account(the_account()) {
    account.clear();
    account.folder("INBOX");
    root.mailbox(kNumber, "subscriber",
                 "Imap4 Server = imap.example.net\nImap4 Account = subscriber@example.com\n");
    root.misc();
    mailbox = must(config::load_mailbox(root.paths, kNumber));
    misc = must(config::load_misc(root.paths));
    open();
}

SyncRig::SyncRig(const SyncRig& from)
    : clock(from.clock), mailbox(from.mailbox), misc(from.misc), account(from.account) {
    std::filesystem::copy(from.root.paths.root, root.paths.root,
                          std::filesystem::copy_options::recursive |
                              std::filesystem::copy_options::overwrite_existing);
}

void SyncRig::open() {
    store_ = must(store::Store::open(root.paths, clock));
}

std::string SyncRig::add_sent() {
    clock.advance(1);  // so that their order is that of their making
    const std::string id = root.add(*store_, kNumber);
    must(store_->record_intent(id, id + "@example.com"));
    must(store_->record_outcome({id, DeliveryEvent::kAccepted, "250 ok", 0}));
    return id;
}

std::uint32_t SyncRig::deliver(const std::string& id, const std::string& folder,
                               std::uint32_t flags) {
    return account.put(folder, {id, get(id).delivery.message_id, flags, 0});
}

std::string SyncRig::add_linked(const std::string& folder) {
    const std::string id = add_sent();
    deliver(id, folder);
    settle();
    CPPUNIT_ASSERT(get(id).link.has_value());
    return id;
}

std::uint32_t SyncRig::foreign(const std::string& folder) {
    static int number = 0;
    return account.put(folder, {"", "foreign" + std::to_string(++number), 0, 0});
}

agent::SyncResult SyncRig::pass() {
    if (!session_) {
        auto session = transport::AccountSession::open(
            account_plugin(), agent::session_options(mailbox, misc, cancelled));
        session_.emplace(must(std::move(session)));
    }
    return agent::sync_mailbox({clock, *store_, mailbox, misc, *session_, unit_changed, cancelled,
                                mail_reader, root.paths.spool()});
}

int SyncRig::settle() {
    for (int passes = 0; passes < 6; ++passes) {
        const agent::SyncResult result = pass();
        if (result.failure) CPPUNIT_FAIL(result.failure->text);
        if (result.store_error) CPPUNIT_FAIL(result.store_error->text());
        if (result.complete && result.changed_here + result.changed_there == 0) return passes;
    }
    CPPUNIT_FAIL("the passes find no end");
    return 0;
}

MessageRecord SyncRig::get(const std::string& id) {
    return must(store_->get(id));
}
std::string SyncRig::state_of(const std::string& id) {
    return to_string(get(id).message.state);
}

std::vector<std::string> SyncRig::changes(const std::string& id) {
    std::vector<std::string> out;
    for (const store::HistoryEntry& entry : must(store_->history(id)))
        if (entry.what != "link" && entry.what != "copy")
            out.push_back(entry.what + " " + entry.from + ">" + entry.to);
    return out;
}

std::string SyncRig::link(const std::string& id) {
    const auto record = get(id);
    return record.link ? record.link->folder + " " + std::to_string(record.link->uid) : "";
}

FakeMail& SyncRig::mail(const std::string& id) {
    const auto places = account.places(id);
    CPPUNIT_ASSERT_EQUAL_MESSAGE("mails of " + id, std::size_t{1}, places.size());
    return account.folders.at(places[0].first).mails.at(places[0].second);
}

std::string SyncRig::folder_of(const std::string& id) {
    mail(id);
    return account.places(id)[0].first;
}

std::string SyncRig::both_sides() {
    std::vector<std::string> lines;
    store::ListQuery query;
    query.mailbox = kNumber;
    query.deleted = true;
    for (const MessageRecord& record : must(store_->list(query))) {
        std::string line = record.message.id + " " + to_string(record.message.state) +
                           (record.message.urgent ? " urgent" : "") + " in " +
                           record.message.folder + ", " + to_string(record.delivery.state) + " " +
                           record.delivery.message_id + ", linked to " +
                           (record.link ? record.link->folder : "nothing");
        std::vector<std::string> history = changes(record.message.id);
        std::sort(history.begin(), history.end());
        for (const std::string& one : history) line += "; " + one;
        lines.push_back(line);
    }
    std::vector<std::string> mails;
    for (const auto& [name, in] : account.folders)
        for (const auto& [uid, mail] : in.mails)
            mails.push_back(name + ": " + mail.id + " <" + mail.message_id + "> " +
                            flags_text(mail.flags));
    for (const std::string& one : account.destroyed) mails.push_back("destroyed: " + one);
    std::sort(mails.begin(), mails.end());
    std::string out = "hold: " + sync_state().hold + "\n";
    for (const auto* part : {&lines, &mails})
        for (const std::string& line : *part) out += line + "\n";
    return out;
}

store::SyncState SyncRig::sync_state() {
    return must(store_->sync_state(kNumber));
}

std::size_t SyncRig::called(const std::string& prefix) const {
    return static_cast<std::size_t>(
        std::count_if(account.calls.begin(), account.calls.end(),
                      [&](const std::string& call) { return call.rfind(prefix, 0) == 0; }));
}

void SyncRig::at(const std::string& where, std::function<void()> deed) {
    account.hook = [this, where, deed = std::move(deed)](const std::string& point) {
        if (point.rfind(where, 0) != 0) return;
        account.hook = nullptr;
        deed();
    };
}

}  // namespace vm::testing
