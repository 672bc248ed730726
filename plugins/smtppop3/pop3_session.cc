#include "smtppop3/pop3_session.h"

#include "common/bearer.h"
#include "common/identity.h"
#include "common/text.h"
#include "smtppop3/pop3_handshake.h"

namespace vm::plug::pop3 {

Pop3Session::Pop3Session(AccountOptions options, Host host)
    : options_(std::move(options)), host_(std::move(host)) {}

Pop3Session::~Pop3Session() {
    wipe(options_.password);
}

AccountEnding Pop3Session::perform(const std::function<void(Drop&)>& function) {
    counters_ = {};
    connected_ = false;
    if (options_.host.empty())
        return {VM_FAILED, ending_of(VM_STEP_NONE, VM_CAUSE_CONFIG, "no POP3 server is set")};
    if (options_.user.empty())
        return {VM_FAILED, ending_of(VM_STEP_NONE, VM_CAUSE_CONFIG, "no POP3 account is set")};
    connected_ = true;
    Bearer bearer(options_, host_);
    if (auto ending = bearer.ask()) return {VM_FAILED, std::move(*ending)};
    Pop3Handshake handshake;
    const auto connect = [&] {
        return log_in(options_, {"pop3", {}}, handshake, host_, counters_);
    };
    auto wire = connect();
    if (!wire && bearer.ask_another(wire.error())) wire = connect();
    if (!wire) return {VM_FAILED, std::move(wire.error())};
    // What ends without QUIT deletes nothing: closing the connection is enough.
    try {
        Drop drop(
            std::move(*wire), host_, counters_,
            {handshake.can("PIPELINING"), handshake.can("TOP") || !handshake.has_capabilities()},
            options_.reply_timeout);
        function(drop);
        return {};
    } catch (const Ended& end) {
        return {VM_FAILED, end.ending()};
    }
}

AccountEnding Pop3Session::find(const std::string& id, FoundMessage& found) {
    if (!plausible_id(id))
        return {VM_FAILED,
                ending_of(VM_STEP_NONE, VM_CAUSE_CONFIG, "no message id: " + one_line(id))};
    return perform([&](Drop& drop) {
        found.found = drop.find(id);
        if (found.found) found.folder = "INBOX";
    });
}

AccountEnding Pop3Session::visit(const vm_drop& drop, const vm_drop_sink& sink) {
    return perform([&](Drop& there) { there.visit(drop, sink); });
}

std::unique_ptr<Account> make_pop3_account(AccountOptions options, Host host) {
    return std::make_unique<Pop3Session>(std::move(options), std::move(host));
}

}  // namespace vm::plug::pop3
