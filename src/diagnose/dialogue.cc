#include "diagnose/dialogue.h"

#include "base/text.h"

#include <algorithm>

namespace vm::diagnose {

namespace {

// More than any server says of itself.
constexpr std::size_t kMostLines = 200;

std::string upper(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), [](char c) {
        return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    });
    return out;
}

// "AUTH=LOGIN" is an old form of SMTP's.
std::vector<std::string> words_of(std::string_view line, char other = ' ') {
    std::string text = upper(line);
    std::replace(text.begin(), text.end(), other, ' ');
    std::vector<std::string> out = split(text, ' ');
    std::erase(out, "");
    return out;
}

bool is_reply(std::string_view line) {
    return line.size() >= 3 &&
           std::all_of(line.begin(), line.begin() + 3,
                       [](char c) { return c >= '0' && c <= '9'; }) &&
           (line.size() == 3 || line[3] == ' ' || line[3] == '-');
}

// (It may be a line's all.)
std::string without_code(const std::string& line) {
    return line.size() > 4 ? line.substr(4) : "";
}

tl::unexpected<Trouble> broke(std::string words) {
    return tl::unexpected(Trouble{Fault::kBrokeOff, std::move(words)});
}

tl::unexpected<Trouble> nonsense(const std::string& line) {
    return broke("not a valid reply: \"" + sanitize_line(line, 80) + "\"");
}

void add_mechanism(Abilities& out, const std::string& name) {
    if (std::find(out.mechanisms.begin(), out.mechanisms.end(), name) == out.mechanisms.end())
        out.mechanisms.push_back(name);
}

}  // namespace

std::optional<Protocol> protocol_of(std::string_view greeting) {
    if (greeting.starts_with("* ")) return Protocol::kImap4;
    if (greeting.starts_with("+OK") || greeting.starts_with("-ERR")) return Protocol::kPop3;
    if (is_reply(greeting)) return Protocol::kSmtp;
    return std::nullopt;
}

Abilities read_abilities(Protocol protocol, const std::vector<std::string>& lines) {
    Abilities out;
    out.all = lines;
    for (const std::string& line : lines) {
        const std::vector<std::string> words =
            words_of(line, protocol == Protocol::kSmtp ? '=' : ' ');
        if (words.empty()) continue;
        const std::string& name = words.front();
        const bool list = protocol == Protocol::kSmtp ? name == "AUTH" : name == "SASL";
        if (protocol != Protocol::kImap4 && list)
            for (std::size_t i = 1; i < words.size(); ++i) add_mechanism(out, words[i]);
        if (protocol == Protocol::kImap4 && name.starts_with("AUTH="))
            add_mechanism(out, name.substr(5));
        if (name == (protocol == Protocol::kPop3 ? "STLS" : "STARTTLS")) out.starttls = true;
        if (protocol == Protocol::kImap4 && name == "LOGINDISABLED") out.login_disabled = true;
    }
    return out;
}

Outcome<std::string> Dialogue::greeting() {
    auto first = wire_.line();
    if (!first) {
        first.error().fault = Fault::kSilent;
        return first;
    }
    const auto speaks = protocol_of(*first);
    if (!speaks || *speaks != protocol_)
        return tl::unexpected(Trouble{Fault::kOtherProtocol, sanitize_line(*first, 120)});
    const bool welcome = protocol_ == Protocol::kSmtp    ? first->starts_with("220")
                         : protocol_ == Protocol::kImap4 ? upper(*first).starts_with("* OK")
                                                         : first->starts_with("+OK");
    std::string words = *first;
    // What belongs to it is read, too.
    for (std::size_t i = 0; protocol_ == Protocol::kSmtp && first->substr(3, 1) == "-"; ++i) {
        if (i > kMostLines) return broke("a greeting without end");
        first = wire_.line();
        if (!first) return first;
        if (!is_reply(*first)) return nonsense(*first);
    }
    if (!welcome) return tl::unexpected(Trouble{Fault::kTurnedAway, words});
    return words;
}

Outcome<std::vector<std::string>> Dialogue::smtp_reply() {
    std::vector<std::string> out;
    while (out.size() < kMostLines) {
        auto line = wire_.line();
        if (!line) return tl::unexpected(std::move(line.error()));
        if (!is_reply(*line)) return nonsense(*line);
        out.push_back(*line);
        if (line->substr(3, 1) != "-") return out;
    }
    return broke("a reply without end");
}

Outcome<std::vector<std::string>> Dialogue::imap_response() {
    const std::string tag = "a" + std::to_string(tag_) + " ";
    std::vector<std::string> out;
    while (out.size() < kMostLines) {
        auto line = wire_.line();
        if (!line) return tl::unexpected(std::move(line.error()));
        const bool last = line->starts_with(tag);
        if (!last && !line->starts_with("* ")) return nonsense(*line);
        out.push_back(last ? line->substr(tag.size()) : *line);
        if (last) return out;
    }
    return broke("a response without end");
}

Outcome<std::vector<std::string>> Dialogue::pop3_response(bool listing) {
    std::vector<std::string> out;
    while (out.size() < kMostLines) {
        auto line = wire_.line();
        if (!line) return tl::unexpected(std::move(line.error()));
        if (out.empty()) {
            if (line->starts_with("-ERR")) return std::vector<std::string>{*line};
            if (!line->starts_with("+OK")) return nonsense(*line);
        } else if (*line == ".") {
            return out;
        }
        out.push_back(*line);
        if (!listing) return out;
    }
    return broke("a response without end");
}

Outcome<std::vector<std::string>> Dialogue::command(const std::string& text) {
    const bool imap = protocol_ == Protocol::kImap4;
    const std::string tag = imap ? "a" + std::to_string(++tag_) + " " : "";
    if (auto lost = wire_.send(tag + text + "\r\n")) return tl::unexpected(std::move(*lost));
    if (imap) return imap_response();
    return protocol_ == Protocol::kSmtp ? smtp_reply() : pop3_response(text == "CAPA");
}

Outcome<Abilities> Dialogue::abilities() {
    const bool smtp = protocol_ == Protocol::kSmtp;
    auto said = command(smtp                            ? "EHLO " + domain_
                        : protocol_ == Protocol::kImap4 ? "CAPABILITY"
                                                        : "CAPA");
    if (!said) return tl::unexpected(std::move(said.error()));
    std::vector<std::string> lines;
    if (smtp) {
        // (One that does not know EHLO can nothing of what EHLO tells.)
        if (!said->front().starts_with("2")) return Abilities{};
        for (std::size_t i = 1; i < said->size(); ++i) lines.push_back(without_code((*said)[i]));
    } else if (protocol_ == Protocol::kPop3) {
        lines.assign(said->begin() + 1, said->end());
    } else {
        for (const std::string& line : *said)
            if (upper(line.substr(0, 13)) == "* CAPABILITY ")
                for (std::string& word : split(line.substr(13), ' '))
                    if (!word.empty()) lines.push_back(std::move(word));
    }
    return read_abilities(protocol_, lines);
}

std::optional<Trouble> Dialogue::ask_tls() {
    auto said = command(protocol_ == Protocol::kPop3 ? "STLS" : "STARTTLS");
    if (!said) return std::move(said.error());
    const std::string& last = said->back();
    const bool taken = protocol_ == Protocol::kSmtp    ? last.starts_with("220")
                       : protocol_ == Protocol::kImap4 ? upper(last).starts_with("OK")
                                                       : last.starts_with("+OK");
    if (taken) return std::nullopt;
    return Trouble{Fault::kNoStartTls, last};
}

void Dialogue::bye() {
    (void)wire_.send(protocol_ == Protocol::kImap4 ? "z LOGOUT\r\n" : "QUIT\r\n");
}

}  // namespace vm::diagnose
