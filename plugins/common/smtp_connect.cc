#include "common/smtp_connect.h"

#include "common/dial.h"
#include "common/smtp_handshake.h"

namespace vm::plug {

tl::expected<SmtpLink, Ending> connect_smtp(const SmtpOptions& options, const Host& host,
                                            Counters& counters) {
    SmtpHandshake handshake;
    const std::string domain = options.domain.empty() ? address_literal() : options.domain;
    auto wire = log_in(options, {"smtp", domain}, handshake, host, counters);
    if (!wire) return tl::unexpected(std::move(wire.error()));
    return SmtpLink{std::move(*wire), handshake.capabilities()};
}

}  // namespace vm::plug
