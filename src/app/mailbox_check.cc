#include "app/mailbox_check.h"

#include "agent/session_options.h"
#include "agent/sync_run.h"
#include "app/check_mail.h"
#include "base/text.h"
#include "diagnose/probe.h"
#include "transport/account.h"

#include <algorithm>
#include <csignal>
#include <memory>

namespace vm::app {

namespace {

using diagnose::Fault;
using diagnose::Finding;
using diagnose::Protocol;
using diagnose::Step;

// A server may be slow with mails, and giving up there leaves it open whether it has arrived.
constexpr diagnose::Millis kDotTimeout{60'000};
constexpr int kLoginSteps = 3;

class Check {
  public:
    Check(const CheckWish& wish, config::MailboxOptions mailbox, config::MiscSetup misc,
          transport::Plugin plugin, agent::Tokens tokens,
          const std::function<void(const CheckedStep&)>& tell)
        : wish_(wish),
          mailbox_(std::move(mailbox)),
          misc_(std::move(misc)),
          plugin_(std::move(plugin)),
          tokens_(std::move(tokens)),
          tell_(tell) {}

    CheckSummary run() {
        note_options();
        sending();
        account();
        return std::move(summary_);
    }

  private:
    // ---- telling
    // ----------------------------------------------------------------------------------
    void begin() { since_ = system_clock().steady_ms(); }

    Finding finding(Step step, std::string words = {}, std::string note = {}) const {
        Finding out;
        out.protocol = protocol_;
        out.step = step;
        out.words = std::move(words);
        out.note = std::move(note);
        out.ms = system_clock().steady_ms() - since_;
        return out;
    }

    void tell(const Finding& found) {
        CheckedStep step{diagnose::server_of(mailbox_, protocol_).host, found, std::nullopt};
        if (found.step == Step::kOptions && found.fault == Fault::kNone) step.server.clear();
        if (found.fault != Fault::kNone) {
            step.advice = diagnose::advise(found, mailbox_);
            if (summary_.status == 0) summary_.status = exit_status(step.advice->kind);
        }
        tell_(step);
        begin();
    }

    bool fail(Step step, Fault fault, std::string words, std::string note = {}) {
        Finding found = finding(step, std::move(words), std::move(note));
        found.fault = fault;
        found.mechanisms = able_.mechanisms;
        found.starttls = able_.starttls;
        tell(found);
        return false;
    }

    void works(const std::string& what) {
        summary_.works += (summary_.works.empty() ? "" : "; ") + what;
    }

    void note_options() {
        const std::string why = agent::why_not_synchronised(mailbox_, misc_);
        if (!misc_.use_email_integration)
            tell(finding(Step::kOptions, "read",
                         "g_bUseEmailIntegration is False: the agent does nothing"));
        else if (!mailbox_.integration)
            tell(finding(Step::kOptions, "read",
                         "Email Integration is No: the agent leaves this mailbox alone"));
        else if (!why.empty())
            tell(finding(Step::kOptions, "read", why + ": nothing is kept in step"));
    }

    // ---- both sides
    // -------------------------------------------------------------------------------
    std::string option(const char* name) const {
        return std::string(diagnose::prefix_of(protocol_)) + " " + name;
    }
    const config::Server& server() const { return diagnose::server_of(mailbox_, protocol_); }

    bool missing(const std::string& key) {
        return fail(Step::kOptions, Fault::kOptions, key + " is not set",
                    "Set it: " + diagnose::set_command(mailbox_, {key + "=..."}));
    }

    bool reach(Protocol protocol) {
        protocol_ = protocol;
        able_ = {};
        begin();
        if (server().host.empty()) return missing(option("Server"));
        const auto able = diagnose::probe(protocol, mailbox_, wish_.timeout,
                                          [this](const Finding& found) { tell(found); });
        begin();
        if (!able) return false;
        able_ = *able;
        if (server().auth == config::Auth::kNone) return true;
        if (server().account.empty()) return missing(option("Account"));
        if (server().password.empty() && !mailbox_.takes_token(server()))
            return fail(Step::kOptions, Fault::kOptions, option("Password") + " is not set",
                        "Set it: " + diagnose::set_command(mailbox_, {option("Password=-")}));
        return true;
    }

    transport::SessionOptions limits(transport::SessionOptions options) const {
        // From DNS to the login it is several steps, and many servers are slow on purpose to refuse
        // a password.
        options.connect_timeout = kLoginSteps * wish_.timeout;
        options.reply_timeout = kLoginSteps * wish_.timeout;
        options.dot_timeout = std::max(kDotTimeout, wish_.timeout);
        return options;
    }

    // Why the plugin would not log in with these options.
    Fault refusal_of_options() const {
        const bool verified = server().ssl != config::Ssl::kNo && mailbox_.tls_verify;
        if (!verified && !mailbox_.allow_cleartext_password) return Fault::kUnverified;
        if (able_.login_disabled && able_.mechanisms.empty()) return Fault::kLoginDisabled;
        const auto offers = [&](const char* name) {
            return std::find(able_.mechanisms.begin(), able_.mechanisms.end(), name) !=
                   able_.mechanisms.end();
        };
        const bool token =
            mailbox_.takes_token(server()) && (offers("XOAUTH2") || offers("OAUTHBEARER"));
        return token ? Fault::kToken : Fault::kMechanism;
    }

    std::string who() const {
        if (server().auth == config::Auth::kNone) return "nobody: no authentication is asked for";
        const bool token =
            server().auth == config::Auth::kXOAuth2 || server().auth == config::Auth::kOAuthBearer;
        return "as " + server().account + (token ? ", with a token" : "");
    }

    // ---- SMTP
    // -------------------------------------------------------------------------------------
    static Fault fault_of(const PushReport& report) {
        switch (report.cause) {
            case PushCause::kReply:
                if (report.code / 100 == 4) return Fault::kTemporary;
                return report.step < PushStep::kAuth ? Fault::kTurnedAway : Fault::kLoginRefused;
            case PushCause::kTls:
                return Fault::kTls;
            case PushCause::kPlugin:
                return Fault::kPlugin;
            default:
                return Fault::kBrokeOff;
        }
    }

    static Fault fault_of_sending(const PushReport& report, const PushOutcome& outcome) {
        if (outcome.event == DeliveryEvent::kReplyLost) return Fault::kUncertain;
        if (report.cause != PushCause::kReply)
            return report.cause == PushCause::kConfig ? Fault::kMessage : fault_of(report);
        // (What servers say who want a login first.)
        if (report.code == 530) return Fault::kLoginRefused;
        if (report.code / 100 == 4) return Fault::kTemporary;
        if (report.step == PushStep::kMail) return Fault::kSender;
        return report.step == PushStep::kRcpt ? Fault::kRecipient : Fault::kMessage;
    }

    void sending() {
        if (!reach(Protocol::kSmtp)) return;
        auto session = plugin_.open(limits(agent::push_options(mailbox_, {}, tokens_)));
        if (!session) {
            fail(Step::kLogin, Fault::kPlugin, session.error().reason);
            return;
        }
        if (const auto report = session->log_in()) {
            const bool options =
                report->cause == PushCause::kConfig && report->step == PushStep::kAuth;
            fail(Step::kLogin, options ? refusal_of_options() : fault_of(*report), report->text);
            return;
        }
        tell(finding(Step::kLogin, who()));
        if (wish_.send && !send(*session)) return;
        works((wish_.send ? "a test mail was taken by " : "mails can be handed to ") +
              server().host);
    }

    bool send(transport::Session& session) {
        if (mailbox_.email_name.empty()) return missing("Email Name");
        const std::string mail = test_mail(mailbox_);
        transport::OutgoingMessage message;
        message.sender = mailbox_.sender_address();
        message.recipient = mailbox_.email_name;
        message.size = static_cast<std::int64_t>(mail.size());
        message.memory = mail;
        const PushReport report = session.push(message);
        const PushOutcome outcome = classify(report);
        if (outcome.event != DeliveryEvent::kAccepted)
            return fail(Step::kSend, fault_of_sending(report, outcome), report.text);
        tell(finding(Step::kSend, "to " + mailbox_.email_name + ": " + report.text));
        return true;
    }

    // ---- the account
    // ------------------------------------------------------------------------------
    Fault fault_of(const AccountFailure& failure) const {
        const std::string words = to_lower(failure.text);
        switch (failure.fault) {
            case AccountFault::kConfig:
                return refusal_of_options();
            case AccountFault::kLogin:
                return Fault::kLoginRefused;
            case AccountFault::kTurnedAway:
                return Fault::kTurnedAway;
            case AccountFault::kRefused:
                return Fault::kFolder;
            default:
                return words.starts_with("no ") || words.starts_with("-err") ? Fault::kTemporary
                                                                             : Fault::kBrokeOff;
        }
    }

    void fail_account(Step step, const AccountFailure& failure) {
        const Fault fault = fault_of(failure);
        // Who refuses a command has let us in.
        if (step == Step::kLogin && fault == Fault::kFolder) {
            tell(finding(Step::kLogin, who()));
            step = Step::kFolder;
        }
        fail(step, fault, failure.text);
    }

    void account() {
        const bool pop3 = config::transport_kind(misc_) == config::TransportKind::kPop3;
        protocol_ = pop3 ? Protocol::kPop3 : Protocol::kImap4;
        if (!agent::has_account(mailbox_, misc_)) {
            if (mailbox_.integration) return;  // it was noted
            begin();
            tell(finding(Step::kOptions, "read", option("Server") + " is not set"));
            return;
        }
        if (!reach(protocol_)) return;
        transport::SessionOptions options =
            limits(agent::session_options(mailbox_, misc_, {}, tokens_));
        options.smtp = {};
        auto account = transport::AccountSession::open(plugin_, options);
        if (!account) {
            fail(Step::kLogin, Fault::kPlugin, account.error().reason);
            return;
        }
        if (plugin_.can_visit() ? maildrop(*account) : folders(*account))
            works("the account at " + server().host + " can be used");
    }

    bool maildrop(transport::AccountSession& account) {
        const transport::DropNews news = account.visit({});
        if (news.failure) {
            fail_account(Step::kLogin, *news.failure);
            return false;
        }
        tell(finding(Step::kLogin, who()));
        tell(finding(Step::kFolder, "the maildrop can be opened",
                     "of POP3 only deletions at the phone travel"));
        return true;
    }

    bool folders(transport::AccountSession& account) {
        using transport::ScopeMode;
        const auto inbox = account.folders({ScopeMode::kInbox, "", true, false});
        if (!inbox) {
            fail_account(Step::kLogin, inbox.error());
            return false;
        }
        tell(finding(Step::kLogin, who()));
        const transport::AccountStats able = account.stats();
        if (mailbox_.sync_mode != config::SyncMode::kNone && !scope(account)) return false;
        const auto parked = account.park("INBOX");
        if (!parked) {
            fail_account(Step::kIdle, parked.error());
            return false;
        }
        if (parked->supported)
            tell(finding(Step::kIdle, "the server tells of changes as they happen"));
        else
            tell(finding(Step::kIdle, "not offered",
                         "the account is looked at every " +
                             std::to_string(misc_.sync_pending_timer_s) + " seconds instead"));
        synchronisation(able);
        return true;
    }

    // The folders that are kept in step, without making any.
    bool scope(transport::AccountSession& account) {
        using transport::ScopeMode;
        const bool all = mailbox_.sync_mode == config::SyncMode::kAllFolders;
        if (mailbox_.sync_mode == config::SyncMode::kInboxOnly) {
            tell(finding(Step::kFolder, "INBOX"));
            return true;
        }
        const auto home = account.folders({ScopeMode::kFolder, agent::kVmFolder, true, false});
        const auto listed =
            all && home ? account.folders({ScopeMode::kAll, "", true, false}) : home;
        if (!listed) {
            fail_account(Step::kFolder, listed.error());
            return false;
        }
        const std::size_t count = listed->size();
        std::string words = std::string("\"") + agent::kVmFolder + "\" is " +
                            (home->empty() ? "not there" : "there");
        if (all) words = std::to_string(count) + (count == 1 ? " folder; " : " folders; ") + words;
        tell(finding(Step::kFolder, words, home->empty() ? "the agent makes it" : ""));
        return true;
    }

    void synchronisation(const transport::AccountStats& able) {
        std::vector<std::string> has, lacks;
        const auto look = [&](bool there, const char* name, const char* cost) {
            if (there)
                has.emplace_back(name);
            else
                lacks.push_back(std::string("no ") + name + ": " + cost);
        };
        look(able.condstore, "CONDSTORE", "each look asks about every message of ours");
        look(able.qresync, "QRESYNC", "what is gone has to be asked for");
        look(able.move, "MOVE", "moving is copying and deleting");
        look(able.uidplus, "UIDPLUS", "what is deleted at the phone goes to the trash folder");
        tell(finding(Step::kSynchronisation, has.empty() ? "plain IMAP" : join(has, ", "),
                     join(lacks, "; ")));
    }

    const CheckWish& wish_;
    config::MailboxOptions mailbox_;
    config::MiscSetup misc_;
    transport::Plugin plugin_;
    agent::Tokens tokens_;
    const std::function<void(const CheckedStep&)>& tell_;
    Protocol protocol_ = Protocol::kSmtp;
    diagnose::Abilities able_;
    CheckSummary summary_;
    std::int64_t since_ = system_clock().steady_ms();
};

}  // namespace

Result<CheckSummary> check_mailbox(const Paths& paths, const CheckWish& wish,
                                   const std::function<void(const CheckedStep&)>& tell) {
    std::signal(SIGPIPE, SIG_IGN);
    VM_ASSIGN(config::MiscSetup misc, config::load_misc(paths));
    auto mailbox = config::load_mailbox(paths, wish.number);
    if (!mailbox && mailbox.error().kind == ErrorKind::kConfig) {
        const Error& error = mailbox.error();
        CheckedStep step;
        step.finding.fault = Fault::kOptions;
        step.finding.words = error.reason;
        step.advice = diagnose::Advice{
            error.kind, "The options cannot work: " + error.text() + ".",
            "Change them: vmconfig mailbox set " + wish.number + " \"OPTION=VALUE\""};
        tell(step);
        return CheckSummary{exit_status(error.kind), {}};
    }
    if (!mailbox) return vm::fail(std::move(mailbox).error());
    VM_ASSIGN(transport::Plugin plugin, transport::Plugin::load(misc.email_dll_path));
    return Check(wish, std::move(*mailbox), std::move(misc), std::move(plugin),
                 std::make_shared<oauth2::Keeper>(paths), tell)
        .run();
}

}  // namespace vm::app
