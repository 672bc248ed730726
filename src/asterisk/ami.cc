#include "asterisk/ami.h"

#include "base/files.h"
#include "base/text.h"
#include "base/trace.h"

#include <fmt/format.h>

#include <cerrno>
#include <memory>
#include <netdb.h>
#include <optional>
#include <poll.h>
#include <string_view>
#include <sys/socket.h>
#include <utility>

namespace vm::asterisk {

namespace {

constexpr const char* kRefresh = "refresh message waiting";
constexpr std::size_t kMostBytes = 64U << 10;  // before one answer
constexpr std::chrono::seconds kLimit{10};

// One connection, all of which has to be over by a time.
class Dialogue {
  public:
    Dialogue(const Settings& settings, std::chrono::milliseconds limit)
        : server_(settings.ami_host + ":" + std::to_string(settings.ami_port)),
          until_(std::chrono::steady_clock::now() + limit) {}

    Result<> connect(const Settings& settings) {
        addrinfo hints{}, *found = nullptr;
        hints.ai_socktype = SOCK_STREAM;
        hints.ai_flags = AI_NUMERICSERV;
        const std::string port = std::to_string(settings.ami_port);
        if (const int code = ::getaddrinfo(settings.ami_host.c_str(), port.c_str(), &hints, &found);
            code != 0)
            return trouble(::gai_strerror(code));
        const std::unique_ptr<addrinfo, void (*)(addrinfo*)> addresses(found, ::freeaddrinfo);
        std::string reason = "no address";
        for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
            socket_.reset(::socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
            int code = ::connect(socket_.get(), at->ai_addr, at->ai_addrlen) == 0 ? 0 : errno;
            if (code == EINPROGRESS) {
                socklen_t size = sizeof code;
                if (!wait_for(POLLOUT))
                    code = ETIMEDOUT;
                else if (::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &code, &size) != 0)
                    code = errno;
            }
            if (code == 0) {
                VM_ASSIGN(const std::string banner, line());
                if (banner.starts_with("Asterisk Call Manager")) return {};
                return trouble("it is no manager interface: " + sanitize_line(banner, 200));
            }
            reason = errno_text(code);
        }
        return trouble(reason);
    }

    // What the response says after "Message:"; an error when it is no success.
    Result<std::string> action(const std::string& name, const std::string& headers) {
        received_ = 0;
        VM_TRY(send("Action: " + name + "\r\nActionID: " + std::to_string(++id_) + "\r\n" +
                    headers + "\r\n"));
        for (;;) {
            std::string response, message, id;
            for (;;) {
                VM_ASSIGN(const std::string text, line());
                if (text.empty()) break;
                const std::size_t colon = text.find(':');
                if (colon == std::string::npos) continue;
                const std::string value(trim(std::string_view(text).substr(colon + 1)));
                const std::string key = to_lower(text.substr(0, colon));
                if (key == "response") response = value;
                if (key == "message") message = value;
                if (key == "actionid") id = value;
            }
            // (What has no response is an event.)
            if (response.empty() || (!id.empty() && id != std::to_string(id_))) continue;
            if (iequals(response, "Success")) return message;
            return fail(name == "Login" ? ErrorKind::kAccount : ErrorKind::kUnavailable, kRefresh,
                        fmt::format("{} at {}", name, server_),
                        sanitize_line(fmt::format("{}: {}", response, message), 300));
        }
    }

  private:
    tl::unexpected<Error> trouble(const std::string& reason) const {
        return fail(ErrorKind::kUnavailable, kRefresh, server_, reason);
    }
    bool wait_for(short events) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
            until_ - std::chrono::steady_clock::now());
        pollfd fd{socket_.get(), events, 0};
        return left.count() > 0 && ::poll(&fd, 1, static_cast<int>(left.count())) > 0;
    }
    Result<> send(std::string_view data) {
        while (!data.empty()) {
            const ssize_t n = ::send(socket_.get(), data.data(), data.size(), MSG_NOSIGNAL);
            if (n < 0 && errno != EAGAIN && errno != EINTR) return trouble(errno_text(errno));
            if (n > 0) data.remove_prefix(static_cast<std::size_t>(n));
            if (n < 0 && errno == EAGAIN && !wait_for(POLLOUT)) return trouble("it does not read");
        }
        return {};
    }
    Result<std::string> line() {
        for (;;) {
            if (const std::size_t end = input_.find('\n'); end != std::string::npos) {
                std::string out(trim(std::string_view(input_).substr(0, end)));
                input_.erase(0, end + 1);
                return out;
            }
            if (!wait_for(POLLIN)) return trouble("no answer in time");
            char buffer[4096];
            const ssize_t n = ::recv(socket_.get(), buffer, sizeof buffer, 0);
            if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
            if (n < 0) return trouble(errno_text(errno));
            if (n == 0) return trouble("it closed the connection");
            received_ += static_cast<std::size_t>(n);
            if (received_ > kMostBytes) return trouble("it says more than it should");
            input_.append(buffer, static_cast<std::size_t>(n));
        }
    }

    const std::string server_;
    const std::chrono::steady_clock::time_point until_;
    UniqueFd socket_;
    std::string input_;
    std::size_t received_ = 0;
    int id_ = 0;
};

}  // namespace

Result<> refresh(const Settings& settings, std::set<Box>& boxes, std::chrono::milliseconds limit) {
    Dialogue dialogue(settings, limit);
    VM_TRY(dialogue.connect(settings));
    // (A key file's text has no line ends: nothing can be added to this.)
    VM_TRY(dialogue.action("Login", "Username: " + settings.ami_user + "\r\nSecret: " +
                                        settings.ami_secret.reveal() + "\r\nEvents: off\r\n"));
    while (!boxes.empty()) {
        const Box& box = *boxes.begin();
        VM_TRY(dialogue.action("VoicemailRefresh",
                               "Context: " + box.context + "\r\nMailbox: " + box.mailbox + "\r\n"));
        boxes.erase(boxes.begin());
    }
    // It need not be answered.
    (void)dialogue.action("Logoff", "");
    return {};
}

Refresher::Refresher(const Settings& settings) : settings_(settings), thread_([this] { run(); }) {}

Refresher::~Refresher() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    wake_.notify_all();
    thread_.join();
}

void Refresher::ask(const Box& box) {
    if (settings_.ami_host.empty()) return;
    const std::lock_guard lock(mutex_);
    due_.insert(box);
    wake_.notify_all();
}

void Refresher::run() {
    std::string trouble;
    std::unique_lock lock(mutex_);
    for (;;) {
        wake_.wait(lock, [this] { return ending_ || !due_.empty(); });
        if (due_.empty()) return;
        std::set<Box> boxes = std::exchange(due_, {});
        lock.unlock();
        const auto done = refresh(settings_, boxes, kLimit);
        const std::string now = done ? "" : done.error().text();
        if (!now.empty() && now != trouble) trace(TraceLevel::kWarning, "{}", now);
        trouble = now;
        lock.lock();
        if (done) continue;
        if (ending_) return;
        // Asked again with the next change, or after a pause.
        due_.insert(boxes.begin(), boxes.end());
        wake_.wait_for(lock, kLimit, [this] { return ending_; });
        if (ending_) return;
    }
}

}  // namespace vm::asterisk
