#include "oauth2/token_file.h"

#include "base/text.h"
#include "config/ini_document.h"
#include "config/private_file.h"
#include "config/seal.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace vm::oauth2 {

namespace {

namespace fs = std::filesystem;

constexpr const char* kSection = "OAuth2";
constexpr const char* kFlow = "Flow";
constexpr const char* kClientId = "Client ID";
constexpr const char* kTokenEndpoint = "Token Endpoint";
constexpr const char* kGranted = "Granted";
constexpr const char* kRefreshToken = "OAuth2 Refresh Token";
constexpr const char* kAccessToken = "OAuth2 Access Token";
constexpr const char* kRenewed = "Renewed";
constexpr const char* kExpires = "Expires";
constexpr const char* kScope = "Scope";
constexpr const char* kTrouble = "Trouble";
constexpr const char* kClientCredentials = "Client Credentials";
constexpr std::size_t kFileLimit = 256U << 10;

std::string again(const std::string& mailbox) {
    return "grant it again: vmconfig mailbox authorize " + mailbox;
}

Result<> make_directory(const fs::path& directory) {
    if (::mkdir(directory.c_str(), 0700) == 0) return fsync_directory(directory.parent_path());
    if (errno == EEXIST) return {};
    return fail_errno(errno, "create", directory.string());
}

// The file as a document; nullopt: there is none.
Result<std::optional<config::IniDocument>> read_document(const Paths& paths,
                                                         const std::string& mailbox) {
    const fs::path file = grant_file(paths, mailbox);
    auto text = read_file(file, kFileLimit);
    if (!text && text.error().kind == ErrorKind::kNoInput) return std::nullopt;
    if (!text) return fail(std::move(text).error());
    VM_TRY(config::check_private(file, "tokens"));
    auto document = config::IniDocument::parse(*text, file.string());
    if (!document)
        return fail(ErrorKind::kConfig, "read", file.string(), "it is damaged", again(mailbox));
    return std::optional(std::move(*document));
}

std::string text_of(const config::IniDocument& document, const char* key) {
    const config::IniEntry* entry = document.find(kSection, key);
    return entry ? entry->value : "";
}

TimeMs time_of(const config::IniDocument& document, const char* key) {
    return parse_rfc3339(text_of(document, key)).value_or(0);
}

// Foreign words as an INI file can hold them: a ';' behind a blank begins a comment.
std::string representable(std::string_view text) {
    std::string out = sanitize_line(text, 2000);
    std::replace(out.begin(), out.end(), ';', ',');
    return std::string(trim(out));
}

}  // namespace

fs::path grant_file(const Paths& paths, const std::string& mailbox) {
    return paths.oauth2() / mailbox;
}

Grant new_grant(const Client& client, TimeMs granted) {
    Grant out;
    out.flow = client.oauth2.flow;
    out.client_id = client.oauth2.client_id;
    out.token_endpoint = client.oauth2.token_endpoint;
    out.granted = granted;
    return out;
}

bool belongs_to(const Grant& grant, const Client& client) {
    return grant.flow == client.oauth2.flow && grant.client_id == client.oauth2.client_id &&
           grant.token_endpoint == client.oauth2.token_endpoint;
}

void put_tokens(Grant& grant, Tokens tokens, TimeMs now) {
    grant.access_token = std::move(tokens.access);
    if (!tokens.refresh.empty()) grant.refresh_token = std::move(tokens.refresh);
    grant.renewed = now;
    grant.expires = now + tokens.lifetime_s * 1000;
    if (!tokens.scope.empty()) grant.scope = std::move(tokens.scope);
    grant.trouble.clear();
}

Result<std::optional<Grant>> read_grant(const Paths& paths, const std::string& mailbox) {
    VM_ASSIGN(const std::optional<config::IniDocument> document, read_document(paths, mailbox));
    if (!document) return std::nullopt;
    Grant out;
    if (text_of(*document, kFlow) == kClientCredentials)
        out.flow = config::OAuth2Flow::kClientCredentials;
    out.client_id = text_of(*document, kClientId);
    out.token_endpoint = text_of(*document, kTokenEndpoint);
    out.granted = time_of(*document, kGranted);
    out.renewed = time_of(*document, kRenewed);
    out.expires = time_of(*document, kExpires);
    out.scope = text_of(*document, kScope);
    out.trouble = text_of(*document, kTrouble);
    for (const auto& [key, token] : {std::pair{kRefreshToken, &out.refresh_token},
                                     std::pair{kAccessToken, &out.access_token}}) {
        const std::string sealed = text_of(*document, key);
        if (sealed.empty()) continue;
        VM_ASSIGN(const Secret unit_key, config::load_key(paths));
        auto opened = config::unseal(sealed, unit_key, {mailbox, key});
        if (!opened) {
            Error error = std::move(opened).error();
            error.hint = again(mailbox);
            return fail(std::move(error));
        }
        *token = std::move(*opened);
    }
    return std::optional(std::move(out));
}

Result<> write_grant(const Paths& paths, const std::string& mailbox, const Grant& grant) {
    VM_ASSIGN(const Secret key, config::load_key(paths));
    std::string text =
        "; What the provider granted; written by vmconfig mailbox authorize and the agent.\n";
    text.append("[").append(kSection).append("]\n");
    const auto add = [&](const char* name, const std::string& value) {
        if (!value.empty()) text.append(name).append(" = ").append(value).append("\n");
    };
    add(kFlow, grant.flow == config::OAuth2Flow::kClientCredentials ? kClientCredentials
                                                                    : "Refresh Token");
    add(kClientId, grant.client_id);
    add(kTokenEndpoint, grant.token_endpoint);
    add(kGranted, format_rfc3339(grant.granted));
    if (!grant.access_token.empty()) {
        add(kRenewed, format_rfc3339(grant.renewed));
        add(kExpires, format_rfc3339(grant.expires));
    }
    add(kScope, representable(grant.scope));
    add(kTrouble, representable(grant.trouble));
    for (const auto& [name, token] : {std::pair{kRefreshToken, &grant.refresh_token},
                                      std::pair{kAccessToken, &grant.access_token}}) {
        if (token->empty()) continue;
        VM_ASSIGN(const std::string sealed, config::seal(*token, key, {mailbox, name}));
        add(name, sealed);
    }
    VM_TRY(make_directory(paths.oauth2()));
    return write_file_atomic(grant_file(paths, mailbox), text, 0600);
}

Result<bool> remove_grant(const Paths& paths, const std::string& mailbox) {
    const fs::path file = grant_file(paths, mailbox);
    if (::unlink(file.c_str()) != 0) {
        if (errno == ENOENT) return false;
        return fail_errno(errno, "remove", file.string());
    }
    VM_TRY(fsync_directory(paths.oauth2()));
    return true;
}

// One file for all, a byte of it for each mailbox: nothing is left behind of those that go.
Result<UniqueFd> lock_grant(const Paths& paths, const std::string& mailbox) {
    VM_TRY(make_directory(paths.oauth2()));
    const fs::path file = paths.oauth2() / "lock";
    UniqueFd lock(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!lock) return fail_errno(errno, "lock", file.string());
    struct flock range {};
    range.l_type = F_WRLCK;
    range.l_whence = SEEK_SET;
    range.l_start = static_cast<off_t>(parse_int(mailbox).value_or(0));
    range.l_len = 1;
    while (::fcntl(lock.get(), F_OFD_SETLKW, &range) != 0)
        if (errno != EINTR) return fail_errno(errno, "lock", file.string());
    return lock;
}

TimeMs granted_at(const Paths& paths, const std::string& mailbox) {
    const auto document = read_document(paths, mailbox);
    return document && *document ? time_of(**document, kGranted) : 0;
}

}  // namespace vm::oauth2
