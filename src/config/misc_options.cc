#include "config/misc_options.h"

#include "base/files.h"
#include "base/text.h"

namespace vm::config {

namespace {

constexpr std::size_t kFileLimit = 1U << 20;

Rule truth() {
    return one_of({"True", "False"});
}

// The collector reads no other files.
Rule prometheus_file() {
    Rule rule = absolute_path("an absolute path that ends in .prom, or blank");
    rule.canonical = [path = std::move(rule.canonical)](std::string_view text) {
        return text.ends_with(".prom") ? path(text) : std::nullopt;
    };
    return rule;
}

}  // namespace

std::vector<Option> misc_options(const Paths& paths) {
    const auto ours = [](Option option) {
        option.extension = true;
        return option;
    };
    return {
        {"MaxTraceFileSize", "100000", whole_number(100, 2147483647, "bytes"),
         "Bytes before the trace file rotates."},
        {"NSLTraceModeOn", "0", whole_number(0, 2147483647),
         "Another part of the unit; not read by the agent."},
        {"NSL_InSkinType", "0", whole_number(0, 2147483647),
         "Another part of the unit; not read by the agent."},
        {"TraceLevelOverride", "False", truth(),
         "True: trace everything, protocol dialogue too; secrets never."},
        {"g_bAllowNSL", "False", truth(), "Another part of the unit; not read by the agent."},
        {"g_bEnableSendMsgAsAttachment", "True", truth(),
         "False: the mail announces the message without its audio or fax."},
        {"g_bImap4SyncPendingTimer", "20", whole_number(1, 86400, "seconds"),
         "Seconds between looks at an account while work is pending or without IDLE."},
        {"g_bUseAmis", "True", truth(), "Another part of the unit; not read by the agent."},
        {"g_bUseDesktopMessaging", "True", truth(),
         "Another part of the unit; not read by the agent."},
        {"g_bUseEmailIntegration", "True", truth(), "Master switch of the agent."},
        {"g_bUseTTS", "False", truth(), "Read e-mail text at the phone."},
        {"g_nNetServiceNumber", "2000", whole_number(0, 99999999),
         "Another part of the unit; not read by the agent."},
        {"g_nRepeatStartUpPeriod", "5", whole_number(1, 86400, "seconds"),
         "Seconds before a mailbox whose start-up failed is tried again."},
        {"g_szEmailDllPath", (paths.lib() / "libsmtpimap4.so").string(),
         printable(1024, "a path of a plugin; a relative one is taken from the root"),
         "The transport plugin; libsmtppop3.so for POP3."},
        ours({"g_nUnifiedMessagingSeats", "0", whole_number(0, 99999999, "mailboxes"),
              "Mailboxes that may have Email Integration = Yes; 0: no limit."}),
        ours({"g_nRetryDeliveryTimeoutMin", "7200", whole_number(0, 525600, "minutes"),
              "Minutes before a deferred delivery is given up."}),
        ours({"g_szMessageWaitingCommand", "",
              printable(1024, "a program, or blank; run without a shell"),
              "Program run as CMD MAILBOX NEW OLD when a mailbox's counts change."}),
        ours({"g_szSpeechCommand", "", absolute_path("an absolute path of a program, or blank"),
              "Speech synthesiser run as CMD LANGUAGE, text in, WAV out; blank: espeak-ng."}),
        ours({"g_szTranscriptCommand", "", absolute_path("an absolute path of a program, or blank"),
              "Speech recogniser run as CMD LANGUAGE, WAV in, text out; blank: none."}),
        ours({"g_nTranscriptTimeoutSec", "60", whole_number(1, 3600, "seconds"),
              "Longest that a mail waits for its transcript; then it goes without."}),
        ours({"g_nMassDeletionLimit", "50", whole_number(0, 1000000000, "messages"),
              "More linked messages than this, and more than half, vanishing: hold."}),
        ours({"g_nConnectionsPerServer", "0", whole_number(0, 1000000, "connections"),
              "Connections that may be open to one server; 0: no limit."}),
        ours({"g_nLoginsPerSecond", "100", whole_number(0, 1000000, "connections"),
              "Connections opened to one server in a second; 0: no limit."}),
        ours({"g_szMetricsFile", "", prometheus_file(),
              "Metrics for node_exporter's textfile collector; blank: none are written."}),
    };
}

std::vector<std::string> misc_names(const IniDocument& document,
                                    const std::vector<Option>& options) {
    std::vector<std::string> names;
    names.reserve(options.size());
    for (const Option& option : options) names.push_back(option.name);
    for (const std::string& section : document.sections())
        if (find_option(options, section) == nullptr) names.push_back(section);
    return names;
}

Result<MiscRow> misc_row(const IniDocument& document, const std::vector<Option>& options,
                         std::string_view name) {
    MiscRow row;
    if (const Option* option = find_option(options, name)) row.value = option->default_text;
    if (const IniEntry* value = document.find(name, kValueKey)) {
        row.value = value->value;
        row.line = value->line;
    }
    if (const IniEntry* ignore = document.find(name, kIgnoreKey);
        ignore && !ignore->value.empty()) {
        const auto number = parse_int(ignore->value);
        if (!number)
            return fail(ErrorKind::kConfig, "read", document.at(ignore->line),
                        "[" + ignore->section + "] Ignore = \"" + ignore->value + "\" is not valid",
                        "allowed: 0 (the value is used) or 1 (the default holds)");
        row.ignored = *number != 0;
    }
    return row;
}

Result<> check_misc_option(const IniDocument& document, const std::vector<Option>& options,
                           const Option& option) {
    VM_ASSIGN(const MiscRow row, misc_row(document, options, option.name));
    if (!row.ignored && !value_of(option, row.value))
        return fail(ErrorKind::kConfig, "read", document.at(row.line),
                    "[" + option.name + "] Value = \"" + row.value + "\" is not valid",
                    "allowed: " + option.rule.allowed);
    return {};
}

Result<> check_misc(const IniDocument& document, const std::vector<Option>& options) {
    for (const Option& option : options) VM_TRY(check_misc_option(document, options, option));
    return {};
}

Result<IniDocument> read_misc(const Paths& paths) {
    auto text = read_file(paths.misc_ini(), kFileLimit);
    if (!text && text.error().kind != ErrorKind::kNoInput) return fail(std::move(text).error());
    return IniDocument::parse(text ? *text : std::string(), paths.misc_ini().string());
}

std::string misc_sample(const Paths& paths) {
    std::string text =
        "; Misc Setup of the voice-mail unit; vm-misc.ini(5). Edit by hand or with vmconfig(8).\n"
        "; One section is one option. Ignore = 1: the value is disregarded and the default "
        "holds.\n";
    for (const Option& option : misc_options(paths)) {
        text += "\n; " + option.description + "\n; Allowed: " + option.rule.allowed + "\n";
        text += "[" + option.name + "]\n";
        text += "Value =" + (option.default_text.empty() ? "" : " " + option.default_text) + "\n";
        text += "Ignore = 0\n";
    }
    return text;
}

}  // namespace vm::config
