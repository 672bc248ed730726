#include "diagnose/probe.h"

#include "base/text.h"
#include "diagnose/certificate.h"

#include <algorithm>

namespace vm::diagnose {

namespace {

// For what is only tried to give better advice.
constexpr Millis kAside{3000};

class Probe {
  public:
    Probe(Protocol protocol, const config::MailboxOptions& mailbox, Millis timeout,
          const Tell& tell)
        : protocol_(protocol),
          mailbox_(mailbox),
          server_(server_of(mailbox, protocol)),
          timeout_(timeout),
          aside_(std::min(timeout, kAside)),
          tell_(tell) {}

    std::optional<Abilities> run() {
        if (!find_addresses() || !connect()) return std::nullopt;
        const bool implicit = server_.ssl == config::Ssl::kYes;
        if (implicit && !secure()) return std::nullopt;
        if (!greet()) return std::nullopt;
        if (!implicit && !secure_when_offered()) return std::nullopt;
        auto able = ask_abilities(*wire_);
        if (!able) {
            fail(Step::kCapabilities, std::move(able.error()));
            return std::nullopt;
        }
        Finding found = begin(Step::kCapabilities);
        found.words =
            able->all.empty()
                ? "the server names none"
                : sanitize_line(join(able->all, protocol_ == Protocol::kImap4 ? " " : ", "), 500);
        tell(found);
        dialogue(*wire_).bye();
        able->starttls = able->starttls || starttls_;
        return std::move(*able);
    }

  private:
    Finding begin(Step step) {
        Finding out;
        out.protocol = protocol_;
        out.step = step;
        return out;
    }

    void tell(Finding& found) {
        const std::int64_t now = system_clock().steady_ms();
        found.ms = now - since_;
        tell_(found);
        since_ = system_clock().steady_ms();
        if (wire_) wire_->begin_step();
    }

    bool fail(Step step, Trouble trouble) {
        Finding found = begin(step);
        found.fault = trouble.fault;
        found.words = std::move(trouble.words);
        tell(found);
        return false;
    }

    std::string domain(const Wire& wire) const {
        return mailbox_.domain.empty() ? wire.literal() : mailbox_.domain;
    }
    Dialogue dialogue(Wire& wire) const { return {protocol_, wire, domain(wire)}; }
    Outcome<Abilities> ask_abilities(Wire& wire) const { return dialogue(wire).abilities(); }

    bool find_addresses() {
        auto addresses = resolve(server_.host, timeout_);
        if (!addresses) return fail(Step::kDns, std::move(addresses.error()));
        addresses_ = std::move(*addresses);
        Finding found = begin(Step::kDns);
        std::vector<std::string> texts;
        for (const Address& address : addresses_) texts.push_back(address.text);
        found.words = join(texts, ", ");
        tell(found);
        return true;
    }

    bool connect() {
        auto wire = Wire::connect(addresses_, server_.port, timeout_);
        Finding found = begin(Step::kTcp);
        if (wire) {
            wire_.emplace(std::move(*wire));
            found.words = "port " + std::to_string(server_.port);
            if (addresses_.size() > 1) found.words += " at " + wire_->peer();
            tell(found);
            return true;
        }
        found.fault = wire.error().fault;
        found.words = "port " + std::to_string(server_.port) + " at " + wire.error().words;
        std::vector<std::uint16_t> others = usual_ports(protocol_);
        std::erase(others, server_.port);
        found.open_ports = open_ports(addresses_, others, aside_);
        tell(found);
        return false;
    }

    // Whether the server greets in the clear, and what it can do then.
    bool greets_in_the_clear(Finding& found) {
        auto wire = Wire::connect(addresses_, server_.port, aside_);
        if (!wire) return false;
        const auto greeting = dialogue(*wire).greeting();
        if (!greeting) return false;
        const auto able = ask_abilities(*wire);
        found.starttls = able && able->starttls;
        return true;
    }

    bool waits_for_tls() {
        auto wire = Wire::connect(addresses_, server_.port, aside_);
        return wire && wire->start_tls(server_.host, mailbox_.tls_ca_file).has_value();
    }

    bool is_checked() const { return server_.ssl != config::Ssl::kNo && mailbox_.tls_verify; }

    bool secure() {
        auto state = wire_->start_tls(server_.host, mailbox_.tls_ca_file);
        Finding found = begin(Step::kTls);
        if (!state) {
            found.fault = state.error().fault;
            found.words = state.error().words;
            if (server_.ssl == config::Ssl::kYes && found.fault == Fault::kTls &&
                greets_in_the_clear(found))
                found.fault = Fault::kPlainAtTls;
            tell(found);
            return false;
        }
        return tell_tls(*state);
    }

    bool tell_tls(const TlsState& state) {
        const TimeMs now = system_clock().now();
        Finding found = begin(Step::kTls);
        found.certificate = state.certificate;
        found.words = state.version;
        if (state.certificate)
            found.words += ", certificate for " + describe(*state.certificate, now);
        if (is_checked()) {
            found.fault = state.fault;
            if (found.fault != Fault::kNone && !state.words.empty())
                found.words += ": " + state.words;
        } else {
            found.note =
                std::string("the certificate is not checked, as ") +
                (server_.ssl == config::Ssl::kNo ? std::string(prefix_of(protocol_)) + " SSL is No"
                                                 : "TLS Verify is No");
        }
        if (found.fault == Fault::kNone && found.note.empty() && state.certificate &&
            days_left(*state.certificate, now) < kSoonDays)
            found.note = "the certificate ends soon; its server has to renew it";
        tell(found);
        return found.fault == Fault::kNone;
    }

    bool greet() {
        auto words = dialogue(*wire_).greeting();
        Finding found = begin(Step::kGreeting);
        if (words) {
            found.words = std::move(*words);
            tell(found);
            return true;
        }
        found.fault = words.error().fault;
        found.words = std::move(words.error().words);
        if (found.fault == Fault::kOtherProtocol) found.speaks = protocol_of(found.words);
        if (found.fault == Fault::kSilent && server_.ssl != config::Ssl::kYes && waits_for_tls())
            found.fault = Fault::kTlsAtPlain;
        tell(found);
        return false;
    }

    // STARTTLS as a session would have it: demanded, or taken where it works (RFC 7435).
    bool secure_when_offered() {
        const bool demanded = server_.ssl == config::Ssl::kStartTls;
        const auto able = ask_abilities(*wire_);
        if (!able) return fail(Step::kCapabilities, able.error());
        starttls_ = able->starttls;
        if (!able->starttls && !demanded) return true;
        Finding found = begin(Step::kTls);
        found.mechanisms = able->mechanisms;
        if (!able->starttls) {
            found.fault = Fault::kNoStartTls;
            found.words =
                protocol_ == Protocol::kPop3 ? "STLS is not offered" : "STARTTLS is not offered";
            std::vector<std::uint16_t> others = usual_ports(protocol_);
            std::erase(others, server_.port);
            found.open_ports = open_ports(addresses_, others, aside_);
            tell(found);
            return false;
        }
        auto refused = dialogue(*wire_).ask_tls();
        if (!refused) return demanded ? secure() : secure_or_not();
        if (demanded) return fail(Step::kTls, *refused);
        return go_on_in_the_clear(refused->words);
    }

    bool secure_or_not() {
        auto state = wire_->start_tls(server_.host, mailbox_.tls_ca_file);
        return state ? tell_tls(*state) : go_on_in_the_clear(state.error().words);
    }

    bool go_on_in_the_clear(const std::string& why) {
        Finding found = begin(Step::kTls);
        found.words = why;
        found.note = "TLS is only taken where it works: a session goes on without";
        auto wire = Wire::connect(addresses_, server_.port, timeout_);
        if (!wire) return fail(Step::kTcp, wire.error());
        wire_.reset();
        wire_.emplace(std::move(*wire));
        tell(found);
        return greet();
    }

    Protocol protocol_;
    const config::MailboxOptions& mailbox_;
    const config::Server& server_;
    Millis timeout_, aside_;
    const Tell& tell_;
    std::vector<Address> addresses_;
    std::optional<Wire> wire_;
    bool starttls_ = false;  // was offered, which under TLS it is not any more
    std::int64_t since_ = system_clock().steady_ms();
};

}  // namespace

std::optional<Abilities> probe(Protocol protocol, const config::MailboxOptions& mailbox,
                               Millis timeout, const Tell& tell) {
    return Probe(protocol, mailbox, timeout, tell).run();
}

const config::Server& server_of(const config::MailboxOptions& mailbox, Protocol protocol) {
    if (protocol == Protocol::kSmtp) return mailbox.smtp;
    return protocol == Protocol::kImap4 ? mailbox.imap4 : mailbox.pop3;
}

std::vector<std::uint16_t> usual_ports(Protocol protocol) {
    if (protocol == Protocol::kSmtp) return {587, 465, 25};
    if (protocol == Protocol::kImap4) return {993, 143};
    return {995, 110};
}

}  // namespace vm::diagnose
