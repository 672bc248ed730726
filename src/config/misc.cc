// Misc Setup as values: config.h's load_misc and what follows from it.
#include "base/text.h"
#include "config/config.h"
#include "config/misc_options.h"

namespace vm::config {

TransportKind transport_kind(const MiscSetup& misc) {
    const std::string name = to_lower(misc.email_dll_path.filename().string());
    if (name.find("imap4") != std::string::npos) return TransportKind::kImap4;
    if (name.find("pop3") != std::string::npos) return TransportKind::kPop3;
    return TransportKind::kOther;
}

Result<MiscSetup> load_misc(const Paths& paths) {
    VM_ASSIGN(const IniDocument document, read_misc(paths));
    const std::vector<Option> options = misc_options(paths);
    VM_TRY(check_misc(document, options));

    // check_misc has seen every value: nothing below can fail.
    const auto text = [&](std::string_view name) {
        const MiscRow row = *misc_row(document, options, name);
        return *value_of(*find_option(options, name), row.ignored ? "" : row.value);
    };
    const auto number = [&](std::string_view name) { return *parse_int(text(name)); };
    const auto truth = [&](std::string_view name) { return text(name) == "True"; };

    MiscSetup misc;
    const std::filesystem::path plugin = text("g_szEmailDllPath");
    misc.email_dll_path = (plugin.is_absolute() ? plugin : paths.root / plugin).lexically_normal();
    misc.use_email_integration = truth("g_bUseEmailIntegration");
    misc.send_msg_as_attachment = truth("g_bEnableSendMsgAsAttachment");
    misc.sync_pending_timer_s = number("g_bImap4SyncPendingTimer");
    misc.repeat_start_up_period_s = number("g_nRepeatStartUpPeriod");
    misc.use_tts = truth("g_bUseTTS");
    misc.max_trace_file_size = number("MaxTraceFileSize");
    misc.trace_everything = truth("TraceLevelOverride");
    misc.seats = number("g_nUnifiedMessagingSeats");
    misc.retry_timeout_min = number("g_nRetryDeliveryTimeoutMin");
    misc.message_waiting_command = text("g_szMessageWaitingCommand");
    misc.speech_command = text("g_szSpeechCommand");
    misc.transcript_command = text("g_szTranscriptCommand");
    misc.transcript_timeout_s = number("g_nTranscriptTimeoutSec");
    misc.mass_deletion_limit = number("g_nMassDeletionLimit");
    misc.connections_a_server = number("g_nConnectionsPerServer");
    misc.logins_a_second = number("g_nLoginsPerSecond");
    misc.metrics_file = text("g_szMetricsFile");
    return misc;
}

}  // namespace vm::config
