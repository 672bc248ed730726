#include "smtpimap4/quick_login.h"

#include "common/bearer.h"
#include "common/connection.h"
#include "common/text.h"

#include <algorithm>
#include <mutex>
#include <set>
#include <utility>

namespace vm::plug::imap {

namespace {

using Io = Connection::Io;
using Kind = DialError::Kind;

// What a server may say before we are logged in.
constexpr std::uint64_t kBudget = std::uint64_t{64} << 10;

// Servers that something is not for.
class Exceptions {
  public:
    bool has(const std::string& server) {
        const std::lock_guard lock(mutex_);
        return servers_.count(server) > 0;
    }
    void add(const std::string& server) {
        const std::lock_guard lock(mutex_);
        servers_.insert(server);
    }

  private:
    std::mutex mutex_;
    std::set<std::string> servers_;  // guarded by mutex_
};

Exceptions& without_quick_login() {
    static Exceptions all;
    return all;
}
Exceptions& without_opening() {
    static Exceptions all;
    return all;
}

// All that the way of logging in depends on.
std::string name_of(const ServerOptions& options) {
    return options.host + " " + std::to_string(options.port) + " " + std::to_string(options.tls) +
           " " + std::to_string(options.auth) + (is_verified(options) ? " verified" : "");
}

// Ends the attempt.
struct Failed {
    DialError error;
};
struct WantsMore {};

class QuickLogin {
  public:
    QuickLogin(const ServerOptions& options, const Opening& opening, ImapHandshake& handshake,
               const Host& host, Counters& counters)
        : options_(options),
          opening_(opening),
          handshake_(handshake),
          host_(host),
          counters_(counters),
          deadline_(SteadyClock::now() + options.connect_timeout) {}

    // Nothing: this server is none for it.
    std::optional<QuickLink> run() {
        auto wire = dial(target(), deadline_, handshake_, host_, counters_);
        if (!wire) throw Failed{std::move(wire.error())};
        connection_.emplace(std::move(*wire), host_, counters_);
        deadline_ = connection_->now() + (deadline_ - SteadyClock::now());
        hear([this] { return handshake_.greeted(); });
        if (handshake_.capabilities_before().empty()) {
            say("A001 CAPABILITY", {});
            hear([this] { return handshake_.answered(); });
        }
        if (!is_possible()) return std::nullopt;
        const std::string opening =
            may_open() ? opening_(handshake_.capabilities_before()) : std::string();
        const std::string mechanism = mechanism_of(handshake_.capabilities_before());
        std::string words = words_for(mechanism);
        std::string secret = encode_base64(words);
        wipe(words);
        say("A002 AUTHENTICATE " + mechanism + " ", secret, opening);
        wipe(secret);
        hear([this] { return handshake_.answered(); });
        if (!handshake_.authenticated()) throw Failed{{Kind::kNoLogin, true, {}}};
        std::string received(connection_->received());
        return QuickLink{connection_->take_wire(), std::move(received), !opening.empty()};
    }

  private:
    Target target() const {
        Target out;
        out.raw = true;
        out.host = options_.host;
        out.port = options_.port;
        out.tls = options_.tls == VM_TLS_IMPLICIT ? TlsUse::kImplicit : TlsUse::kNone;
        out.verify = options_.tls == VM_TLS_IMPLICIT && options_.verify;
        out.ca_file = options_.ca_file;
        return out;
    }

    bool is_possible() const {
        const std::vector<std::string>& can = handshake_.capabilities_before();
        const auto has = [&](const char* name) {
            return std::find(can.begin(), can.end(), name) != can.end();
        };
        if (options_.tls == VM_TLS_OPPORTUNISTIC && has("STARTTLS")) return false;
        if (!has("SASL-IR") || mechanism_of(can).empty()) return false;
        if (is_bearer(options_.auth)) return true;
        // As in log_in(): where others may listen, another mechanism is better, if there is one.
        return options_.auth == VM_AUTH_PLAIN || is_verified(options_) || !has("AUTH=CRAM-MD5");
    }

    // "": none that can be had with an initial response.
    std::string mechanism_of(const std::vector<std::string>& can) const {
        const auto has = [&](const std::string& name) {
            return std::find(can.begin(), can.end(), "AUTH=" + name) != can.end();
        };
        if (!is_bearer(options_.auth)) return has("PLAIN") ? "PLAIN" : "";
        if (options_.auth == VM_AUTH_XOAUTH2 && has("XOAUTH2")) return "XOAUTH2";
        return has("OAUTHBEARER") ? "OAUTHBEARER" : "";
    }

    std::string words_for(const std::string& mechanism) const {
        if (mechanism == "XOAUTH2") return xoauth2_words(options_.user, options_.password);
        if (mechanism == "OAUTHBEARER") return oauthbearer_words(options_, options_.password);
        return '\0' + options_.user + '\0' + options_.password;
    }

    // Cyrus IMAP (3.6 at least) takes an AUTHENTICATE that more follows for a second one, too, and
    // does not get to the last command.
    bool may_open() const {
        return !without_opening().has(name_of(options_)) &&
               handshake_.greeting().find("Cyrus IMAP") == std::string::npos;
    }

    void say(const std::string& command, const std::string& secret,
             const std::string& behind = {}) {
        std::string line;
        line.reserve(command.size() + secret.size() + 2 + behind.size());
        line.append(command).append(secret).append("\r\n");
        host_.trace("C: ", handshake_.on_command(line));
        for (std::string_view rest = behind; !rest.empty();) {
            const auto end = rest.find("\r\n");
            host_.trace("C: ", rest.substr(0, end));
            rest.remove_prefix(end + 2);
        }
        line.append(behind);
        const Io io = connection_->send(line, deadline_, Connection::Patience::kStopWhenAsked);
        wipe(line);
        check(io);
    }

    template <class Condition>
    void hear(Condition done) {
        std::string line;
        while (!done()) {
            check(connection_->read_line(line, deadline_, Connection::Patience::kStopWhenAsked));
            if (counters_.received - received_ > kBudget || !handshake_.on_line(line))
                throw Failed{{Kind::kDialogue, true, "it is no answer to a login"}};
            // (What was sent behind the login has answered that already, as far as the server
            // goes.)
            if (handshake_.refused_token()) throw Failed{{Kind::kNoLogin, true, {}}};
            if (handshake_.continued()) throw WantsMore{};
        }
    }

    void check(Io io) const {
        const std::string where = options_.host + " port " + std::to_string(options_.port) + ": ";
        switch (io) {
            case Io::kOk:
            case Io::kInput:
                return;
            case Io::kTimeout:
                throw Failed{{Kind::kTimeout, true, where + "no answer in time"}};
            case Io::kLost:
                throw Failed{{Kind::kLost, true, where + "the server closed the connection"}};
            case Io::kGarbage:
                throw Failed{{Kind::kDialogue, true, "a line without end, or lines without end"}};
            case Io::kCancelled:
                throw Failed{{Kind::kCancelled, true, {}}};
        }
    }

    const ServerOptions& options_;
    const Opening& opening_;
    ImapHandshake& handshake_;
    const Host& host_;
    Counters& counters_;
    const std::uint64_t received_ = counters_.received;  // on other connections
    Deadline deadline_;
    std::optional<Connection> connection_;
};

}  // namespace

std::optional<LoginResult> quick_log_in(const ServerOptions& options, const Opening& opening,
                                        ImapHandshake& handshake, const Host& host,
                                        Counters& counters) {
    if (options.tls == VM_TLS_STARTTLS || why_no_password(options) ||
        (options.auth != VM_AUTH_PLAIN && options.auth != VM_AUTH_AUTO && !is_bearer(options.auth)))
        return std::nullopt;
    if (without_quick_login().has(name_of(options))) return std::nullopt;
    handshake.restart();
    try {
        auto link = QuickLogin(options, opening, handshake, host, counters).run();
        if (link) return std::move(*link);
    } catch (const Failed& failed) {
        return tl::unexpected(handshake.ending(failed.error));
    } catch (const WantsMore&) {
        host.trace("-- ", "the server does not do the SASL-IR it offers");
    }
    without_quick_login().add(name_of(options));
    return std::nullopt;
}

void send_no_opening(const ServerOptions& options) {
    without_opening().add(name_of(options));
}

}  // namespace vm::plug::imap
