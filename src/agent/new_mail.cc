#include "agent/new_mail.h"

#include "agent/sync_pass.h"
#include "base/files.h"
#include "base/process.h"
#include "base/trace.h"
#include "mime/mail_reader.h"

#include <algorithm>
#include <fcntl.h>
#include <unistd.h>

namespace vm::agent {

namespace {

// A mail that the server has refused so often is left alone.
constexpr int kMostAttempts = 5;
constexpr std::int64_t kDayMs = 86'400'000;

// When it came; a mail from the future, or without a date, has come now.
TimeMs received_at(const mime::MailText& mail, TimeMs now) {
    return mail.date > 0 && mail.date < now + kDayMs ? mail.date : now;
}

}  // namespace

std::filesystem::path mail_reader() {
    static const std::filesystem::path reader = program_beside("vmreadmail");
    return reader;
}

Result<std::optional<std::string>> add_email(const SyncContext& context, std::string_view bytes,
                                             const std::string& message_id, bool flagged) {
    const std::string& number = context.mailbox.number;
    auto mail = mime::read_mail_in_child(context.mail_reader, bytes, bytes.size() >= kMailBytes);
    if (!mail && mail.error().kind != ErrorKind::kMessage) return fail(mail.error());
    if (!mail) {
        trace(TraceLevel::kWarning, "{}: a mail is left out: {}", number, mail.error().text());
        return std::nullopt;
    }
    if (mail->is_ours) return std::nullopt;
    std::error_code ignored;
    std::filesystem::create_directories(context.spool, ignored);
    VM_ASSIGN(const TemporaryFile file, TemporaryFile::create(context.spool, ".txt"));
    VM_TRY(write_all(file.fd(), mail->text, file.path().string()));
    store::NewMessage message;
    message.message.mailbox = number;
    message.message.kind = MessageKind::kEmail;
    message.message.urgent = flagged;
    message.message.caller_name =
        mail->sender_name.empty() ? mail->sender_address : mail->sender_name;
    message.message.sender = mail->sender_address;
    message.message.subject = mail->subject;
    message.message.received = received_at(*mail, context.clock.now());
    message.file = file.path();
    message.extension = "txt";
    message.delivery = DeliveryState::kOff;
    message.delivery_reason = "an e-mail of the account";
    message.message_id = message_id;
    VM_ASSIGN(std::string id, context.store.add(message));
    return id;
}

// ---- the step of a pass that reads them ---------------------------------------------------------

// They lie in another account, or will be found again. False: the store failed.
bool Pass::forget_new_mails() {
    auto mails = context_.store.new_mails(mailbox_);
    if (!mails) {
        result_.store_error = mails.error();
        return false;
    }
    store::SyncCommit out;
    for (const store::NewMail& mail : *mails) out.new_mails_gone.push_back(mail.place);
    return mails->empty() || commit(out);
}

// One that is message `id` already, by an earlier reading that broke off before it was linked.
// False: the reading cannot go on.
bool Pass::take_known(const store::NewMail& mail, const std::string& id) {
    store::SyncCommit out;
    out.new_mails_gone.push_back(mail.place);
    SyncMessage* one = message(id);
    if (one != nullptr && !mail.message_id.empty() && !one->agreed) {
        auto fetched = context_.account.fetch(mail.place, 1);
        if (!fetched && fetched.error().fault != AccountFault::kRefused) {
            fail_with(std::move(fetched.error()));
            return false;
        }
        if (fetched && *fetched) {
            const MailCopy copy{mail.place, (*fetched)->flags, false};
            one->copies = {copy};
            link_email(id, copy, out);
            out.copies.emplace_back(id, one->copies);
        }
    }
    return commit(out);
}

// Whether the reading goes on with the next mail.
bool Pass::read_new_mail(store::NewMail mail) {
    // A mail that says no Message-ID, or one that another mail has said, is known by its place.
    // (With a blank, which no Message-ID has.)
    const std::string place = "uid " + mail.place.folder + ";" +
                              std::to_string(mail.place.uidvalidity) + ";" +
                              std::to_string(mail.place.uid);
    const auto same = emails_.find(mail.message_id);
    if (same != emails_.end() && is_taken(same->second)) mail.message_id.clear();
    const std::string key = mail.message_id.empty() ? place : mail.message_id;
    if (const auto known = emails_.find(key); known != emails_.end())
        return take_known(mail, known->second);
    store::SyncCommit out;
    auto fetched = context_.account.fetch(mail.place, kMailBytes);
    if (!fetched && fetched.error().fault != AccountFault::kRefused) {
        fail_with(std::move(fetched.error()));
        return false;
    }
    Result<std::optional<std::string>> added;
    const FetchedMail* there = fetched && *fetched ? &**fetched : nullptr;
    // What was read or deleted meanwhile need not be heard any more.
    if (there != nullptr && !there->flags.seen && !there->flags.deleted)
        added = add_email(context_, there->bytes, key, there->flags.flagged);
    const std::string trouble = !fetched ? fetched.error().text : added ? "" : added.error().text();
    // (What is not the mail's fault, as a full disk, does not count against it.)
    if (!trouble.empty() && (fetched || ++mail.attempts < kMostAttempts)) {
        note(trouble);
        out.new_mails.push_back(mail);
        return commit(out) && added.has_value();  // the next one would fare no better
    }
    if (!trouble.empty())
        trace(TraceLevel::kWarning, "{}: a mail is left out: {}", mailbox_, trouble);
    out.new_mails_gone.push_back(mail.place);
    if (added && *added) {
        ++result_.changed_here;
        emails_.emplace(key, **added);
        // (One without a Message-ID cannot be told from another one, so it is not touched.)
        if (!mail.message_id.empty()) {
            const MailCopy copy{mail.place, there->flags, false};
            link_email(**added, copy, out);
            out.copies.emplace_back(**added, std::vector{copy});
        }
    }
    return commit(out);
}

// Whether message `id` has, or had, a mail of its own.
bool Pass::is_taken(const std::string& id) {
    const SyncMessage* one = message(id);
    if (one == nullptr || one->agreed || !one->copies.empty()) return true;
    const auto history = context_.store.history(id);
    return !history || std::any_of(history->begin(), history->end(),
                                   [](const auto& entry) { return entry.what == "link"; });
}

void Pass::link_email(const std::string& id, const MailCopy& copy, store::SyncCommit& commit) {
    store::SyncChange link{};
    link.kind = SyncActionKind::kLink;
    link.id = id;
    link.copy = copy;
    link.agreed_folder = kInboxFolder;
    commit.changes.push_back(link);
}

void Pass::read_new_mails() {
    auto mails = context_.store.new_mails(mailbox_);
    if (!mails) {
        result_.store_error = mails.error();
        return;
    }
    if (mails->empty() || (!loaded_ && !load())) return;
    const std::int64_t until = context_.clock.steady_ms() + kReadingMs;
    for (auto mail = mails->rbegin(); mail != mails->rend(); ++mail) {
        if (context_.cancelled()) return;
        if (context_.clock.steady_ms() > until) {
            result_.again_ms = 0;
            return;
        }
        if (!read_new_mail(*mail)) return;
    }
}

}  // namespace vm::agent
