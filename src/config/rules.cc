// The rules of option.h: what a value may look like.
#include "base/language.h"
#include "base/text.h"
#include "config/option.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <fstream>

namespace vm::config {

namespace {

using Canonical = std::optional<std::string>;

bool is_alnum(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_address(int family, const std::string& text) {
    std::array<unsigned char, sizeof(in6_addr)> address{};
    return ::inet_pton(family, text.c_str(), address.data()) == 1;
}

// RFC 1123 section 2.1; the underscore is seen in real host names.
bool is_domain(std::string_view text) {
    if (text.empty() || text.size() > 253) return false;
    for (const std::string& label : split(text, '.')) {
        if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-')
            return false;
        if (!std::all_of(label.begin(), label.end(),
                         [](char c) { return is_alnum(c) || c == '-' || c == '_'; }))
            return false;
    }
    return true;
}

// Digits and dots only: meant as an address, right or wrong.
bool looks_like_ipv4(std::string_view text) {
    return text.find_first_not_of("0123456789.") == std::string_view::npos;
}

// RFC 5321 section 4.1.3: "[192.0.2.1]", "[IPv6:2001:db8::1]".
bool is_address_literal(std::string_view text) {
    if (text.size() < 2 || text.front() != '[' || text.back() != ']') return false;
    const std::string inner(text.substr(1, text.size() - 2));
    if (iequals(std::string_view(inner).substr(0, 5), "IPv6:"))
        return is_address(AF_INET6, inner.substr(5));
    return is_address(AF_INET, inner);
}

bool is_printable(std::string_view text) {
    return is_utf8(text) && sanitize_line(text, text.size()) == text;
}

}  // namespace

Rule one_of(std::vector<std::string> values) {
    Rule rule;
    rule.allowed = join(values, ", ");
    rule.none_is_a_value = std::find(values.begin(), values.end(), "None") != values.end();
    rule.choices = values;
    rule.canonical = [values = std::move(values)](std::string_view text) -> Canonical {
        for (const std::string& value : values)
            if (iequals(value, text)) return value;
        return std::nullopt;
    };
    return rule;
}

Rule whole_number(std::int64_t least, std::int64_t most, const std::string& unit) {
    Rule rule;
    rule.allowed =
        std::to_string(least) + " to " + std::to_string(most) + (unit.empty() ? "" : " " + unit);
    rule.canonical = [least, most](std::string_view text) -> Canonical {
        const auto number = parse_int(text);
        if (!number || *number < least || *number > most) return std::nullopt;
        return std::to_string(*number);
    };
    return rule;
}

Rule port() {
    Rule rule = whole_number(1, 65535);
    rule.allowed = "None (the usual port for the SSL setting) or 1 to 65535";
    return rule;
}

Rule host() {
    return {"None, a host name, an IPv4 or an IPv6 address (the port is a key of its own)",
            [](std::string_view text) -> Canonical {
                const bool bracketed = text.size() > 2 && text.front() == '[' && text.back() == ']';
                const std::string bare(bracketed ? text.substr(1, text.size() - 2) : text);
                if (is_address(AF_INET6, bare)) return bare;
                if (bracketed) return std::nullopt;
                const bool valid =
                    looks_like_ipv4(bare) ? is_address(AF_INET, bare) : is_domain(bare);
                return valid ? Canonical(bare) : std::nullopt;
            }};
}

Rule domain_name() {
    return {"None or a domain name such as example.com", [](std::string_view text) -> Canonical {
                if (!is_domain(text) || looks_like_ipv4(text)) return std::nullopt;
                return std::string(text);
            }};
}

bool is_mail_address(std::string_view text) {
    const auto at = text.rfind('@');
    if (at == std::string_view::npos || at == 0 || at > 64 || text.size() > 254) return false;
    const std::string_view domain = text.substr(at + 1);
    if (!is_domain(domain) && !is_address_literal(domain)) return false;
    // dot-atom of RFC 5322 section 3.2.3
    for (const std::string& atom : split(text.substr(0, at), '.'))
        if (atom.empty() || !std::all_of(atom.begin(), atom.end(), [](char c) {
                return is_alnum(c) ||
                       std::string_view("!#$%&'*+-/=?^_`{|}~").find(c) != std::string_view::npos;
            }))
            return false;
    return true;
}

Rule mail_address() {
    return {"one address such as ann@example.com, ASCII, without name and <>",
            [](std::string_view text) -> Canonical {
                return is_mail_address(text) ? Canonical(text) : std::nullopt;
            }};
}

Rule printable(std::size_t limit, const std::string& allowed) {
    return {allowed, [limit](std::string_view text) -> Canonical {
                if (text.size() > limit || !is_printable(text)) return std::nullopt;
                return std::string(text);
            }};
}

Rule absolute_path(const std::string& allowed) {
    Rule rule = printable(1024, allowed);
    rule.canonical = [printable = std::move(rule.canonical)](std::string_view text) -> Canonical {
        return text.starts_with('/') ? printable(text) : std::nullopt;
    };
    return rule;
}

Rule time_zone() {
    return {"None (the machine's) or a zone of /usr/share/zoneinfo such as Europe/Paris",
            [](std::string_view text) -> Canonical {
                if (!is_printable(text) || text.size() > 255 || text.front() == '/' ||
                    text.find("..") != std::string_view::npos)
                    return std::nullopt;
                std::ifstream file("/usr/share/zoneinfo/" + std::string(text), std::ios::binary);
                std::array<char, 4> magic{};
                if (!file.read(magic.data(), magic.size()) ||
                    std::string_view(magic.data(), 4) != "TZif")
                    return std::nullopt;
                return std::string(text);
            }};
}

Rule language_tag() {
    return {"a language such as en, fr or pt-BR", [](std::string_view text) -> Canonical {
                return is_language_tag(text) ? Canonical(text) : std::nullopt;
            }};
}

Rule password() {
    return {"blank or any text; vmconfig writes it sealed",
            [](std::string_view text) -> Canonical { return std::string(text); }};
}

}  // namespace vm::config
