#include "agent/transcriber.h"

#include "base/trace.h"
#include "media/transcript.h"

#include <algorithm>
#include <utility>

namespace vm::agent {

namespace {

// A recogniser keeps a processor busy; with two, one that hangs does not hold up all others.
constexpr std::size_t kAtOnce = 2;
// One that was cut off may be what the worker died of.
constexpr int kTries = 2;
// After the store could not be written: then nothing is sent either.
constexpr std::int64_t kRetryMs = 5'000;
// Settled in one transaction: others wait for their writes.
constexpr std::size_t kBatch = 500;

std::string in_seconds(std::int64_t ms) {
    return "in " + std::to_string((ms + 500) / 1000) + " s";
}

// What has become of the message meanwhile may have settled the matter.
bool still_waits(const MessageRecord& record) {
    const DeliveryState state = record.delivery.state;
    return record.message.state != MessageState::kDeleted && record.delivery.attempts == 0 &&
           (state == DeliveryState::kQueued || state == DeliveryState::kDeferred);
}

}  // namespace

bool transcribes(const config::MailboxOptions& mailbox, const config::MiscSetup& misc) {
    return mailbox.transcript && !misc.transcript_command.empty();
}

Transcriber::Transcriber(Context context)
    : context_(std::move(context)), threads_(context_.store, kAtOnce) {}

void Transcriber::want(const std::shared_ptr<const config::MailboxOptions>& mailbox,
                       const std::shared_ptr<const config::MiscSetup>& misc,
                       const std::vector<std::string>& ids) {
    const std::int64_t deadline = context_.clock.steady_ms() + misc->transcript_timeout_s * 1000;
    for (const std::string& id : ids) {
        {
            const std::lock_guard lock(mutex_);
            if (!jobs_.try_emplace(id, Job{mailbox, misc, deadline}).second) continue;
        }
        const std::lock_guard lock(submitting_);
        threads_.submit([this, id](Result<store::Store*> store) { run(id, std::move(store)); });
    }
}

// Without a thread, or without time left, it is left to take_news().
void Transcriber::run(const std::string& id, Result<store::Store*> store) {
    Job job;
    {
        const std::lock_guard lock(mutex_);
        const auto found = jobs_.find(id);
        if (found == jobs_.end() || found->second.running || !store || context_.stopping() ||
            found->second.deadline <= context_.clock.steady_ms())
            return;
        found->second.running = true;
        job = found->second;
    }
    const InHand note(context_.in_hand, job.mailbox->number, Work::kTranscribe);
    const auto done = make(id, job, **store);
    if (!done && !context_.stopping())
        trace(TraceLevel::kError, "{}: {}", job.mailbox->number, done.error().text());
    end(id, context_.clock.steady_ms() + (done ? 0 : kRetryMs));
}

// An error is the store's, or that the worker stops.
Result<> Transcriber::make(const std::string& id, const Job& job, store::Store& store) {
    const auto record = store.get(id);
    if (!record && record.error().kind == ErrorKind::kNoInput) return {};
    VM_TRY(record);
    VM_ASSIGN(const Transcript before, store.transcript(id));
    if (before.settled || !still_waits(*record)) return {};
    VM_ASSIGN(const int tries, store.begin_transcript(id));
    store::Store::TranscriptEnd end{id, {}, {}};
    if (tries > kTries) {
        end.words = "the agent ended twice while it was made";
    } else {
        const std::int64_t begun = context_.clock.steady_ms();
        const media::TranscriptOptions options{
            job.misc->transcript_command, job.mailbox->language,
            std::chrono::milliseconds(std::max<std::int64_t>(1, job.deadline - begun)),
            context_.stopping, context_.paths.spool()};
        auto text = media::transcribe(options, store.media_path(record->message));
        const std::string took = in_seconds(context_.clock.steady_ms() - begun);
        // Nothing that it is to blame for.
        if (!text && context_.stopping()) {
            VM_TRY(store.cut_transcript_short(id));
            return fail(text.error());
        }
        end.words = !text           ? text.error().text()
                    : text->empty() ? "nothing was understood, " + took
                                    : took;
        if (text) end.text = std::move(*text);
    }
    VM_TRY(store.end_transcripts({end}));
    count(end);
    trace(end.text.empty() ? TraceLevel::kWarning : TraceLevel::kInfo, "{}: transcript of {}: {}{}",
          job.mailbox->number, id, end.text.empty() ? "none: " : "made ", end.words);
    return {};
}

void Transcriber::count(const store::Store::TranscriptEnd& end) const {
    if (context_.metrics)
        context_.metrics->add(Metric::kTranscripts, {end.text.empty() ? "none" : "made"});
}

void Transcriber::end(const std::string& id, std::int64_t news_at) {
    {
        const std::lock_guard lock(mutex_);
        const auto found = jobs_.find(id);
        const auto news = news_.try_emplace(found->second.mailbox->number, news_at).first;
        news->second = std::min(news->second, news_at);
        jobs_.erase(found);
    }
    context_.wake();
}

std::set<std::string> Transcriber::take_news(store::Store& store) {
    const std::int64_t now = context_.clock.steady_ms();
    std::vector<store::Store::TranscriptEnd> late;
    std::map<std::string, std::string> mailboxes;  // of these
    {
        const std::lock_guard lock(mutex_);
        for (auto& [id, job] : jobs_) {
            if (late.size() == kBatch) break;  // end() has this called again
            if (job.running || job.deadline > now) continue;
            late.push_back({id,
                            {},
                            "its turn did not come within " +
                                std::to_string(job.misc->transcript_timeout_s) + " s"});
            mailboxes.emplace(id, job.mailbox->number);
        }
    }
    if (!late.empty()) {
        const auto done = store.end_transcripts(late);
        if (!done) trace(TraceLevel::kError, "{}", done.error().text());
        for (const auto& one : late) {
            if (done) count(one);
            if (done)
                trace(TraceLevel::kWarning, "{}: transcript of {}: none: {}", mailboxes.at(one.id),
                      one.id, one.words);
            end(one.id, now + (done ? 0 : kRetryMs));
        }
    }
    std::set<std::string> news;
    const std::lock_guard lock(mutex_);
    std::erase_if(news_, [&](const auto& entry) {
        if (entry.second > now) return false;
        news.insert(entry.first);
        return true;
    });
    return news;
}

bool Transcriber::busy() const {
    const std::lock_guard lock(mutex_);
    return !jobs_.empty() || !news_.empty();
}

}  // namespace vm::agent
