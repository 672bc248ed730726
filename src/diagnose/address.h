// Where a mail server is: the addresses of its name, and which of its ports answer. Any thread;
// blocks for the timeout at most.
#ifndef VM_DIAGNOSE_ADDRESS_H
#define VM_DIAGNOSE_ADDRESS_H

#include "diagnose/finding.h"

#include <tl/expected.hpp>

#include <chrono>
#include <string>
#include <sys/socket.h>
#include <vector>

namespace vm::diagnose {

struct Trouble {
    Fault fault = Fault::kBrokeOff;
    std::string words;  // one line
};
template <class T>
using Outcome = tl::expected<T, Trouble>;

using Millis = std::chrono::milliseconds;

struct Address {
    sockaddr_storage socket{};
    socklen_t size = 0;
    std::string text;  // "192.0.2.10", "2001:db8::1"
};

// The first addresses of a name, or the one that `host` is. kNoSuchName, kNoNameServer.
Outcome<std::vector<Address>> resolve(const std::string& host, Millis timeout);

// Which of `ports` answer at one of the addresses, all tried at once.
std::vector<std::uint16_t> open_ports(const std::vector<Address>& addresses,
                                      const std::vector<std::uint16_t>& ports, Millis timeout);

// A non-blocking socket that is being connected, the caller's to close; -1 with errno.
int begin_connect(const Address& to, std::uint16_t port);
int socket_error(int fd);  // what became of it: 0 or an errno
// Whether the descriptor is ready for poll(2)'s `events` before `deadline`, steady milliseconds.
bool await(int fd, short events, std::int64_t deadline);

}  // namespace vm::diagnose

#endif
