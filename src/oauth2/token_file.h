// What the provider granted a mailbox: var/oauth2/NNN, 0600 in a directory 0700. An INI file; its
// tokens are sealed with etc/vm.key (config/seal.h), bound to the mailbox and to what they are.
//
// A file is replaced as a whole (base/files.h): who reads it sees the old or the new one, and what
// write_grant() returned from is durable. Who changes it holds lock_grant() from before it reads.
//
// Any thread. Errors never hold a secret.
#ifndef VM_OAUTH2_TOKEN_FILE_H
#define VM_OAUTH2_TOKEN_FILE_H

#include "base/clock.h"
#include "base/files.h"
#include "base/paths.h"
#include "oauth2/grant.h"

#include <filesystem>
#include <optional>
#include <string>

namespace vm::oauth2 {

struct Grant {
    // Whose tokens they are: those of another client or server are none.
    config::OAuth2Flow flow = config::OAuth2Flow::kRefreshToken;
    std::string client_id, token_endpoint;
    // When a person saw to it: stays when tokens are renewed. 0: nobody had to.
    TimeMs granted = 0;
    Secret refresh_token;             // empty with Client Credentials
    Secret access_token;              // empty: none, or one that was refused
    TimeMs renewed = 0, expires = 0;  // the access token
    std::string scope;
    std::string trouble;  // why nothing more is to be had until it is granted anew; "": nothing
};

std::filesystem::path grant_file(const Paths& paths, const std::string& mailbox);

// A grant of `client` as of `granted`, without tokens.
Grant new_grant(const Client& client, TimeMs granted);
bool belongs_to(const Grant& grant, const Client& client);
// Puts new tokens into it, a refresh token where there is one.
void put_tokens(Grant& grant, Tokens tokens, TimeMs now);

// nullopt: there is none. kConfig when it cannot be opened (another key, damaged), kPermission when
// others can read it.
Result<std::optional<Grant>> read_grant(const Paths& paths, const std::string& mailbox);
// Makes the directory, too.
Result<> write_grant(const Paths& paths, const std::string& mailbox, const Grant& grant);
// False: there was none. The provider knows of it still.
Result<bool> remove_grant(const Paths& paths, const std::string& mailbox);

// Waits for the lock of this mailbox's grant; it is held as long as the descriptor lives.
Result<UniqueFd> lock_grant(const Paths& paths, const std::string& mailbox);

// When it was granted, as the file says, without its secrets; 0: there is none that can be read.
TimeMs granted_at(const Paths& paths, const std::string& mailbox);

}  // namespace vm::oauth2

#endif
