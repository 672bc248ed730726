#include "asterisk/settings.h"

#include "base/files.h"
#include "base/text.h"
#include "config/config.h"
#include "config/ini_document.h"
#include "config/private_file.h"

#include <algorithm>
#include <utility>

namespace vm::asterisk {

using config::IniDocument;
using config::IniEntry;
using config::Option;

namespace {

constexpr const char* kSection = "Asterisk";
constexpr const char* kMailboxes = "Mailboxes";
constexpr std::size_t kFileLimit = 1U << 20;
constexpr std::size_t kNameLimit = 60;

bool is_name(std::string_view text) {
    return !text.empty() && text.size() <= kNameLimit && text.front() != '.' &&
           std::all_of(text.begin(), text.end(), [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                      c == '-' || c == '_' || c == '.' || c == '+';
           });
}

// A word that becomes part of origins.
config::Rule unit_name() {
    config::Rule rule;
    rule.allowed = "1 to 40 letters, digits and -_.+";
    rule.canonical = [](std::string_view text) {
        return is_name(text) && text.size() <= 40 ? std::optional<std::string>(text) : std::nullopt;
    };
    return rule;
}

config::Rule number_rule() {
    config::Rule rule;
    rule.allowed = "None or a mailbox number";
    rule.canonical = [](std::string_view text) {
        return is_mailbox_number(text) ? std::optional<std::string>(text) : std::nullopt;
    };
    return rule;
}

std::vector<Option> make_options() {
    return {
        {"Spool", "/var/spool/asterisk/voicemail", config::absolute_path("an absolute path"),
         "Where Asterisk keeps its voice mail: CONTEXT/MAILBOX/FOLDER below it."},
        {"Unit", "asterisk", unit_name(),
         "The server's name, which two servers of one unit must not share; not to be changed."},
        {"Lock Mode", "lockfile", config::one_of({"lockfile", "flock"}),
         "As lockmode in asterisk.conf."},
        {"Move Heard", "Yes", config::one_of({"Yes", "No"}),
         "As moveheard in voicemail.conf: whether what was heard goes to Old."},
        {"Max Messages", "100", config::whole_number(1, 9999),
         "As maxmsg in voicemail.conf: no message is moved to a folder that has as many."},
        {"Backlog Days", "7", config::whole_number(0, 36500, "days"),
         "Messages that are older when they are first seen are not sent as mail."},
        {"AMI Host", "None", config::host(), "Asterisk's manager interface, for message waiting."},
        {"AMI Port", "5038", config::whole_number(1, 65535), "Its port."},
        {"AMI User", "None", config::printable(80, "None or the user's name in manager.conf"),
         "The user to log in as; it needs write = user."},
        {"AMI Secret", "", config::printable(200, "blank or the secret in manager.conf"),
         "Its secret.", config::Screen::kBoth, true},
    };
}

// A file with a secret in it is its owner's alone.
Result<IniDocument> read_document(const Paths& paths) {
    const std::filesystem::path file = settings_file(paths);
    const auto text = read_file(file, kFileLimit);
    if (!text && text.error().kind == ErrorKind::kNoInput)
        return fail(ErrorKind::kNoInput, "read", file.string(), "there is no such file",
                    "vmconfig keys asterisk --sample prints one");
    if (!text) return fail(text.error());
    VM_ASSIGN(IniDocument document, IniDocument::parse(*text, file.string()));
    if (const IniEntry* secret = document.find(kSection, "AMI Secret");
        secret != nullptr && !secret->value.empty()) {
        VM_TRY(config::check_private(file, "a secret"));
        if (secret->commented)
            return fail(ErrorKind::kConfig, "read", document.at(secret->line),
                        "AMI Secret: ' ;' in the line starts a comment and would cut it",
                        "remove the comment, or choose a secret without ' ;'");
    }
    return document;
}

Result<> check(const IniDocument& document) {
    std::vector<std::string> names;
    for (const Option& option : settings_options()) names.push_back(option.name);
    for (const std::string& section : document.sections())
        if (!iequals(section, kSection) && !iequals(section, kMailboxes))
            return fail(ErrorKind::kConfig, "read", document.name(),
                        "there is no section [" + section + "]", "use [Asterisk] or [Mailboxes]");
    for (const IniEntry& entry : document.entries()) {
        if (!iequals(entry.section, kSection)) continue;
        const Option* option = config::find_option(settings_options(), entry.key);
        if (option == nullptr) {
            const std::string near = config::nearest_name(names, entry.key);
            return fail(ErrorKind::kConfig, "read", document.at(entry.line),
                        "there is no key " + entry.key,
                        near.empty() ? "vmconfig keys asterisk lists them" : "is it " + near + "?");
        }
        if (!config::value_of(*option, entry.value))
            return fail(ErrorKind::kConfig, "read", document.at(entry.line),
                        option->name + (option->secret ? " is not valid"
                                                       : " = \"" + entry.value + "\" is not valid"),
                        "allowed: " + option->rule.allowed);
    }
    return {};
}

Result<std::map<Box, std::optional<std::string>>> read_numbers(const IniDocument& document) {
    std::map<Box, std::optional<std::string>> out;
    const config::Rule number = number_rule();
    for (const IniEntry& entry : document.entries()) {
        if (!iequals(entry.section, kMailboxes)) continue;
        const std::size_t at = entry.key.find('@');
        const Box box{at == std::string::npos ? "default" : entry.key.substr(at + 1),
                      entry.key.substr(0, at)};
        if (!is_box(box))
            return fail(ErrorKind::kConfig, "read", document.at(entry.line),
                        entry.key + " is no mailbox of Asterisk's", "write 101@default = 101");
        std::optional<std::string> value;
        if (!entry.value.empty() && !iequals(entry.value, "None")) {
            value = number.canonical(entry.value);
            if (!value)
                return fail(ErrorKind::kConfig, "read", document.at(entry.line),
                            entry.key + " = \"" + entry.value + "\" is not valid",
                            "allowed: " + number.allowed);
        }
        out[box] = value;
    }
    return out;
}

}  // namespace

bool is_box(const Box& box) {
    return is_name(box.context) && is_name(box.mailbox);
}

std::filesystem::path settings_file(const Paths& paths) {
    return paths.etc() / "asterisk.ini";
}

const std::vector<Option>& settings_options() {
    static const std::vector<Option> options = make_options();
    return options;
}

Result<Settings> load_settings(const Paths& paths) {
    VM_ASSIGN(const IniDocument document, read_document(paths));
    VM_TRY(check(document));
    const auto text = [&](const char* name) {
        const IniEntry* entry = document.find(kSection, name);
        return *config::value_of(*config::find_option(settings_options(), name),
                                 entry ? entry->value : "");
    };
    Settings out;
    out.spool = std::filesystem::path(text("Spool")).lexically_normal();
    out.unit = text("Unit");
    out.lock = text("Lock Mode") == "flock" ? LockMode::kFlock : LockMode::kLockFile;
    out.move_heard = text("Move Heard") == "Yes";
    out.max_messages = *parse_int(text("Max Messages"));
    out.backlog_days = *parse_int(text("Backlog Days"));
    out.ami_host = text("AMI Host");
    out.ami_port = static_cast<std::uint16_t>(*parse_int(text("AMI Port")));
    out.ami_user = text("AMI User");
    out.ami_secret = Secret(text("AMI Secret"));
    if (!out.ami_host.empty() && (out.ami_user.empty() || out.ami_secret.empty()))
        return fail(ErrorKind::kConfig, "read", document.name(),
                    "AMI Host needs AMI User and AMI Secret", "set them, or AMI Host = None");
    VM_ASSIGN(out.numbers, read_numbers(document));
    return out;
}

std::optional<std::string> Settings::number_of(const Paths& paths, const Box& box) const {
    std::optional<std::string> number;
    if (const auto found = numbers.find(box); found != numbers.end())
        number = found->second;
    else if (box.context == "default" && is_mailbox_number(box.mailbox))
        number = box.mailbox;
    if (number && !config::has_mailbox(paths, *number)) return std::nullopt;
    return number;
}

std::string settings_sample() {
    std::string out =
        "; Asterisk's voice mail; vm-asterisk.ini(5). For vmasterisk(8), which runs where this "
        "file "
        "is.\n"
        "; With a secret in it this file must have mode 0600.\n"
        "[Asterisk]\n";
    for (const Option& option : settings_options()) {
        out += "\n; " + option.description + "\n; Allowed: " + option.rule.allowed + "\n";
        out += option.name + " =" + (option.default_text.empty() ? "" : " " + option.default_text) +
               "\n";
    }
    out +=
        "\n; Mailboxes that have another number here, or lie in another context than default; "
        "None: "
        "left alone.\n"
        "; A mailbox of context default that is not named is the mailbox of its own number, when\n"
        "; there is one.\n"
        "[Mailboxes]\n"
        "; 4711@sales = 101\n";
    return out;
}

}  // namespace vm::asterisk
