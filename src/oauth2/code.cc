// The authorization code flow of grant.h.
#include "base/text.h"
#include "oauth2/ask.h"
#include "oauth2/grant.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <array>
#include <optional>

namespace vm::oauth2 {

namespace {

// RFC 8252 section 7.3. Nobody listens there: the browser says so, and has the code in its address.
constexpr const char* kRedirect = "http://localhost:14121";

// RFC 4648 section 5, without padding.
std::string base64url(const unsigned char* bytes, std::size_t size) {
    std::string out(4 * ((size + 2) / 3) + 1, '\0');
    const int n = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), bytes,
                                  static_cast<int>(size));
    out.resize(static_cast<std::size_t>(n));
    for (char& c : out) {
        if (c == '+') c = '-';
        if (c == '/') c = '_';
    }
    out.resize(out.find_last_not_of('=') + 1);
    return out;
}

std::optional<std::string> random_text() {
    std::array<unsigned char, 32> bytes{};
    if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) return std::nullopt;
    return base64url(bytes.data(), bytes.size());
}

std::optional<std::string> sha256_text(const std::string& text) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> hash{};
    unsigned size = 0;
    if (EVP_Digest(text.data(), text.size(), hash.data(), &size, EVP_sha256(), nullptr) != 1)
        return std::nullopt;
    return base64url(hash.data(), size);
}

std::string percent_decoded(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto digit = [&](std::size_t at) -> int {
            constexpr std::string_view kHex = "0123456789abcdef";
            if (at >= text.size()) return -1;
            const auto found = kHex.find(to_lower(text.substr(at, 1)));
            return found == std::string_view::npos ? -1 : static_cast<int>(found);
        };
        if (text[i] == '%' && digit(i + 1) >= 0 && digit(i + 2) >= 0) {
            out += static_cast<char>(digit(i + 1) * 16 + digit(i + 2));
            i += 2;
        } else {
            out += text[i] == '+' ? ' ' : text[i];
        }
    }
    return out;
}

// The value of a parameter of the address' query; nothing: it has none.
std::optional<std::string> parameter(std::string_view address, std::string_view name) {
    const auto question = address.find('?');
    if (question == std::string_view::npos) return std::nullopt;
    address.remove_prefix(question + 1);
    for (const std::string& part : split(address.substr(0, address.find('#')), '&'))
        if (const auto equals = part.find('=');
            equals != std::string::npos && std::string_view(part).substr(0, equals) == name)
            return percent_decoded(std::string_view(part).substr(equals + 1));
    return std::nullopt;
}

tl::unexpected<Error> not_it(std::string reason) {
    return fail(ErrorKind::kUsage, "OAuth2", "what was entered", std::move(reason),
                "copy the whole address that the browser shows at the end, or the code alone");
}

Result<std::string> code_of(const CodeRequest& request, std::string_view brought) {
    brought = trim(brought);
    if (brought.find("://") == std::string_view::npos) {
        if (brought.empty() || brought.find_first_of(" \t?&") != std::string_view::npos)
            return not_it("it is no code");
        return std::string(brought);
    }
    if (const auto error = parameter(brought, "error"))
        return fail(ErrorKind::kAccount, "OAuth2", "the provider",
                    "access was not granted: " + sanitize_line(*error, 100));
    const auto code = parameter(brought, "code");
    if (!code || code->empty()) return not_it("there is no code in it");
    if (parameter(brought, "state") != request.state)
        return not_it("it is the answer to another question");
    return *code;
}

}  // namespace

Result<CodeRequest> make_code_request(const Client& client, const std::string& account) {
    const auto verifier = random_text(), state = random_text();
    const auto challenge = verifier ? sha256_text(*verifier) : std::nullopt;
    if (!challenge || !state)
        return fail(ErrorKind::kUnavailable, "OAuth2", "mailbox " + client.mailbox,
                    "no random bytes from OpenSSL");
    CodeRequest out;
    out.state = *state;
    out.verifier = Secret(*verifier);
    // (With the last three Google gives a refresh token, also to who has granted access before.)
    const Secret query = form({{"response_type", "code"},
                               {"client_id", client.oauth2.client_id},
                               {"redirect_uri", kRedirect},
                               {"scope", client.oauth2.scope},
                               {"state", out.state},
                               {"code_challenge", *challenge},
                               {"code_challenge_method", "S256"},
                               {"login_hint", account},
                               {"access_type", "offline"},
                               {"prompt", "consent"}});
    const std::string& page = client.oauth2.authorization_endpoint;
    out.url = page + (page.find('?') == std::string::npos ? "?" : "&") + query.reveal();
    return out;
}

Result<Tokens> ask_with_code(const Post& post, const Client& client, const CodeRequest& request,
                             std::string_view brought) {
    VM_ASSIGN(const std::string code, code_of(request, brought));
    return ask_tokens(post, client,
                      {{"grant_type", "authorization_code"},
                       {"code", code},
                       {"redirect_uri", kRedirect},
                       {"code_verifier", request.verifier.reveal()}});
}

}  // namespace vm::oauth2
