#include "agent/incoming.h"

#include "agent/push_policy.h"
#include "base/text.h"
#include "config/config.h"
#include "core/decide.h"
#include "media/audio.h"
#include "media/fax.h"

namespace vm::agent {

namespace fs = std::filesystem;

Result<Incoming> decide_delivery(const Paths& paths, store::NewMessage& incoming) {
    const std::string& mailbox = incoming.message.mailbox;
    incoming.delivery = DeliveryState::kQueued;
    const auto options = config::load_mailbox(paths, mailbox);
    if (!options) {
        if (!config::has_mailbox(paths, mailbox))
            return fail(ErrorKind::kNoInput, "add message", "mailbox " + mailbox,
                        "there is no such mailbox",
                        "create it with vmconfig mailbox create " + mailbox);
        return Incoming{options.error()};
    }
    const auto why = why_not_pushed(incoming.message, policy_for(*options, false));
    if (!why) return Incoming{};
    incoming.delivery = DeliveryState::kOff;
    incoming.delivery_reason = *why;
    return Incoming{};
}

Result<> measure(const fs::path& copy, Message& message) {
    if (message.kind == MessageKind::kVoice) {
        VM_ASSIGN(const media::AudioInfo audio, media::probe_audio(copy));
        message.duration_ms = audio.duration_ms;
    } else {
        VM_ASSIGN(const media::FaxInfo fax, media::probe_fax(copy));
        message.pages = fax.pages;
    }
    return {};
}

Result<store::NewMessage> incoming_message(const Message& message, const fs::path& file,
                                           const std::string& called) {
    if (!is_mailbox_number(message.mailbox))
        return fail(ErrorKind::kUsage, "mailbox", message.mailbox,
                    "a mailbox number is 1 to 8 digits");
    // Beyond these years the mail could not name it in every time zone.
    const auto earliest = *parse_rfc3339("1900-01-01T00:00:00Z");
    const auto latest = *parse_rfc3339("9998-12-31T00:00:00Z");
    if (message.received < earliest || message.received > latest)
        return fail(ErrorKind::kUsage, "time of reception",
                    std::to_string(message.received) + " ms",
                    "it is not between the years 1900 and 9998");
    store::NewMessage incoming;
    incoming.message = message;
    incoming.file = file;
    incoming.extension = message.kind == MessageKind::kVoice ? "wav" : "tif";
    const std::string name = called.empty() ? file.string() : called;
    incoming.inspect = [name](const fs::path& copy, Message& measured) -> Result<> {
        auto done = measure(copy, measured);
        // The person knows the file by the name it came under.
        if (!done && done.error().object == copy) done.error().object = name;
        return done;
    };
    return incoming;
}

Result<Added> add_message(const Paths& paths, store::Store& store, store::NewMessage incoming) {
    VM_ASSIGN(Incoming decided, decide_delivery(paths, incoming));
    VM_ASSIGN(std::string id, store.add(incoming));
    // It is stored: nothing may fail any more, as a copy could.
    return Added{std::move(id), std::move(decided.trouble)};
}

}  // namespace vm::agent
