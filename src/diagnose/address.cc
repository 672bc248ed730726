#include "diagnose/address.h"

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <cstring>
#include <future>
#include <memory>
#include <netdb.h>
#include <poll.h>
#include <set>
#include <thread>
#include <unistd.h>
#include <utility>

namespace vm::diagnose {

namespace {

// More than a provider has for one name; each is tried.
constexpr std::size_t kMostAddresses = 16;

std::int64_t steady() {
    return system_clock().steady_ms();
}

int time_left(std::int64_t deadline) {
    return static_cast<int>(std::max<std::int64_t>(deadline - steady(), 0));
}

tl::unexpected<Trouble> trouble(Fault fault, const std::string& words) {
    return tl::unexpected(Trouble{fault, sanitize_line(words, 500)});
}

struct Lookup {
    int code = 0;
    std::string words;
    std::vector<Address> addresses;
};

Lookup look_up(const std::string& host) {
    addrinfo wanted{};
    wanted.ai_socktype = SOCK_STREAM;
    addrinfo* list = nullptr;
    Lookup out;
    out.code = ::getaddrinfo(host.c_str(), nullptr, &wanted, &list);
    if (out.code != 0)
        out.words = out.code == EAI_SYSTEM ? errno_text(errno) : ::gai_strerror(out.code);
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(list, ::freeaddrinfo);
    for (const addrinfo* entry = list; out.code == 0 && entry != nullptr; entry = entry->ai_next) {
        if (out.addresses.size() >= kMostAddresses) break;
        Address address;
        std::memcpy(&address.socket, entry->ai_addr, entry->ai_addrlen);
        address.size = entry->ai_addrlen;
        std::array<char, NI_MAXHOST> text{};
        ::getnameinfo(entry->ai_addr, entry->ai_addrlen, text.data(), text.size(), nullptr, 0,
                      NI_NUMERICHOST);
        address.text = text.data();
        out.addresses.push_back(std::move(address));
    }
    return out;
}

}  // namespace

bool await(int fd, short events, std::int64_t deadline) {
    pollfd entry{fd, events, 0};
    for (;;) {
        // (What is ready all the time must not go on for ever.)
        const int left = time_left(deadline);
        if (left == 0) return false;
        const int ready = ::poll(&entry, 1, left);
        if (ready > 0) return true;
        if (ready < 0 && errno != EINTR) return false;
    }
}

int begin_connect(const Address& to, std::uint16_t port) {
    Address at = to;
    if (at.socket.ss_family == AF_INET6)
        reinterpret_cast<sockaddr_in6&>(at.socket).sin6_port = htons(port);
    else
        reinterpret_cast<sockaddr_in&>(at.socket).sin_port = htons(port);
    const int fd = ::socket(at.socket.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&at.socket), at.size) == 0 ||
        errno == EINPROGRESS)
        return fd;
    const int code = errno;
    ::close(fd);
    errno = code;
    return -1;
}

int socket_error(int fd) {
    int code = 0;
    socklen_t size = sizeof code;
    return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size) == 0 ? code : errno;
}

Outcome<std::vector<Address>> resolve(const std::string& host, Millis timeout) {
    // The resolver has times of its own: it is left behind when ours is over.
    std::packaged_task<Lookup()> task([host] { return look_up(host); });
    std::future<Lookup> answer = task.get_future();
    std::thread(std::move(task)).detach();
    if (answer.wait_for(timeout) != std::future_status::ready)
        return trouble(Fault::kNoNameServer, "no answer in time");
    Lookup found = answer.get();
    if (found.code == 0 && !found.addresses.empty()) return std::move(found.addresses);
    const bool unknown = found.code == EAI_NONAME || found.code == EAI_NODATA || found.code == 0;
    return trouble(unknown ? Fault::kNoSuchName : Fault::kNoNameServer,
                   found.code == 0 ? "it has no address" : found.words);
}

std::vector<std::uint16_t> open_ports(const std::vector<Address>& addresses,
                                      const std::vector<std::uint16_t>& ports, Millis timeout) {
    std::vector<pollfd> tries;  // a descriptor of -1 is not looked at
    std::vector<std::uint16_t> port_of;
    std::vector<UniqueFd> owners;
    for (const std::uint16_t port : ports)
        for (const Address& address : addresses)
            if (UniqueFd fd(begin_connect(address, port)); fd) {
                tries.push_back({fd.get(), POLLOUT, 0});
                port_of.push_back(port);
                owners.push_back(std::move(fd));
            }
    const std::int64_t deadline = steady() + timeout.count();
    std::set<std::uint16_t> answer;
    const auto waits = [](const pollfd& one) { return one.fd >= 0; };
    while (std::any_of(tries.begin(), tries.end(), waits)) {
        const int ready = ::poll(tries.data(), tries.size(), time_left(deadline));
        if (ready == 0 || (ready < 0 && errno != EINTR)) break;
        for (std::size_t i = 0; ready > 0 && i < tries.size(); ++i) {
            if (!waits(tries[i]) || tries[i].revents == 0) continue;
            if (socket_error(tries[i].fd) == 0) answer.insert(port_of[i]);
            tries[i].fd = -1;
        }
        // What one address answers is not asked of the others.
        for (std::size_t i = 0; i < tries.size(); ++i)
            if (answer.contains(port_of[i])) tries[i].fd = -1;
    }
    std::vector<std::uint16_t> out = ports;
    std::erase_if(out, [&](std::uint16_t port) { return !answer.contains(port); });
    return out;
}

}  // namespace vm::diagnose
