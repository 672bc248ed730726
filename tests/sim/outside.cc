#include "outside.h"

#include <array>
#include <utility>

extern "C" vm::testing::FakeAccount* fake_account();

namespace vm::sim {

PushAnswer push_answer(unsigned number) {
    static constexpr std::array<PushAnswer, 14> kAnswers{{
        {VM_STEP_DOT, VM_CAUSE_LOST, 0, true},
        {VM_STEP_DOT, VM_CAUSE_LOST, 0, false},
        {VM_STEP_DOT, VM_CAUSE_TIMEOUT, 0, true},
        {VM_STEP_DOT, VM_CAUSE_TIMEOUT, 0, false},
        {VM_STEP_RCPT, VM_CAUSE_REPLY, 450, false},
        {VM_STEP_DOT, VM_CAUSE_REPLY, 451, false},
        {VM_STEP_BODY, VM_CAUSE_LOST, 0, false},
        {VM_STEP_MAIL, VM_CAUSE_TIMEOUT, 0, false},
        {VM_STEP_CONNECT, VM_CAUSE_REFUSED, 0, false},
        {VM_STEP_AUTH, VM_CAUSE_REPLY, 535, false},
        {VM_STEP_GREETING, VM_CAUSE_REPLY, 421, false},
        {VM_STEP_DOT, VM_CAUSE_PROTOCOL, 0, true},
        {VM_STEP_RCPT, VM_CAUSE_REPLY, 550, false},
        {VM_STEP_DOT, VM_CAUSE_REPLY, 554, false},
    }};
    return kAnswers.at(number % kAnswers.size());
}

namespace {
Outside* g_outside = nullptr;
}

Outside& the_outside() {
    return *g_outside;
}

Outside::Outside(const Setting& setting, Witness& witness)
    : setting_(setting), witness_(witness), shown_(*fake_account()), accounts_(kAccounts) {
    g_outside = this;
    shown_.clear();
    for (FakeAccount& account : accounts_) {
        account.folder("INBOX");
        account.modseqs = setting.modseqs;
        account.uidplus = setting.uidplus;
        account.found_a_call = setting.found_a_call;
        account.impossible_folders = {"Junk"};
        account.hook = [this](const std::string& point) {
            if (ends_at(point)) shown_.fail_at = shown_.points - 1;
        };
    }
}

Outside::~Outside() {
    shown_.clear();
    g_outside = nullptr;
}

void Outside::show(int account) {
    if (account == showing_) return;
    if (showing_ >= 0) std::swap(shown_, accounts_.at(static_cast<std::size_t>(showing_)));
    showing_ = account;
    if (showing_ >= 0) std::swap(shown_, accounts_.at(static_cast<std::size_t>(showing_)));
}

FakeAccount& Outside::account(unsigned which) {
    return static_cast<int>(which) == showing_ ? shown_ : accounts_.at(which);
}

Outside::InHand::InHand(unsigned account) : before_(g_outside->showing_) {
    g_outside->show(static_cast<int>(account));
    g_outside->shown_.calls.clear();
    g_outside->shown_.fail_at = -1;
}
Outside::InHand::~InHand() {
    g_outside->show(before_);
    // (What ended the call that was made at a point of this one is not to end this one.)
    if (!g_outside->dead) g_outside->shown_.fail_at = -1;
}

bool Outside::ends_at(const std::string& point) {
    if (!dead) witness_.at_point(point);
    const bool ends = std::exchange(cut, false) || dead;
    if (!ends) return false;
    FakeAccount& in = shown_;
    const bool early = cut_kind % 4 == 0 && point.ends_with("begin");
    in.fail_step = early ? VM_STEP_CONNECT : VM_STEP_ACCOUNT;
    in.fail_cause = cut_kind % 2 == 0 ? VM_CAUSE_LOST : VM_CAUSE_TIMEOUT;
    return true;
}

void Outside::put(unsigned which, const std::string& folder, FakeMail mail, unsigned long now) {
    truths_[mail.content] = {now, false};
    account(which).put(folder, std::move(mail));
}

void Outside::restart_servers() {
    for (unsigned i = 0; i < kAccounts; ++i) {
        account(i).refused_folders.clear();
        account(i).refused_ids.clear();
        account(i).denied_ids.clear();
        account(i).unnamed_folders.clear();
    }
    answers.clear();
    lie = false;
}

}  // namespace vm::sim
