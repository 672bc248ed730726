// The unit's configuration: Misc Setup (etc/misc.ini) and Mailbox Options (etc/mailboxes/NNN.ini),
// read through inih into validated values. INTERFACE "Misc Setup" and "Mailbox Options" list the
// keys; src/config/*_options.cc hold them once, as tables that --help, the manual pages' test and
// `vmconfig init` use as well.
//
// Promise: a value in these structs is valid; an invalid one is an Error (kConfig) that names file,
// line, key, value and what is allowed. Loading never changes a file. Any thread; no shared state.
#ifndef VM_CONFIG_CONFIG_H
#define VM_CONFIG_CONFIG_H

#include "base/error.h"
#include "base/paths.h"
#include "base/secret.h"

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

namespace vm::config {

struct MiscSetup {
    std::filesystem::path email_dll_path;       // g_szEmailDllPath, absolute
    bool use_email_integration = true;          // g_bUseEmailIntegration
    bool send_msg_as_attachment = true;         // g_bEnableSendMsgAsAttachment
    std::int64_t sync_pending_timer_s = 20;     // g_bImap4SyncPendingTimer
    std::int64_t repeat_start_up_period_s = 5;  // g_nRepeatStartUpPeriod
    bool use_tts = false;                       // g_bUseTTS
    std::int64_t max_trace_file_size = 100000;  // MaxTraceFileSize
    bool trace_everything = false;              // TraceLevelOverride
    std::int64_t seats = 0;                     // g_nUnifiedMessagingSeats, 0: no limit
    std::int64_t retry_timeout_min = 7200;      // g_nRetryDeliveryTimeoutMin
    std::string message_waiting_command;        // g_szMessageWaitingCommand
    std::string speech_command;                 // g_szSpeechCommand, absolute; "": espeak-ng
    std::string transcript_command;             // g_szTranscriptCommand, absolute; "": none
    std::int64_t transcript_timeout_s = 60;     // g_nTranscriptTimeoutSec
    std::int64_t mass_deletion_limit = 50;      // g_nMassDeletionLimit
    std::int64_t connections_a_server = 0;      // g_nConnectionsPerServer
    std::int64_t logins_a_second = 100;         // g_nLoginsPerSecond
    std::filesystem::path metrics_file;         // g_szMetricsFile, absolute; "": none
};

enum class Ssl { kNo, kYes, kStartTls };
enum class Auth { kNone, kAuto, kPlain, kLogin, kCramMd5, kXOAuth2, kOAuthBearer };
enum class SendMode { kVoiceFax, kVoice, kFax };
enum class SyncMode { kAllFolders, kInboxOnly, kVmFolderOnly, kNone };
enum class SearchMode { kHeader, kText };
enum class DeleteMode { kExpunge, kTrash };
enum class VoiceFormat { kWav, kMp3 };
enum class FaxFormat { kPdf, kTiff, kBoth };

struct Server {
    std::string host;        // "" when not set (None)
    std::uint16_t port = 0;  // already resolved from Ssl when None
    Ssl ssl = Ssl::kNo;
    Auth auth = Auth::kNone;
    std::string account;
    Secret password;
};

enum class OAuth2Provider { kNone, kGoogle, kMicrosoft, kOther };
enum class OAuth2Flow { kRefreshToken, kClientCredentials };

// Who gives the mailbox its access tokens (RFC 6749), and as which client they are asked for. The
// endpoints and the scope are the provider's, but for those that the options name.
struct OAuth2 {
    OAuth2Provider provider = OAuth2Provider::kNone;
    OAuth2Flow flow = OAuth2Flow::kRefreshToken;
    std::string client_id;
    Secret client_secret;                                                 // empty: a public client
    std::string token_endpoint, device_endpoint, authorization_endpoint;  // "": it has none
    std::string scope;
    bool operator==(const OAuth2&) const = default;
};

// kConfig, naming the option, when tokens cannot be asked for with what is set.
Result<> check_oauth2(const OAuth2& oauth2);

struct MailboxOptions {
    std::string number;
    bool integration = false;
    SendMode send_mode = SendMode::kVoiceFax;
    SyncMode sync_mode = SyncMode::kAllFolders;
    std::string email_name;  // RFC 5321 address, ASCII
    std::string domain;      // "" when not set
    Server smtp, pop3, imap4;
    SearchMode search_mode = SearchMode::kHeader;
    // extensions
    std::filesystem::path tls_ca_file;
    bool tls_verify = true;
    DeleteMode delete_mode = DeleteMode::kExpunge;
    VoiceFormat voice_format = VoiceFormat::kWav;
    FaxFormat fax_format = FaxFormat::kPdf;
    bool outlook_forms = false;
    std::string time_zone;  // IANA name; "" is the machine's
    std::string language = "en";
    bool transcript = false;
    std::int64_t deleted_retention_days = 14;
    bool allow_cleartext_password = false;
    std::int64_t network_timeout_s =
        300;  // `Network Timeout`: longest wait for one reply of a server
    OAuth2 oauth2;

    // The sender of the mails: Smtp Account when it is an address, else voicemail@DOMAIN (Domain
    // Name, else the domain of Email Name).
    std::string sender_address() const;
    // Right side of Message-ID: Domain Name, else the domain of the sender.
    std::string message_id_domain() const;
    bool sends_voice() const { return send_mode != SendMode::kFax; }
    bool sends_fax() const { return send_mode != SendMode::kVoice; }
    // Whether logging in to `server`, one of this mailbox's, takes a token of the provider's.
    bool takes_token(const Server& server) const {
        return oauth2.provider != OAuth2Provider::kNone &&
               (server.auth == Auth::kXOAuth2 || server.auth == Auth::kOAuthBearer);
    }
};

// Which transport the plugin path names, as far as its file name tells; it selects the option set
// that `show` and the form present (N3.16).
enum class TransportKind { kImap4, kPop3, kOther };
TransportKind transport_kind(const MiscSetup& misc);

// etc/misc.ini. A missing file is all defaults.
Result<MiscSetup> load_misc(const Paths& paths);

// One mailbox. kNoInput when it does not exist, kPermission when it holds a password and others can
// read it, kConfig when a value is invalid or options that belong together are missing (Email
// Integration = Yes without Smtp Server or Email Name).
Result<MailboxOptions> load_mailbox(const Paths& paths, const std::string& number);

// Numbers of all mailboxes that have a file, in numeric order.
Result<std::vector<std::string>> list_mailboxes(const Paths& paths);
// Whether `number` has one. True when that cannot be found out: reading it says why.
bool has_mailbox(const Paths& paths, const std::string& number);

// The seats taken: mailboxes whose file says Email Integration = Yes, in numeric order; with a
// limit and more of them than seats, those beyond the limit are `refused` (N1.7).
struct Seats {
    std::int64_t limit = 0;  // 0: none
    std::vector<std::string> in_use;
    std::vector<std::string> refused;
};
Result<Seats> count_seats(const Paths& paths, const MiscSetup& misc);
// Only who has none. Reads no mailbox's file where seats are not limited.
Result<std::set<std::string>> refused_seats(const Paths& paths, const MiscSetup& misc);

}  // namespace vm::config

#endif
