// Datagrams on the agent's control socket: whoever may write there says any bytes.
#include "agent/control.h"
#include "fuzz.h"

#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const std::pair<int, int> sockets = [] {
        int ends[2];
        FUZZ_REQUIRE(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends) == 0);
        return std::pair{ends[0], ends[1]};
    }();
    std::string_view input = vm::fuzz::view(data, size);
    for (int sent = 0; sent < 5 && !input.empty(); ++sent) {
        const std::string_view line = vm::fuzz::take_line(input);
        FUZZ_REQUIRE(::send(sockets.first, line.data(), line.size(), MSG_DONTWAIT) >= 0);
    }
    for (const vm::agent::Poke& poke : vm::agent::read_pokes(sockets.second)) {
        FUZZ_REQUIRE(vm::is_mailbox_number(poke.mailbox));
        // What a worker gets of it is one line.
        const std::string line = vm::agent::worker_line(poke);
        FUZZ_REQUIRE(line.find('\n') == line.size() - 1 && line.size() <= 20);
    }
    return 0;
}
