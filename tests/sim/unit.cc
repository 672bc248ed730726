#include "unit.h"

#include "agent/drop_run.h"
#include "agent/session_options.h"

#include <cstdlib>
#include <fstream>
#include <stdexcept>

namespace vm::sim {

namespace {

constexpr std::int64_t kRecoveryPauseMs = 60'000;  // as the worker's
constexpr std::int64_t kDayMs = 86'400'000;

transport::Plugin load(const char* name) {
    const char* build = std::getenv("VM_BUILD");
    const auto file = std::filesystem::absolute(build ? build : "build") / "test" / name;
    auto plugin = transport::Plugin::load(file);
    if (!plugin) throw std::runtime_error(plugin.error().text());
    return *plugin;
}

template <class T>
T must(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().text());
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

}  // namespace

Ground::Ground()
    : paths_(directory_.path()),
      recording_(paths_.root / "recording.wav"),
      imap_(load("libsimimap4.so")),
      drop_(load("libsimpop3.so")) {
    for (const auto& made : {paths_.mailboxes(), paths_.media(), paths_.spool()})
        std::filesystem::create_directories(made);
    std::ofstream(recording_) << "a recording";
}

Unit::Unit(Ground& ground, const Setting& setting, std::uint64_t seed)
    : ground_(ground), drop_(setting.drop), jitter_(seed) {
    misc_.email_dll_path = (drop_ ? ground.drop() : ground.imap()).path();
    misc_.send_msg_as_attachment = false;  // a mail's parts are not the matter here
    misc_.mass_deletion_limit = setting.limit;
    misc_.retry_timeout_min = setting.timeout_min;
    boxes_.resize(setting.mailboxes);
    for (unsigned i = 0; i < setting.mailboxes; ++i) {
        Box& box = boxes_[i];
        box.number = std::to_string(ground.next_number());
        box.first_account = box.account = 2 * i;
        config::MailboxOptions options;
        options.number = box.number;
        options.integration = true;
        options.smtp.host = "smtp.example.net";
        options.imap4.host = options.pop3.host = "mail.example.net";
        set_account(options, box.account);
        options.sync_mode = static_cast<config::SyncMode>(setting.sync_mode);
        options.delete_mode =
            setting.to_trash ? config::DeleteMode::kTrash : config::DeleteMode::kExpunge;
        box.options = std::make_shared<config::MailboxOptions>(options);
    }
    start();
}

void Unit::start() {
    store_ = must(store::Store::open(ground_.paths(), clock_));
    const auto mine = [this](const std::string& number) {
        for (const Box& box : boxes_)
            if (box.number == number) return true;
        return false;
    };
    must(store_->recover(mine, clock_.now() + kRecoveryPauseMs));
    for (Box& box : boxes_) note_switched_off(box);
}

void Unit::forget() {
    for (Box& box : boxes_) {
        box.memory = {};
        box.pushing = box.passing = false;
    }
    store_.reset();
    changes_seen_ = 0;
}

void Unit::edit(Box& box, const config::MailboxOptions& options) {
    note_switched_off(box);
    box.options = std::make_shared<config::MailboxOptions>(options);
    box.memory.unit_changed = true;
    note_switched_off(box);
}

void Unit::note_switched_off(Box& box) {
    if (box.options->integration && !box.memory.off_unnoted) return;
    box.memory.off_unnoted = false;
    auto state = must(store_->sync_state(box.number));
    if (state.account.empty() || !state.on) return;
    store::SyncCommit commit;
    commit.state = std::move(state);
    commit.state->on = false;
    box.memory.off_unnoted = !store_->commit_sync(box.number, commit).has_value();
}

void Unit::read_changes() {
    const std::int64_t seen = changes_seen_;
    for (const store::MailboxChange& change : must(store_->changes_since(changes_seen_))) {
        for (Box& box : boxes_)
            box.memory.unit_changed |= box.number == change.mailbox && change.phone_sequence > seen;
        changes_seen_ = std::max(changes_seen_, change.sequence);
    }
}

agent::RunResult Unit::turn(Box& box) {
    if (!agent::record_outcomes(*store_, box.memory.unrecorded)) return {};
    const agent::RunContext context{ground_.paths(),
                                    clock_,
                                    *store_,
                                    drop_ ? ground_.drop() : ground_.imap(),
                                    "",
                                    misc_,
                                    box.options,
                                    box.memory.unrecorded,
                                    [] { return false; },
                                    [](int) { return false; },
                                    [this] { return jitter_.real(); },
                                    0,
                                    0,
                                    0};
    return agent::run_mailbox(context);
}

agent::SyncResult Unit::pass(Box& box) {
    const auto options = box.options;
    if (!agent::why_not_synchronised(*options, misc_).empty()) return {};
    read_changes();
    Box::Memory& memory = box.memory;
    if (memory.session_options != options) memory.session.reset();
    const auto going_on = [] { return false; };
    if (!memory.session) {
        memory.session.emplace(must(
            transport::AccountSession::open(drop_ ? ground_.drop() : ground_.imap(),
                                            agent::session_options(*options, misc_, going_on))));
        memory.session_options = options;
    }
    const bool unit_changed = std::exchange(memory.unit_changed, false);
    const agent::SyncContext context{clock_,
                                     *store_,
                                     *options,
                                     misc_,
                                     *memory.session,
                                     unit_changed,
                                     going_on,
                                     {},
                                     ground_.paths().spool()};
    agent::SyncResult result = drop_ ? agent::visit_drop(context) : agent::sync_mailbox(context);
    if (result.failure || result.store_error || !result.complete || box.options != options)
        memory.unit_changed = true;
    if (result.failure || result.store_error) memory.session.reset();
    if (result.settled) (void)store_->set_statuses({}, {*result.settled});
    note_switched_off(box);
    return result;
}

int Unit::purge(Box& box) {
    const auto done = store_->purge(
        box.number, clock_.now() - box.options->deleted_retention_days * kDayMs, drop_);
    return done.value_or(0);
}

Result<std::string> Unit::add(Box& box, MessageKind kind, bool urgent) {
    store::NewMessage message;
    message.message.mailbox = box.number;
    message.message.kind = kind;
    message.message.urgent = urgent;
    message.message.received = clock_.now();
    message.file = ground_.recording();
    message.extension = kind == MessageKind::kVoice ? "wav" : "tif";
    message.delivery = DeliveryState::kQueued;
    return store_->add(message);
}

}  // namespace vm::sim
