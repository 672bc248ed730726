// Loads a transport plugin (plugins/vm_transport.h) and gives its C interface a C++ face. What
// comes back from a plugin is foreign: it is checked before anybody sees it.
//
// Promise:
// - a file that is missing, can be changed by others, is no plugin or speaks another ABI is refused
//   with one error that names the path and what to do; the program goes on;
// - a report that makes no sense becomes PushCause::kPlugin, which core::classify() treats as
//   "nobody knows what happened to the message"; texts are one sanitised line, without secrets;
// - protocol dialogue goes to the trace at debug level, prefixed with the session's name.
//
// A plugin that crashes takes the process along: run sessions in a worker process. Which plugin did
// so while it was loaded, LoadingNote tells.
#ifndef VM_TRANSPORT_PLUGIN_H
#define VM_TRANSPORT_PLUGIN_H

#include "base/error.h"
#include "base/secret.h"
#include "core/message.h"
#include "core/push.h"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct vm_transport;

namespace vm::transport {

enum class Tls { kOpportunistic, kImplicit, kStartTls };  // ... SSL = No, Yes, STARTTLS
enum class Auth { kNone, kAuto, kPlain, kLogin, kCramMd5, kXOAuth2, kOAuthBearer };

// One server with one account.
struct Endpoint {
    std::string host;        // "": not set
    std::uint16_t port = 0;  // 0: by protocol and TLS
    Tls tls = Tls::kOpportunistic;
    Auth auth = Auth::kNone;
    std::string user;
    Secret password;  // kXOAuth2, kOAuthBearer: the token; empty: SessionOptions::token gives it
};

struct SessionOptions {
    std::string name;               // prefix in the trace: the mailbox's number
    Endpoint smtp;                  // where messages are pushed
    Endpoint account;               // IMAP or POP3, whichever the plugin speaks
    std::string domain;             // for EHLO; "": the address literal
    std::filesystem::path ca_file;  // PEM; "": the system's store
    bool verify = true;
    bool allow_cleartext_password = false;
    bool search_text = false;  // identity by the token in the text instead of the header
    std::chrono::milliseconds connect_timeout{60'000};  // from DNS to AUTH
    std::chrono::milliseconds reply_timeout{
        300'000};                                    // one reply, or one block taken by the server
    std::chrono::milliseconds dot_timeout{600'000};  // the reply to the final dot
    // Asked before each login with a token, in the calling thread. `refused`: what the server has
    // just refused, or empty. Empty: there are none.
    std::function<Result<Secret>(const Secret& refused)> token;
    // Asked at least once a second while a call waits, in the calling thread; true: stop soon.
    // Empty: never. A message whose final dot is out is still waited for.
    std::function<bool()> cancelled;
};

struct OutgoingMessage {
    std::string sender;     // envelope sender, "" for <>
    std::string recipient;  // envelope recipient
    int fd = -1;  // the mail with CRLF line ends, read by pread() from offset 0; stays the caller's
    std::int64_t size = 0;   // its bytes: exactly these are sent; if there are less, it is an error
    bool eight_bit = false;  // has bytes above 127
    std::string_view memory = {};  // where fd is -1: the mail; stays the caller's
};

// What the last push cost, connecting included.
struct PushStats {
    std::uint64_t bytes_sent = 0;
    std::uint64_t bytes_received = 0;
    std::uint32_t round_trips = 0;
    bool connected = false;  // it opened a new connection
};

// What the calls of a session have cost so far.
struct Traffic {
    std::uint64_t connections = 0, bytes_sent = 0, bytes_received = 0, round_trips = 0;

    // What a plugin says of one call; senseless figures do not spoil the sum.
    void add(bool connected, std::uint64_t sent, std::uint64_t received, std::uint32_t trips) {
        constexpr std::uint64_t kMost = std::uint64_t{1} << 40;
        connections += connected ? 1 : 0;
        bytes_sent += sent < kMost ? sent : 0;
        bytes_received += received < kMost ? received : 0;
        round_trips += trips;
    }
};

// What an account said about one message.
struct AccountAnswer {
    bool supported = false;  // false: this plugin cannot do it, ever; the rest means nothing
    bool found = false;
    Link link;  // where, as far as the protocol knows places
};

class Session;

// A loaded plugin. Cheap to copy; valid for the life of the process, since plugins are never
// unloaded. Any thread.
class Plugin {
  public:
    // Every failure is kConfig and names `file`. Loading the same file again gives the same plugin.
    static Result<Plugin> load(const std::filesystem::path& file);

    const std::filesystem::path& path() const { return path_; }
    std::string name() const;         // "smtpimap4"
    std::string description() const;  // one line
    bool can_search() const;          // Session::find works
    bool can_sync() const;            // AccountSession works, but for visit()
    bool can_visit() const;           // AccountSession::visit() works

    // A session for one server and account. Does not connect. kConfig with the plugin's reason when
    // the options are senseless.
    Result<Session> open(const SessionOptions& options) const;

  private:
    Plugin(const vm_transport* table, std::filesystem::path path)
        : table_(table), path_(std::move(path)) {}
    const vm_transport* table_;
    std::filesystem::path path_;
};

// One server and account; keeps its connection between pushes. One thread at a time. The destructor
// says QUIT on an idle connection and takes about a second at most.
class Session {
  public:
    Session(Session&&) noexcept;
    Session& operator=(Session&&) noexcept;
    ~Session();

    // Pushes one message. Never fails as a call: the report says how far the dialogue came and what
    // ended it; core::classify() says what that means.
    PushReport push(const OutgoingMessage& message);
    const PushStats& last_push() const;

    // Connects to the SMTP server and logs in as push() does, and keeps the connection for the next
    // push. Nothing: it is ready for a message. Otherwise what push() would have reported; of a
    // plugin that cannot do so, PushCause::kPlugin.
    std::optional<PushReport> log_in();
    // Of the pushes since it was asked for last.
    Traffic take_traffic();
    // For whom it works from now on (SessionOptions::name).
    void set_name(std::string name);

    // Looks for the message with header X-VM-Message-Id `id` in the account. Errors: kRetryLater
    // with the plugin's words.
    Result<AccountAnswer> find(const std::string& id);

  private:
    friend class Plugin;
    friend class AccountSession;
    struct State;
    explicit Session(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace vm::transport

#endif
