#include "base/text.h"
#include "transport/plugin.h"
#include "transport/report.h"
#include "transport/session_state.h"
#include "vm_transport.h"

#include <algorithm>
#include <cerrno>
#include <limits>
#include <unistd.h>
#include <utility>

namespace vm::transport {

namespace {

static_assert(static_cast<int>(Tls::kStartTls) == VM_TLS_STARTTLS &&
              static_cast<int>(Auth::kOAuthBearer) == VM_AUTH_OAUTHBEARER);

const char* text_or_null(const std::string& text) {
    return text.empty() ? nullptr : text.c_str();
}

vm_endpoint endpoint_of(const Endpoint& from) {
    vm_endpoint out{};
    out.struct_size = sizeof out;
    out.host = text_or_null(from.host);
    out.port = from.port;
    out.tls = static_cast<std::uint8_t>(from.tls);
    out.auth = static_cast<std::uint8_t>(from.auth);
    out.user = text_or_null(from.user);
    out.password = from.password.empty() ? nullptr : from.password.reveal().c_str();
    return out;
}

std::uint32_t milliseconds(std::chrono::milliseconds time) {
    return static_cast<std::uint32_t>(
        std::clamp<std::int64_t>(time.count(), 1, std::numeric_limits<std::int32_t>::max()));
}

std::string server_of(const Endpoint& smtp) {
    std::uint16_t port = smtp.port;
    if (port == 0) port = smtp.tls == Tls::kImplicit ? 465 : smtp.tls == Tls::kStartTls ? 587 : 25;
    return smtp.host + ":" + std::to_string(port);
}

// Reads a message; a file by pread, so that going back costs nothing and its offset stays as it is.
struct Reader {
    const OutgoingMessage& message;
    std::int64_t offset = 0;

    std::int64_t copy(void* buffer, std::size_t wanted) const noexcept {
        const auto from = static_cast<std::size_t>(offset);
        if (message.fd < 0)
            return from < message.memory.size() ? static_cast<std::int64_t>(message.memory.copy(
                                                      static_cast<char*>(buffer), wanted, from))
                                                : 0;
        ssize_t n = 0;
        do {
            n = ::pread(message.fd, buffer, wanted, offset);
        } while (n < 0 && errno == EINTR);
        return n;
    }
    static std::int64_t read(void* context, void* buffer, std::size_t capacity) noexcept {
        auto& self = *static_cast<Reader*>(context);
        const auto wanted = std::min<std::int64_t>(static_cast<std::int64_t>(capacity),
                                                   self.message.size - self.offset);
        if (wanted <= 0) return 0;
        const std::int64_t n = self.copy(buffer, static_cast<std::size_t>(wanted));
        if (n <= 0) return -1;  // there is less than was said
        self.offset += n;
        return n;
    }
    static int rewind(void* context) noexcept {
        static_cast<Reader*>(context)->offset = 0;
        return 0;
    }
};

PushReport refused(std::string text, std::string server) {
    PushReport out;
    out.step = PushStep::kNone;
    out.cause = PushCause::kConfig;
    out.text = std::move(text);
    out.server = std::move(server);
    return out;
}

}  // namespace

Session::State::~State() {
    if (session != nullptr) table->close(session);
}

Session::Session(std::unique_ptr<State> state) : state_(std::move(state)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

Result<Session> Plugin::open(const SessionOptions& options) const {
    auto state = std::make_unique<Session::State>();
    state->table = table_;
    state->context = {options.name, options.cancelled, options.token};
    state->plugin = name();
    state->server = server_of(options.smtp);

    const std::string ca_file = options.ca_file.string();
    // C strings end at the first NUL: what is behind it must not vanish silently.
    for (const std::string* text :
         {&options.smtp.host, &options.smtp.user, &options.smtp.password.reveal(),
          &options.account.host, &options.account.user, &options.account.password.reveal(),
          &options.domain, &ca_file})
        if (text->find('\0') != std::string::npos)
            return fail(ErrorKind::kConfig, "open session", state->server, "NUL in an option");

    vm_options out{};
    out.struct_size = sizeof out;
    out.context = &state->context;
    out.smtp = endpoint_of(options.smtp);
    out.account = endpoint_of(options.account);
    out.domain = text_or_null(options.domain);
    out.ca_file = text_or_null(ca_file);
    out.verify = options.verify ? 1 : 0;
    out.allow_cleartext_password = options.allow_cleartext_password ? 1 : 0;
    out.imap_search_text = options.search_text ? 1 : 0;
    out.connect_timeout_ms = milliseconds(options.connect_timeout);
    out.reply_timeout_ms = milliseconds(options.reply_timeout);
    out.dot_timeout_ms = milliseconds(options.dot_timeout);

    char error[512] = "";
    try {
        state->session = table_->open(&out, error, sizeof error);
    } catch (...) {
        return fail(ErrorKind::kConfig, "open session", state->server,
                    state->plugin + " threw an exception");
    }
    if (state->session == nullptr)
        return fail(ErrorKind::kConfig, "open session", state->server,
                    field_text(error, sizeof error).value_or(state->plugin + " gave no reason"));
    return Session(std::move(state));
}

PushReport Session::push(const OutgoingMessage& message) {
    state_->stats = {};
    if (message.size <= 0) return refused("the message is empty", state_->server);
    if (message.sender.find('\0') != std::string::npos ||
        message.recipient.find('\0') != std::string::npos)
        return refused("NUL in a mail address", state_->server);
    Reader reader{message};
    vm_message out{};
    out.struct_size = sizeof out;
    out.sender = message.sender.c_str();
    out.recipient = message.recipient.c_str();
    out.size = static_cast<std::uint64_t>(message.size);
    out.eight_bit = message.eight_bit ? 1 : 0;
    out.read_context = &reader;
    out.read = Reader::read;
    out.rewind = Reader::rewind;

    vm_push_report report{};
    report.struct_size = sizeof report;
    report.step = report.cause = 0xFF;  // senseless, if the plugin leaves it
    try {
        state_->table->push(state_->session, &out, &report);
    } catch (...) {
        PushReport thrown;
        thrown.cause = PushCause::kPlugin;
        thrown.text = state_->plugin + " threw an exception";
        thrown.server = state_->server;
        return thrown;
    }
    PushReport judged = judge_report(report, state_->server);
    if (judged.cause != PushCause::kPlugin) {
        state_->stats = {report.bytes_sent, report.bytes_received, report.round_trips,
                         report.connected != 0};
        state_->traffic.add(report.connected != 0, report.bytes_sent, report.bytes_received,
                            report.round_trips);
    }
    return judged;
}

std::optional<PushReport> Session::log_in() {
    const auto trouble = [&](const char* what) {
        PushReport out;
        out.cause = PushCause::kPlugin;
        out.text = state_->plugin + what;
        out.server = state_->server;
        return out;
    };
    if (state_->table->log_in == nullptr) return trouble(" can only log in to push a message");
    vm_push_report report{};
    report.struct_size = sizeof report;
    report.step = report.cause = 0xFF;
    int status = VM_FAILED;
    try {
        status = state_->table->log_in(state_->session, &report);
    } catch (...) {
        return trouble(" threw an exception");
    }
    state_->traffic.add(report.connected != 0, report.bytes_sent, report.bytes_received,
                        report.round_trips);
    if (status == VM_OK) return std::nullopt;
    PushReport judged = judge_report(report, state_->server);
    if (judged.cause != PushCause::kPlugin && judged.step > PushStep::kAuth)
        return trouble("'s report makes no sense: a login that failed behind the login");
    return judged;
}

const PushStats& Session::last_push() const {
    return state_->stats;
}

Traffic Session::take_traffic() {
    return std::exchange(state_->traffic, {});
}

void Session::set_name(std::string name) {
    state_->context.name = std::move(name);
}

Result<AccountAnswer> Session::State::ask(AccountFunction function, const char* operation,
                                          const std::string& id) {
    const auto trouble = [&](std::string reason) {
        return fail(ErrorKind::kRetryLater, operation, id, std::move(reason));
    };
    vm_find_result result{};
    result.struct_size = sizeof result;
    int status = VM_FAILED;
    try {
        status = function(session, id.c_str(), &result);
    } catch (...) {
        return trouble(plugin + " threw an exception");
    }
    AccountAnswer answer;
    if (status == VM_NOT_SUPPORTED) return answer;
    if (status != VM_OK)
        return trouble(field_text(result.error, sizeof result.error).value_or(plugin + " failed"));
    const auto folder = field_text(result.folder, sizeof result.folder);
    if (result.found > 1 || !folder) return trouble(plugin + "'s answer makes no sense");
    answer.supported = true;
    answer.found = result.found == 1;
    answer.link = {*folder, result.uidvalidity, result.uid};
    return answer;
}

Result<AccountAnswer> Session::find(const std::string& id) {
    return state_->ask(state_->table->find, "find", id);
}

}  // namespace vm::transport
