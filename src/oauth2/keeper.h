// A valid access token for a mailbox, now: the one there is, or a new one. For whoever is about to
// log in: the agent's sessions before each login, `vmconfig mailbox check`.
//
// Promise:
// - a token is renewed when it is about to expire (kAhead), or when the server has refused it;
// - a refresh token that the provider has exchanged for another is durable before the access token
//   that came with it is used;
// - of several processes and threads that want a token of one mailbox at once, one asks for it;
// - a token that was refused before its time is replaced once a minute;
// - a token server that gives no answer is asked once a minute, one that gives a mailbox no token
//   once a minute for that mailbox; meanwhile the old token is used as long as it is valid, so that
//   who has one waits for nobody;
// - what the provider has revoked is not asked for again before a person has granted it anew.
//
// Any thread; blocks while a token is asked for, 15 seconds or so at most.
#ifndef VM_OAUTH2_KEEPER_H
#define VM_OAUTH2_KEEPER_H

#include "base/clock.h"
#include "base/paths.h"
#include "oauth2/token_file.h"

#include <cstdint>
#include <map>
#include <mutex>
#include <string>

namespace vm::oauth2 {

// Whether there is something that tokens can be asked for with, as far as can be seen without
// asking; true of a mailbox that takes none. kAccount, saying what to do, when there is not.
Result<> check_grant(const Paths& paths, const config::MailboxOptions& mailbox);

class Keeper {
  public:
    // So long before its end a token is renewed; one that lives for less than four times that, when
    // a quarter of its life is left.
    static constexpr std::int64_t kAheadMs = 300'000;
    static constexpr std::int64_t kPauseMs = 60'000;

    explicit Keeper(Paths paths, const Clock& clock = system_clock(),
                    Post post = post_by(program_beside_this()));

    // `refused`: a token that the mail server did not take, or empty. The answer may be the same
    // one, where there is no better. Errors: see grant.h; what there is to do is in the words.
    Result<Secret> token(const Client& client, const Secret& refused = {});

    static std::filesystem::path program_beside_this();  // vmoauth2

  private:
    struct Failure {
        std::int64_t at = 0;  // steady
        TimeMs granted = 0;   // of the grant it happened with; a server's: 0
        Error error;
    };
    using Failures = std::map<std::string, Failure>;

    bool is_good(const Grant& grant, const Secret& refused) const;
    bool is_usable(const Grant& grant, const Secret& refused) const;
    Result<Tokens> renew(const Client& client, const Grant& grant);
    const Error* failure_of(const Failures& failures, const std::string& whose,
                            TimeMs granted) const;
    Result<Secret> ask(const Client& client, Grant grant, const Secret& refused);
    std::optional<Error> why_not_now(const Client& client, const Grant& grant);
    bool may_replace(const Client& client, bool now);
    void note(const Client& client, const Grant& grant, const Error& error);

    Paths paths_;
    const Clock& clock_;
    Post post_;
    std::mutex mutex_;
    // Guarded by mutex_. By mailbox; by token endpoint; when a mailbox's refused one was replaced
    // last: steady.
    Failures failures_, silent_servers_;
    std::map<std::string, std::int64_t> replaced_;
};

}  // namespace vm::oauth2

#endif
