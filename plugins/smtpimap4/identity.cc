#include "smtpimap4/identity.h"

#include "common/text.h"

#include <algorithm>
#include <vector>

namespace vm::plug::imap {

namespace {

constexpr std::string_view kToken = "[VM:";

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// Quoted-printable decoded; what is none stays as it is.
std::string unquoted(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '=') {
            out += text[i];
        } else if (i + 1 < text.size() && text[i + 1] == '\n') {
            i += 1;
        } else if (i + 2 < text.size() && text[i + 1] == '\r' && text[i + 2] == '\n') {
            i += 2;
        } else if (i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 &&
                   hex_digit(text[i + 2]) >= 0) {
            out += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
            i += 2;
        } else {
            out += '=';
        }
    }
    return out;
}

// Base64 decoded, as much of it as is whole; "" when it is none.
std::string unbased(std::string_view text) {
    std::string packed;
    for (const char c : text)
        if (c != '\r' && c != '\n') packed += c;
    packed.resize(packed.size() / 4 * 4);
    return decode_base64(packed);
}

// The ids of the tokens in `text`, each once.
std::vector<std::string> tokens_in(std::string_view text) {
    std::vector<std::string> out;
    for (std::size_t at = 0; (at = text.find(kToken, at)) != std::string_view::npos; ++at) {
        const std::string_view id = text.substr(at + kToken.size(), kIdSize);
        const std::size_t end = at + kToken.size() + kIdSize;
        if (!plausible_id(id) || end >= text.size() || text[end] != ']') continue;
        if (std::find(out.begin(), out.end(), id) == out.end()) out.emplace_back(id);
    }
    return out;
}

std::string id_in_text(std::string_view text) {
    for (const std::string& form : {std::string(text), unquoted(text), unbased(text)}) {
        const auto ids = tokens_in(form);
        if (ids.size() == 1) return ids.front();
        if (!ids.empty()) return {};  // of several nobody knows which is the mail's own
    }
    return {};
}

}  // namespace

Identity identify(const FetchData& message, bool by_text) {
    const std::string* header = message.section("HEADER.FIELDS");
    if (header == nullptr) return {};
    Identity out = plug::identify(*header);
    const std::string* text = message.section("1");
    if (by_text && !out.has_id_field && text != nullptr && !out.answers_another)
        out.id = id_in_text(*text);
    return out;
}

const char* identity_items(bool by_text) {
    // (Of a field that somebody has made long, its beginning is enough.)
    return by_text ? "(UID FLAGS BODY.PEEK[HEADER.FIELDS (X-VM-MESSAGE-ID MESSAGE-ID IN-REPLY-TO "
                     "REFERENCES)]<0.8192> BODY.PEEK[1]<0.8192>)"
                   : "(UID FLAGS BODY.PEEK[HEADER.FIELDS (X-VM-MESSAGE-ID MESSAGE-ID)]<0.8192>)";
}

}  // namespace vm::plug::imap
