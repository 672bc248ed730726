#include "common/smtp_session.h"

#include "common/bearer.h"
#include "common/smtp.h"
#include "common/text.h"

#include <exception>

namespace vm::plug {

namespace {

// Servers hang up after five minutes at the earliest (RFC 5321 section 4.5.3.2.7), firewalls forget
// sooner and silently; such a connection would cost a whole reply timeout.
constexpr std::chrono::seconds kMaxIdle{100};
constexpr std::chrono::seconds kQuitTime{1};

bool bad_address(const char* address, bool may_be_empty) {
    constexpr std::size_t kMaxPath = 254;  // RFC 5321 section 4.5.3.1.3, without <>
    if (address == nullptr) return true;
    const std::string_view text(address);
    if (text.empty()) return !may_be_empty;
    return text.size() > kMaxPath || has_control(text) || !is_ascii(text) ||
           text.find_first_of("<>") != std::string_view::npos;
}

std::optional<Ending> unfit(const SmtpOptions& options, const vm_message& message) {
    std::string reason;
    if (options.host.empty())
        reason = "no SMTP server is set";
    else if (bad_address(message.sender, true))
        reason = "the sender is no ASCII mail address: " +
                 std::string(message.sender == nullptr ? "" : message.sender);
    else if (bad_address(message.recipient, false))
        reason = "the recipient is no ASCII mail address: " +
                 std::string(message.recipient == nullptr ? "" : message.recipient);
    if (reason.empty()) return std::nullopt;
    return ending_of(VM_STEP_NONE, VM_CAUSE_CONFIG, std::move(reason));
}

}  // namespace

SmtpSession::SmtpSession(SmtpOptions options, Host host, Connect connect)
    : options_(std::move(options)), host_(std::move(host)), connect_(std::move(connect)) {}

SmtpSession::~SmtpSession() {
    quit();
    wipe(options_.password);
}

std::optional<Ending> SmtpSession::connect() {
    connected_ = true;
    reset_needed_ = false;
    Bearer bearer(options_, host_);
    if (auto ending = bearer.ask()) return ending;
    auto link = connect_(options_, host_, counters_);
    if (!link && bearer.ask_another(link.error())) link = connect_(options_, host_, counters_);
    if (!link) return std::move(link.error());
    capabilities_ = std::move(link->capabilities);
    connection_.emplace(std::move(link->wire), host_, counters_);
    return std::nullopt;
}

Ending SmtpSession::transact(const vm_message& message, bool& stale) {
    SmtpTransaction transaction(*connection_, capabilities_, options_, host_, reset_needed_);
    Ending ending;
    try {
        ending = transaction.run(message);
    } catch (const std::exception& problem) {
        // How far it came still counts: behind the dot nobody knows what the server did.
        connection_.reset();
        return ending_of(transaction.step(), VM_CAUSE_LOST, problem.what());
    }
    stale = transaction.stale();
    reset_needed_ = transaction.reset_needed();
    last_used_ = connection_->now();
    if (!transaction.reusable()) connection_.reset();
    return ending;
}

Ending SmtpSession::push(const vm_message& message) {
    counters_ = {};
    connected_ = false;
    if (auto ending = unfit(options_, message)) return *ending;
    if (connection_ && connection_->now() - last_used_ > kMaxIdle) quit();
    bool kept = connection_.has_value();
    for (;;) {
        if (!connection_)
            if (auto ending = connect()) return *ending;
        bool stale = false;
        Ending ending = transact(message, stale);
        if (!kept || !stale) return ending;
        host_.trace("-- ", "the kept connection was closed: " + ending.text);
        kept = false;
    }
}

std::optional<Ending> SmtpSession::log_in() {
    counters_ = {};
    connected_ = false;
    if (options_.host.empty())
        return ending_of(VM_STEP_NONE, VM_CAUSE_CONFIG, "no SMTP server is set");
    quit();
    auto ending = connect();
    if (!ending) last_used_ = connection_->now();
    return ending;
}

void SmtpSession::quit() {
    if (!connection_) return;
    const Deadline deadline = connection_->now() + kQuitTime;
    using Patience = Connection::Patience;
    host_.trace("C: ", "QUIT");
    std::string line;
    if (connection_->send("QUIT\r\n", deadline, Patience::kStopWhenAsked) == Connection::Io::kOk)
        connection_->read_line(line, deadline, Patience::kStopWhenAsked);
    connection_.reset();
}

}  // namespace vm::plug
