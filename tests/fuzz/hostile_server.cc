#include "hostile_server.h"

#include "common/dial.h"
#include "common/text.h"
#include "fuzz.h"

#include <algorithm>

namespace vm::fuzz {

namespace {

constexpr char kSilence = '\x1E', kClose = '\x1D', kStop = '\x1C';
constexpr std::chrono::seconds kPatience{2};  // a reply timeout
constexpr std::size_t kLongestTraced = 70'000;

HostileServer* g_server = nullptr;

void on_trace(void*, void*, const char* line) {
    const std::string_view text(line);
    static const bool shown = std::getenv("VM_FUZZ_TRACE") != nullptr;
    if (shown) std::fprintf(stderr, "%s\n", line);
    FUZZ_REQUIRE(!plug::has_control(text));
    FUZZ_REQUIRE(text.size() <= kLongestTraced);
    FUZZ_REQUIRE(text.find(kPassword) == std::string_view::npos);
}

}  // namespace

class HostileWire : public plug::Wire {
  public:
    explicit HostileWire(HostileServer& server) : server_(server) {}

    Status send(std::string_view data, std::size_t& count) override {
        if (server_.closed_) return Status::kClosed;
        if (server_.piecemeal_ && (server_.busy_ = !server_.busy_)) return Status::kAgain;
        count = server_.piecemeal_ ? std::min<std::size_t>(data.size(), 50) : data.size();
        server_.hear(data.substr(0, count));
        return Status::kOk;
    }
    Status receive(char* buffer, std::size_t capacity, std::size_t& count) override {
        return server_.say(buffer, server_.piecemeal_ ? 1 : capacity, count);
    }
    void wait(bool, std::chrono::milliseconds limit) override { server_.now_ += limit; }
    int descriptor() const override { return 0; }
    plug::Deadline now() const override { return server_.now_; }

  private:
    HostileServer& server_;
};

HostileServer::HostileServer(std::string_view input, bool piecemeal)
    : input_(input), piecemeal_(piecemeal) {
    g_server = this;
}
HostileServer::~HostileServer() {
    g_server = nullptr;
}
HostileServer& HostileServer::current() {
    FUZZ_REQUIRE(g_server != nullptr);
    return *g_server;
}

const vm_host* HostileServer::host() {
    static const vm_host kHost{
        VM_TRANSPORT_ABI,
        sizeof(vm_host),
        nullptr,
        on_trace,
        [](void*, void*) { return g_server != nullptr && g_server->stops_ ? 1 : 0; },
        nullptr,
        nullptr};
    return &kHost;
}

plug::AccountOptions HostileServer::account() const {
    plug::AccountOptions out;
    out.host = "heaven.af.mil";
    out.port = 1;
    out.auth = VM_AUTH_AUTO;
    out.user = "driver";
    out.password = kPassword;
    out.allow_cleartext_password = true;
    out.connect_timeout = out.reply_timeout = kPatience;
    return out;
}

plug::SmtpOptions HostileServer::smtp() const {
    plug::SmtpOptions out;
    static_cast<plug::ServerOptions&>(out) = account();
    out.domain = "sun.af.mil";
    out.dot_timeout = kPatience;
    return out;
}

std::unique_ptr<plug::Wire> HostileServer::wire() {
    return std::make_unique<HostileWire>(*this);
}

void HostileServer::hear(std::string_view data) {
    heard_ += data;
    answering_ = true;
    command_ += data;
    for (std::size_t end; (end = command_.find('\n')) != std::string::npos;) {
        const std::size_t blank = command_.find(' ');
        if (blank < end) tags_.push_back(command_.substr(0, blank));
        command_.erase(0, end + 1);
    }
}

// A line that begins with `mark` is next, and is taken.
bool HostileServer::take_mark(char mark) {
    if (!input_.starts_with(mark)) return false;
    take_line(input_);
    line_begins_ = true;
    return true;
}

void HostileServer::begin_line() {
    if (!line_begins_) return;
    line_begins_ = false;
    if (!input_.starts_with("@ ") || tags_.empty()) return;
    tag_ = tags_.front();
    tags_.pop_front();
    input_.remove_prefix(1);
}

plug::Wire::Status HostileServer::say(char* buffer, std::size_t capacity, std::size_t& count) {
    using Status = plug::Wire::Status;
    count = 0;
    while (count < capacity && !closed_) {
        begin_line();
        if (!tag_.empty()) {
            buffer[count++] = tag_.front();
            tag_.erase(0, 1);
            continue;
        }
        if (input_.empty()) break;
        const char next = input_.front();
        if (next == kSilence || next == kClose) {
            if (count > 0 || (next == kSilence && !answering_)) break;
            closed_ = take_mark(kClose);
            take_mark(kSilence);
        } else if (take_mark(kStop)) {
            stops_ = true;
        } else {
            buffer[count++] = next;
            input_.remove_prefix(1);
            line_begins_ = next == '\n';
        }
    }
    if (count > 0) {
        said_.append(buffer, count);
        answering_ = false;
        return Status::kOk;
    }
    return closed_ ? Status::kClosed : Status::kAgain;
}

std::optional<std::string> HostileServer::line() {
    std::string out;
    while (!closed_ && out.size() <= 60'000) {  // libcurl takes no longer lines
        char next = 0;
        std::size_t count = 0;
        answering_ = true;  // nobody waits here
        if (say(&next, 1, count) != plug::Wire::Status::kOk) break;
        if (next == '\n') return out;
        out += next;
    }
    return std::nullopt;
}

// ---- the login ----------------------------------------------------------------------------------

namespace {

using plug::DialError;
using Kind = DialError::Kind;

// One attempt to log in. Throws the DialError that ends it.
class Login {
  public:
    Login(const plug::Target& target, plug::Handshake& handshake, const plug::Host& host,
          plug::Counters& counters)
        : target_(target), handshake_(handshake), host_(host), counters_(counters) {}

    void run() {
        if (target_.raw) return;
        hear();
        if (target_.scheme == "imap")
            imap();
        else if (target_.scheme == "smtp")
            smtp();
        else
            pop3();
    }

  private:
    [[noreturn]] static void end(Kind kind) { throw DialError{kind, true, "the dialogue ended"}; }

    void say(const std::string& command) {
        counters_.sent += command.size() + 2;
        ++counters_.round_trips;
        host_.trace("C: ", handshake_.on_command(command));
        HostileServer::current().hear(command + "\r\n");
    }

    // (As dial.cc: what SASL says is not shown.)
    std::string hear() {
        auto line = HostileServer::current().line();
        if (!line) end(Kind::kLost);
        counters_.received += line->size() + 1;
        while (line->ends_with('\r')) line->pop_back();
        const bool sasl = line->starts_with("334 ") || line->starts_with("+ ");
        host_.trace("S: ", sasl ? "[hidden]" : *line);
        if (!handshake_.on_line(*line)) end(Kind::kDialogue);
        return *line;
    }

    bool offers(const std::string& said, const char* word) const {
        return target_.mechanisms == "AUTH=*" || said.find(word) != std::string::npos;
    }
    std::string plain() const {
        using namespace std::string_literals;
        if (target_.bearer != nullptr)
            return " XOAUTH2 " + plug::encode_base64("user=" + target_.user + "\1auth=Bearer " +
                                                     target_.bearer + "\1\1");
        return " PLAIN " + plug::encode_base64("\0"s + target_.user + "\0"s + target_.password);
    }

    std::string imap_answer(const std::string& tag, std::string& all) {
        for (;;) {
            std::string line = hear();
            all += line;
            if (line.starts_with(tag)) return line.substr(tag.size());
            if (!line.starts_with("+")) continue;
            if (target_.bearer != nullptr) end(Kind::kNoLogin);
            say("aGVsbG8=");
        }
    }

    void imap() {
        std::string said;
        say("A1 CAPABILITY");
        imap_answer("A1 ", said);
        if (target_.tls == plug::TlsUse::kStartTls) {
            say("A2 STARTTLS");
            if (!imap_answer("A2 ", said).starts_with("OK")) end(Kind::kNoTls);
        }
        if (!offers(said, "AUTH=")) end(Kind::kNoLogin);
        if (target_.mechanisms == "AUTH=*")
            say("A3 LOGIN " + target_.user + " \"" + target_.password + '"');
        else
            say("A3 AUTHENTICATE" + plain());
        if (!imap_answer("A3 ", said).starts_with("OK")) end(Kind::kNoLogin);
    }

    std::string smtp_answer(std::string& all) {
        for (;;) {
            std::string line = hear();
            all += line;
            if (line.size() < 4 || line[3] != '-') return line;
        }
    }

    void smtp() {
        std::string said;
        say("EHLO " + target_.path);
        if (!smtp_answer(said).starts_with('2')) {
            say("HELO " + target_.path);
            if (!smtp_answer(said).starts_with('2')) end(Kind::kDialogue);
        }
        if (target_.tls == plug::TlsUse::kStartTls) {
            say("STARTTLS");
            if (!smtp_answer(said).starts_with("220")) end(Kind::kNoTls);
            say("EHLO " + target_.path);
            smtp_answer(said);
        }
        if (target_.user.empty()) return;
        if (!offers(said, "AUTH")) end(Kind::kNoLogin);
        say("AUTH" + plain());
        std::string line = smtp_answer(said);
        if (line.starts_with("334") && target_.bearer == nullptr) {
            say("aGVsbG8=");
            line = smtp_answer(said);
        }
        if (!line.starts_with("235")) end(Kind::kNoLogin);
    }

    void pop3() {
        std::string said;
        say("CAPA");
        if (hear().starts_with("+OK"))
            for (std::string line; line != ".";) said += line = hear();
        if (target_.tls == plug::TlsUse::kStartTls) {
            say("STLS");
            if (!hear().starts_with("+OK")) end(Kind::kNoTls);
        }
        if (!offers(said, "SASL")) end(Kind::kNoLogin);
        if (target_.mechanisms == "AUTH=*") {
            say("USER " + target_.user);
            hear();
            say(std::string("PASS ") + target_.password);
        } else {
            say("AUTH" + plain());
        }
        if (!hear().starts_with("+OK")) end(Kind::kNoLogin);
    }

    const plug::Target& target_;
    plug::Handshake& handshake_;
    const plug::Host& host_;
    plug::Counters& counters_;
};

}  // namespace

}  // namespace vm::fuzz

// ---- instead of common/dial.cc ------------------------------------------------------------------

namespace vm::plug {

tl::expected<std::unique_ptr<Wire>, DialError> dial(const Target& target, Deadline /*deadline*/,
                                                    Handshake& handshake, const Host& host,
                                                    Counters& counters) {
    fuzz::HostileServer::current().accept();
    try {
        fuzz::Login(target, handshake, host, counters).run();
        return fuzz::HostileServer::current().wire();
    } catch (const DialError& problem) {
        return tl::unexpected(problem);
    }
}

bool valid_host(std::string_view host) {
    return !host.empty();
}
std::string address_literal() {
    return "[127.0.0.1]";
}

}  // namespace vm::plug
