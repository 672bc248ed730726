#include "common/smtp_connect.h"

#include "common/smtp_handshake.h"

namespace vm::plug {

tl::expected<SmtpLink, Ending> connect_smtp(const SmtpOptions& options, const Host& host,
                                            Counters& counters) {
    SmtpHandshake handshake;
    auto wire = log_in(options, {"smtp", options.domain}, handshake, host, counters);
    if (!wire) return tl::unexpected(std::move(wire.error()));
    return SmtpLink{std::move(*wire), handshake.capabilities()};
}

}  // namespace vm::plug
