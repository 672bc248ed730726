// What a message and its delivery are. Pure data; names are those of INTERFACE's JSON.
#ifndef VM_CORE_MESSAGE_H
#define VM_CORE_MESSAGE_H

#include "base/clock.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace vm {

// kEmail: somebody's mail, which can be heard at the phone; its media file is its text (UTF-8). It
// was never the unit's to send: its delivery is off, with the mail's own Message-ID.
enum class MessageKind { kVoice, kFax, kEmail };
enum class MessageState { kNew, kRead, kDeleted };

// The steps of one delivery; the transitions are in core/delivery.h.
enum class DeliveryState { kOff, kQueued, kSending, kSent, kDeferred, kFailed, kUncertain };

const char* to_string(MessageKind kind);
const char* to_string(MessageState state);
const char* to_string(DeliveryState state);
std::optional<MessageKind> parse_message_kind(std::string_view text);
std::optional<MessageState> parse_message_state(std::string_view text);
std::optional<DeliveryState> parse_delivery_state(std::string_view text);

// The unit folder new messages lie in.
inline constexpr const char* kInboxFolder = "INBOX";

// nullopt: a good name for a folder of the unit, 1 to 100 bytes of UTF-8 without control
// characters; slashes part the levels of a hierarchy. Otherwise what is wrong with it.
std::optional<std::string> folder_problem(std::string_view name);

struct Message {
    std::string id;       // ULID
    std::string mailbox;  // number, 1–8 digits
    MessageKind kind = MessageKind::kVoice;
    std::string folder = kInboxFolder;
    MessageState state = MessageState::kNew;
    bool urgent = false;
    bool is_private = false;
    std::string caller_number;  // as signalled; UTF-8, no control characters
    std::string caller_name;
    TimeMs received = 0;           // when the recording or fax was taken
    std::int64_t duration_ms = 0;  // voice
    int pages = 0;                 // fax
    std::string sender,
        subject;            // e-mail: address, decoded text; its sender's name is the caller's
    std::int64_t size = 0;  // bytes of the media file
    std::string media;      // media file, relative to var/media
    TimeMs created = 0;     // when it became durable here
    // What its source calls it, unique in the store; "" when the source has no name for it.
    std::string origin;
    std::optional<TimeMs> deleted_at;
};

struct Delivery {
    DeliveryState state = DeliveryState::kOff;
    int attempts = 0;
    TimeMs queued_at = 0;     // when it entered the queue; the delivery timeout counts from here
    TimeMs next_attempt = 0;  // queued, deferred, uncertain: not before this
    std::string last_reply;   // the server's words, or the local reason
    std::string message_id;  // RFC 5322 Message-ID without <>, fixed by the first intent; "" before
    bool postponed = false;  // deferred, uncertain: next_attempt is a person's wish
};

// Where the mail copy lies in the account, once it was recognised there.
struct Link {
    std::string folder;
    std::uint32_t uidvalidity = 0;
    std::uint32_t uid = 0;
    bool operator==(const Link&) const = default;
    // (clang-tidy 14 sees a literal 0 in what the compiler writes.)
    auto operator<=>(const Link&) const = default;  // NOLINT(modernize-use-nullptr)
};

// What is said in a voice message, as a program wrote it down for its mail.
struct Transcript {
    int tries = 0;         // that were begun
    bool settled = false;  // it was made, or given up: the mail waits for it no longer
    std::string text;      // UTF-8; "" when there is none
};

struct MessageRecord {
    Message message;
    Delivery delivery;
    std::optional<Link> link;
};

}  // namespace vm

#endif
