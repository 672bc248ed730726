#include "oauth2/keeper.h"

#include "base/crash_point.h"
#include "base/process.h"
#include "base/trace.h"

#include <algorithm>

namespace vm::oauth2 {

namespace {

Error revoked(const Client& client, const std::string& words) {
    return {ErrorKind::kAccount, "OAuth2", "mailbox " + client.mailbox, words,
            "grant it: vmconfig mailbox authorize " + client.mailbox};
}

// The grant there is; what belongs to another client is none.
Result<Grant> read(const Paths& paths, const Client& client) {
    VM_ASSIGN(std::optional<Grant> grant, read_grant(paths, client.mailbox));
    if (grant && belongs_to(*grant, client)) return std::move(*grant);
    if (client.oauth2.flow == config::OAuth2Flow::kClientCredentials) return new_grant(client, 0);
    return fail(revoked(client, grant ? "what was granted belongs to another client or provider "
                                        "than the options name now"
                                      : "access to the account has not been granted yet"));
}

}  // namespace

std::filesystem::path Keeper::program_beside_this() {
    return program_beside("vmoauth2");
}

Result<> check_grant(const Paths& paths, const config::MailboxOptions& mailbox) {
    if (!mailbox.takes_token(mailbox.smtp) && !mailbox.takes_token(mailbox.imap4) &&
        !mailbox.takes_token(mailbox.pop3))
        return {};
    const Client client = client_of(mailbox);
    VM_TRY(config::check_oauth2(client.oauth2));
    VM_ASSIGN(const Grant grant, read(paths, client));
    if (grant.trouble.empty()) return {};
    return fail(revoked(client, grant.trouble));
}

Keeper::Keeper(Paths paths, const Clock& clock, Post post)
    : paths_(std::move(paths)), clock_(clock), post_(std::move(post)) {}

bool Keeper::is_usable(const Grant& grant, const Secret& refused) const {
    return !grant.access_token.empty() && !(grant.access_token == refused) &&
           clock_.now() < grant.expires;
}

bool Keeper::is_good(const Grant& grant, const Secret& refused) const {
    const std::int64_t ahead = std::min(kAheadMs, (grant.expires - grant.renewed) / 4);
    return is_usable(grant, refused) && clock_.now() < grant.expires - ahead;
}

std::optional<Error> Keeper::why_not_now(const Client& client, const Grant& grant) {
    if (!grant.trouble.empty()) return revoked(client, grant.trouble);
    const std::lock_guard lock(mutex_);
    if (const Error* error = failure_of(failures_, client.mailbox, grant.granted)) return *error;
    if (const Error* error = failure_of(silent_servers_, client.oauth2.token_endpoint, 0))
        return *error;
    return std::nullopt;
}

// One whose pause is not over; with mutex_ held.
const Error* Keeper::failure_of(const Failures& failures, const std::string& whose,
                                TimeMs granted) const {
    const auto found = failures.find(whose);
    const bool holds = found != failures.end() && found->second.granted == granted &&
                       clock_.steady_ms() - found->second.at < kPauseMs;
    return holds ? &found->second.error : nullptr;
}

// Whether a refused token may be replaced before its time; `now`: it will be.
bool Keeper::may_replace(const Client& client, bool now) {
    const std::lock_guard lock(mutex_);
    const std::int64_t steady = clock_.steady_ms();
    const auto last = replaced_.find(client.mailbox);
    if (last != replaced_.end() && steady - last->second < kPauseMs) return false;
    if (now) replaced_[client.mailbox] = steady;
    return true;
}

void Keeper::note(const Client& client, const Grant& grant, const Error& error) {
    trace(TraceLevel::kWarning, "{}: {}", client.mailbox, error.text());
    const std::lock_guard lock(mutex_);
    failures_[client.mailbox] = {clock_.steady_ms(), grant.granted, error};
}

Result<Tokens> Keeper::renew(const Client& client, const Grant& grant) {
    const bool as_client = client.oauth2.flow == config::OAuth2Flow::kClientCredentials;
    if (!as_client && grant.refresh_token.empty())
        return fail(revoked(client, "what was granted has expired, and cannot be renewed"));
    // Whether there is room is found out before the provider exchanges the refresh token.
    if (!as_client) VM_TRY(write_grant(paths_, client.mailbox, grant));
    auto tokens =
        as_client ? ask_as_client(post_, client) : refresh(post_, client, grant.refresh_token);
    if (!tokens && tokens.error().kind == ErrorKind::kUnavailable) {
        const std::lock_guard lock(mutex_);
        silent_servers_[client.oauth2.token_endpoint] = {clock_.steady_ms(), 0, tokens.error()};
    }
    return tokens;
}

// With the lock held.
Result<Secret> Keeper::ask(const Client& client, Grant grant, const Secret& refused) {
    auto tokens = renew(client, grant);
    VM_CRASH_POINT("answer token");
    if (tokens) {
        Grant renewed = grant;
        put_tokens(renewed, std::move(*tokens), clock_.now());
        auto written = write_grant(paths_, client.mailbox, renewed);
        VM_CRASH_POINT("renewed token");
        if (written) {
            trace(TraceLevel::kInfo, "{}: OAuth2: a new token, valid until {}", client.mailbox,
                  format_rfc3339(renewed.expires));
            return renewed.access_token;
        }
        tokens = fail(std::move(written).error());
    }
    note(client, grant, tokens.error());
    if (tokens.error().kind == ErrorKind::kAccount) {
        grant.trouble = tokens.error().reason;
        if (!is_usable(grant, refused)) grant.access_token = Secret();
        (void)write_grant(paths_, client.mailbox, grant);  // else it is found out again
    }
    if (is_usable(grant, refused)) return grant.access_token;
    return fail(std::move(tokens).error());
}

Result<Secret> Keeper::token(const Client& client, const Secret& refused) {
    VM_TRY(config::check_oauth2(client.oauth2));
    // Whoever comes while another asks waits for the lock, and finds what that one got.
    UniqueFd lock;
    for (const bool locked : {false, true}) {
        if (locked) {
            VM_ASSIGN(lock, lock_grant(paths_, client.mailbox));
        }
        VM_ASSIGN(Grant grant, read(paths_, client));
        if (is_good(grant, refused)) return grant.access_token;
        if (const auto error = why_not_now(client, grant)) {
            if (is_usable(grant, refused)) return grant.access_token;
            return fail(*error);
        }
        // It may be refused for another reason than its age, which none would be the better for.
        const bool is_refused = !refused.empty() && grant.access_token == refused;
        if (is_refused && !may_replace(client, locked)) return grant.access_token;
        if (locked) return ask(client, std::move(grant), refused);
    }
    return fail(ErrorKind::kUnavailable, "OAuth2", "mailbox " + client.mailbox, "no lock");
}

}  // namespace vm::oauth2
