#include "config/seal.h"

#include "base/files.h"
#include "base/text.h"
#include "config/private_file.h"
#include "config/store_file.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <memory>
#include <optional>

namespace vm::config {

namespace {

constexpr std::string_view kSealMark = "sealed:v1:";
constexpr std::string_view kKeyMark = "vm-key:v1:";
constexpr std::size_t kKeySize = 32, kNonceSize = 12, kTagSize = 16;

unsigned char* bytes(std::string& s) {
    return reinterpret_cast<unsigned char*>(s.data());
}
const unsigned char* bytes(std::string_view s) {
    return reinterpret_cast<const unsigned char*>(s.data());
}
int length(std::string_view s) {
    return static_cast<int>(s.size());
}

std::string encode_base64(std::string_view raw) {
    std::string out((raw.size() + 2) / 3 * 4 + 1, '\0');  // EVP_EncodeBlock ends it with a NUL
    out.resize(static_cast<std::size_t>(EVP_EncodeBlock(bytes(out), bytes(raw), length(raw))));
    return out;
}

// Strict: only the text encode_base64 makes.
std::optional<std::string> decode_base64(std::string_view text) {
    std::string raw(text.size() / 4 * 3, '\0');
    if (text.empty() || text.size() % 4 != 0 ||
        EVP_DecodeBlock(bytes(raw), bytes(text), length(text)) < 0)
        return std::nullopt;
    const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
    raw.resize(raw.size() - padding);
    if (encode_base64(raw) != text) return std::nullopt;
    return raw;
}

// Additional authenticated data: what the seal is bound to.
std::string binding(const SealContext& context) {
    return context.mailbox + '\0' + to_lower(context.key);
}

using Cipher = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

tl::unexpected<Error> seal_error(const char* operation, const SealContext& context,
                                 std::string reason, std::string hint = {}) {
    return fail(ErrorKind::kConfig, operation, context.key + " of mailbox " + context.mailbox,
                std::move(reason), std::move(hint));
}

}  // namespace

bool is_sealed(std::string_view value) {
    return value.starts_with(kSealMark);
}

Result<Secret> load_key(const Paths& paths) {
    const std::string file = paths.key_file().string();
    if (auto allowed = check_private(paths.key_file(), "the key of the sealed passwords");
        !allowed) {
        if (allowed.error().kind != ErrorKind::kNoInput) return fail(std::move(allowed).error());
        return fail(
            ErrorKind::kConfig, "read", file, "the key file of the sealed passwords is missing",
            "restore it from a copy; without one, vm-mailbox.ini(5) says how to start anew");
    }
    VM_ASSIGN(const std::string content, read_file(paths.key_file(), 4096));
    const std::string_view text = trim(content);
    if (text.starts_with(kKeyMark))
        if (auto key = decode_base64(text.substr(kKeyMark.size())); key && key->size() == kKeySize)
            return Secret(std::move(*key));
    return fail(ErrorKind::kConfig, "read", file, "this is no key file, or it is damaged",
                "restore it from a copy; without one, vm-mailbox.ini(5) says how to start anew");
}

Result<> create_key(const Paths& paths) {
    std::string key(kKeySize, '\0');
    if (RAND_bytes(bytes(key), length(key)) != 1)
        return fail(ErrorKind::kUnavailable, "create", paths.key_file().string(),
                    "no random bytes from OpenSSL");
    const Secret text(std::string(kKeyMark) + encode_base64(key) + "\n");
    OPENSSL_cleanse(key.data(), key.size());
    return store_file(paths.key_file(), text.reveal(), 0600);
}

Result<std::string> seal(const Secret& secret, const Secret& key, const SealContext& context) {
    const std::string& plain = secret.reveal();
    const std::string bound = binding(context);
    std::string box(kNonceSize + plain.size() + kTagSize, '\0');
    unsigned char* const nonce = bytes(box);
    const Cipher cipher(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
    int n = 0;
    const bool done =
        cipher && RAND_bytes(nonce, kNonceSize) == 1 &&
        EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, bytes(key.reveal()), nonce) ==
            1 &&
        EVP_EncryptUpdate(cipher.get(), nullptr, &n, bytes(bound), length(bound)) == 1 &&
        EVP_EncryptUpdate(cipher.get(), nonce + kNonceSize, &n, bytes(plain), length(plain)) == 1 &&
        EVP_EncryptFinal_ex(cipher.get(), nonce + kNonceSize + plain.size(), &n) == 1 &&
        EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, kTagSize,
                            nonce + kNonceSize + plain.size()) == 1;
    if (!done) return seal_error("seal", context, "OpenSSL failed");
    return std::string(kSealMark) + encode_base64(box);
}

Result<Secret> unseal(std::string_view sealed, const Secret& key, const SealContext& context) {
    const std::string set_again =
        "set it again: vmconfig mailbox set " + context.mailbox + " \"" + context.key + "=-\"";
    auto box = is_sealed(sealed) ? decode_base64(sealed.substr(kSealMark.size())) : std::nullopt;
    if (!box || box->size() < kNonceSize + kTagSize)
        return seal_error("open", context, "the sealed text is damaged", set_again);
    const std::string bound = binding(context);
    const std::size_t size = box->size() - kNonceSize - kTagSize;
    const unsigned char* const nonce = bytes(*box);
    std::string plain(size, '\0');
    const Cipher cipher(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
    int n = 0;
    const bool done =
        cipher &&
        EVP_DecryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, bytes(key.reveal()), nonce) ==
            1 &&
        EVP_DecryptUpdate(cipher.get(), nullptr, &n, bytes(bound), length(bound)) == 1 &&
        EVP_DecryptUpdate(cipher.get(), bytes(plain), &n, nonce + kNonceSize,
                          static_cast<int>(size)) == 1 &&
        EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, kTagSize,
                            bytes(*box) + kNonceSize + size) == 1 &&
        EVP_DecryptFinal_ex(cipher.get(), bytes(plain) + size, &n) == 1;
    Secret opened(std::move(plain));
    if (!done)
        return seal_error("open", context, "sealed with another key, or for another mailbox or key",
                          set_again);
    return opened;
}

}  // namespace vm::config
