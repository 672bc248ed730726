// What is said of each finding: the sentence, the command, and the exit status.
#include "diagnose/advice.h"

#include <cppunit/extensions/HelperMacros.h>

using namespace vm;
using namespace vm::diagnose;

namespace {

struct Case {
    const char* name;
    Finding found;
    ErrorKind kind;
    const char *wrong, *change;  // parts
};

config::MailboxOptions options() {
    config::MailboxOptions out;
    out.number = "101";
    out.email_name = "ann@example.com";
    for (config::Server* server : {&out.smtp, &out.imap4, &out.pop3}) {
        server->ssl = config::Ssl::kYes;
        server->auth = config::Auth::kPlain;
        server->account = "ann";
    }
    out.smtp.host = "smtp.example.com";
    out.smtp.port = 465;
    out.imap4.host = "imap.example.com";
    out.imap4.port = 993;
    out.pop3.host = "pop.example.com";
    out.pop3.port = 995;
    return out;
}

Finding of(Fault fault, Step step, std::string words = "", Protocol protocol = Protocol::kSmtp) {
    Finding out;
    out.protocol = protocol;
    out.step = step;
    out.fault = fault;
    out.words = std::move(words);
    return out;
}

Finding refused(const std::string& words, Protocol protocol = Protocol::kSmtp) {
    return of(Fault::kLoginRefused, Step::kLogin, words, protocol);
}

template <class Change>
Finding with(Finding found, Change change) {
    change(found);
    return found;
}

}  // namespace

class AdviceTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(AdviceTest);
    CPPUNIT_TEST(names_and_ports);
    CPPUNIT_TEST(greetings_and_tls);
    CPPUNIT_TEST(certificates);
    CPPUNIT_TEST(ways_to_log_in);
    CPPUNIT_TEST(refused_by_words);
    CPPUNIT_TEST(refused_by_provider);
    CPPUNIT_TEST(tokens);
    CPPUNIT_TEST(sending);
    CPPUNIT_TEST(every_fault_has_words);
    CPPUNIT_TEST_SUITE_END();

    static void has(const char* name, const std::string& text, const std::string& part) {
        CPPUNIT_ASSERT_MESSAGE(std::string(name) + ": " + part + " is not in: " + text,
                               text.find(part) != std::string::npos);
    }
    static void hold(const Case& one, const config::MailboxOptions& mailbox) {
        const Advice advice = advise(one.found, mailbox);
        has(one.name, advice.wrong, one.wrong);
        has(one.name, advice.change, one.change);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(one.name, std::string(to_string(one.kind)),
                                     std::string(to_string(advice.kind)));
    }

    void names_and_ports() {
        const Finding closed = of(Fault::kRefused, Step::kTcp, "port 465 at 192.0.2.1: refused");
        const Case cases[] = {
            {"no such name", of(Fault::kNoSuchName, Step::kDns), ErrorKind::kConfig,
             "no server called smtp.example.com", "mailbox set 101 \"Smtp Server=NAME\""},
            {"no name server", of(Fault::kNoNameServer, Step::kDns, "no answer in time"),
             ErrorKind::kRetryLater, "Nobody could say", "name servers"},
            {"refused", closed, ErrorKind::kUnavailable,
             "Nothing listens at port 465 of smtp.example.com", "Check Smtp Server"},
            {"another port",
             with(closed,
                  [](Finding& f) {
                      f.open_ports = {587, 25};
                  }),
             ErrorKind::kConfig, "not answer at port 465, but at 587, 25",
             "vmconfig mailbox set 101 \"Smtp Port=None\" \"Smtp SSL=STARTTLS\""},
            {"port 25 alone", with(closed, [](Finding& f) { f.open_ports = {25}; }),
             ErrorKind::kConfig, "but at 25", "vmconfig mailbox set 101 \"Smtp Port=25\""},
            {"another port, IMAP",
             with(of(Fault::kTimeout, Step::kTcp, "", Protocol::kImap4),
                  [](Finding& f) { f.open_ports = {993}; }),
             ErrorKind::kConfig, "but at 993", "\"Imap4 Port=None\" \"Imap4 SSL=Yes\""},
            {"time-out", of(Fault::kTimeout, Step::kTcp), ErrorKind::kUnavailable,
             "cannot be reached", "port 587 or 465"},
        };
        for (const Case& one : cases) hold(one, options());
    }

    void greetings_and_tls() {
        const Finding plain = of(Fault::kPlainAtTls, Step::kTls, "wrong version number");
        const Finding other = of(Fault::kOtherProtocol, Step::kGreeting, "+OK", Protocol::kImap4);
        const Finding none = of(Fault::kNoStartTls, Step::kTls);
        const Case cases[] = {
            {"TLS to a plain port", with(plain, [](Finding& f) { f.starttls = true; }),
             ErrorKind::kConfig, "does not speak TLS from the first byte at port 465",
             "vmconfig mailbox set 101 \"Smtp SSL=STARTTLS\""},
            {"no TLS at all there", plain, ErrorKind::kConfig, "nor does it offer STARTTLS",
             "\"Smtp Port=None\" \"Smtp SSL=Yes\""},
            {"plain to a TLS port", of(Fault::kTlsAtPlain, Step::kGreeting), ErrorKind::kConfig,
             "speaks TLS from the first byte", "vmconfig mailbox set 101 \"Smtp SSL=Yes\""},
            {"silent", of(Fault::kSilent, Step::kGreeting), ErrorKind::kUnavailable, "says nothing",
             "Smtp Port is one of SMTP"},
            {"POP3 on the IMAP port", with(other, [](Finding& f) { f.speaks = Protocol::kPop3; }),
             ErrorKind::kConfig, "speaks POP3, not IMAP", "\"Imap4 Port=None\""},
            {"no mail server", other, ErrorKind::kConfig, "is no mail server",
             "\"Imap4 Port=None\""},
            {"turned away", of(Fault::kTurnedAway, Step::kGreeting, "421 too many connections"),
             ErrorKind::kRetryLater, "421 too many connections", "try again later"},
            {"STARTTLS not offered", none, ErrorKind::kConfig, "offers no STARTTLS",
             "readable for everybody"},
            {"STARTTLS not offered, TLS elsewhere",
             with(none,
                  [](Finding& f) {
                      f.open_ports = {25, 465};
                  }),
             ErrorKind::kConfig, "but answers at 465", "\"Smtp Port=None\" \"Smtp SSL=Yes\""},
            {"handshake", of(Fault::kTls, Step::kTls, "unsupported protocol"),
             ErrorKind::kUnavailable, "unsupported protocol", "TLS 1.2"},
        };
        for (const Case& one : cases) hold(one, options());
    }

    void certificates() {
        const auto about = [](Fault fault) {
            return with(of(fault, Step::kTls), [](Finding& f) {
                f.certificate = Certificate{{"*.example.net", "mx.example.net"}, "R3", 0, 0};
                f.certificate->from = *parse_rfc3339("2026-01-02T00:00:00Z");
                f.certificate->till = *parse_rfc3339("2026-04-02T00:00:00Z");
            });
        };
        const Case cases[] = {
            {"expired", about(Fault::kExpired), ErrorKind::kUnavailable, "ended on 2026-04-02",
             "has to renew it"},
            {"not yet", about(Fault::kNotYetValid), ErrorKind::kUnavailable,
             "not valid before 2026-01-02", "clock"},
            {"other name", about(Fault::kOtherName), ErrorKind::kConfig,
             "is for *.example.net, mx.example.net", "\"Smtp Server=mx.example.net\""},
            {"self-signed", about(Fault::kSelfSigned), ErrorKind::kConfig, "nobody but itself",
             "\"TLS CA File="},
            {"unknown CA", about(Fault::kUnknownCa), ErrorKind::kConfig,
             "\"R3\", whom this machine", "\"TLS CA File="},
        };
        for (const Case& one : cases) hold(one, options());
        // What a stranger's certificate says gets into no command.
        Finding hostile = about(Fault::kOtherName);
        hostile.certificate->names = {"$(reboot)", "-x.example", "a b", "\"", "*.example.net"};
        hold({"hostile names", hostile, ErrorKind::kConfig, "is for $(reboot)",
              "\"Smtp Server=NAME\""},
             options());
        hostile.certificate->names = std::vector<std::string>(5000, "a.example");
        const std::string wrong = advise(hostile, options()).wrong;
        CPPUNIT_ASSERT_MESSAGE(wrong, wrong.ends_with(" and 4992 more.") && wrong.size() < 300);
        config::MailboxOptions with_file = options();
        with_file.tls_ca_file = "/etc/ours.pem";
        hold({"not by that CA", about(Fault::kUnknownCa), ErrorKind::kConfig,
              "whom /etc/ours.pem does not lead to", "TLS CA File"},
             with_file);
    }

    void ways_to_log_in() {
        const Finding imap = of(Fault::kMechanism, Step::kLogin, "", Protocol::kImap4);
        const Finding closed = of(Fault::kLoginDisabled, Step::kLogin, "", Protocol::kImap4);
        const Finding open = of(Fault::kUnverified, Step::kLogin, "", Protocol::kImap4);
        const Case cases[] = {
            {"other mechanism", with(imap, [](Finding& f) { f.mechanisms = {"CRAM-MD5"}; }),
             ErrorKind::kConfig, "it offers CRAM-MD5", "\"Imap4 Authentication=Cram-MD5\""},
            {"tokens only", with(imap, [](Finding& f) { f.mechanisms = {"XOAUTH2"}; }),
             ErrorKind::kConfig, "takes no passwords", "vmconfig mailbox authorize 101"},
            {"none of ours", with(imap, [](Finding& f) { f.mechanisms = {"GSSAPI"}; }),
             ErrorKind::kConfig, "it offers GSSAPI", "ask the provider"},
            {"none", of(Fault::kMechanism, Step::kLogin), ErrorKind::kConfig,
             "offers no way to log in at port 465", "\"Smtp Authentication=None\""},
            {"LOGINDISABLED", with(closed, [](Finding& f) { f.starttls = true; }),
             ErrorKind::kConfig, "LOGINDISABLED", "\"Imap4 SSL=STARTTLS\""},
        };
        for (const Case& one : cases) hold(one, options());
        config::MailboxOptions no_tls = options();
        no_tls.imap4.ssl = config::Ssl::kNo;
        hold({"password held back", with(open, [](Finding& f) { f.starttls = true; }),
              ErrorKind::kConfig, "as with Imap4 SSL = No", "\"Imap4 SSL=STARTTLS\""},
             no_tls);
        config::MailboxOptions unverified = options();
        unverified.tls_verify = false;
        hold({"not verified", open, ErrorKind::kConfig, "as with TLS Verify = No",
              "\"TLS Verify=Yes\""},
             unverified);
    }

    void refused_by_words() {
        const Protocol imap = Protocol::kImap4, pop3 = Protocol::kPop3;
        const Case cases[] = {
            {"password", refused("535 5.7.8 authentication failed"), ErrorKind::kAccount,
             "refused Smtp Account ann or its password",
             "\"Smtp Account=ACCOUNT\" \"Smtp Password=-\""},
            {"Google, app password",
             refused("534 5.7.9 Application-specific password required. For more information go to "
                     "https://support.google.com/mail/?p=InvalidSecondFactor - gsmtp"),
             ErrorKind::kAccount, "Google does not take the account's own password",
             "authorize 101 --provider google"},
            {"Google, IMAP",
             refused("NO [ALERT] Application-specific password required: "
                     "https://support.google.com/accounts/answer/185833 (Failure)",
                     imap),
             ErrorKind::kAccount, "own password", "Imap4 Password=-"},
            {"Microsoft, basic",
             refused("535 5.7.139 Authentication unsuccessful, basic authentication is disabled. "
                     "[AM0PR01CA0001.eurprd01.prod.exchangelabs.com]"),
             ErrorKind::kAccount, "Microsoft takes no passwords",
             "vmconfig mailbox authorize 101 --provider microsoft"},
            {"Microsoft, SMTP AUTH",
             refused("535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is "
                     "disabled for the Tenant. Visit https://aka.ms/smtp_auth_disabled"),
             ErrorKind::kAccount, "switched off sending by programs", "switched on"},
            {"no IMAP", refused("NO IMAP access is disabled for your account", imap),
             ErrorKind::kAccount, "IMAP is switched off for this account", "libsmtppop3.so"},
            {"no IMAP, Google",
             refused("NO [ALERT] Your account is not enabled for IMAP use.", imap),
             ErrorKind::kAccount, "IMAP is switched off", "settings"},
            {"no POP3", refused("-ERR [AUTH] Your account is not enabled for POP access.", pop3),
             ErrorKind::kAccount, "POP3 is switched off", "settings"},
            {"by browser",
             refused("534-5.7.14 <https://accounts.google.com/...> Please log in via your web "
                     "browser and then try again."),
             ErrorKind::kAccount, "by a browser first", "Log in to the account there"},
            {"TLS first", refused("530 5.7.0 Must issue a STARTTLS command first"),
             ErrorKind::kConfig, "wants TLS before a login", "\"Smtp SSL=STARTTLS\""},
            {"expired", refused("NO [EXPIRED] Password expired", imap), ErrorKind::kAccount,
             "has expired", "Imap4 Password=-"},
            {"forbidden", refused("NO [AUTHORIZATIONFAILED] no", imap), ErrorKind::kAccount,
             "may not be used", "administrator"},
            {"later", refused("NO [UNAVAILABLE] backend", imap), ErrorKind::kRetryLater, "just now",
             "Try again later"},
            {"later, by code", of(Fault::kTemporary, Step::kLogin, "454 4.7.0 no"),
             ErrorKind::kRetryLater, "just now", "Try again later"},
        };
        for (const Case& one : cases) hold(one, options());
    }

    void refused_by_provider() {
        const auto at = [](const char* host) {
            config::MailboxOptions out = options();
            out.smtp.host = host;
            return out;
        };
        const Finding found = refused("535 5.7.8 Username and Password not accepted.");
        const auto account = ErrorKind::kAccount;
        hold({"Google", found, account, "Google does not take", "app password"},
             at("smtp.gmail.com"));
        hold({"Microsoft", found, account, "Microsoft takes no", "--provider microsoft"},
             at("SMTP.Office365.com"));
        hold({"Apple", found, account, "Apple does not take", "app password"},
             at("smtp.mail.me.com"));
        // Who only looks like one is none.
        hold({"another", found, account, "refused Smtp Account", "Check both"},
             at("smtp.notgmail.com"));
    }

    void tokens() {
        config::MailboxOptions mailbox = options();
        mailbox.smtp.auth = config::Auth::kXOAuth2;
        hold({"pasted token", refused("535 the token"), ErrorKind::kAccount,
              "token that is set as Smtp Password", "authorize 101 --provider NAME"},
             mailbox);
        mailbox.oauth2.provider = config::OAuth2Provider::kGoogle;
        hold({"refused", refused("535 the server refused the token"), ErrorKind::kAccount,
              "refused the token of ann", "vmconfig mailbox authorize 101"},
             mailbox);
        hold({"none", of(Fault::kToken, Step::kLogin, "nobody has granted it"), ErrorKind::kAccount,
              "There is no token to log in with (nobody has granted it)",
              "vmconfig mailbox authorize 101"},
             mailbox);
        CPPUNIT_ASSERT_EQUAL(std::string("vmconfig mailbox authorize 101"),
                             authorize_command(mailbox, "google"));
    }

    void sending() {
        const Case cases[] = {
            {"sender", of(Fault::kSender, Step::kSend, "553 not yours"), ErrorKind::kConfig,
             "takes no mail from", "\"Smtp Account=ADDRESS\""},
            {"recipient", of(Fault::kRecipient, Step::kSend, "550 unknown"), ErrorKind::kConfig,
             "takes no mail for ann@example.com", "\"Email Name=ADDRESS\""},
            {"message", of(Fault::kMessage, Step::kSend, "554 spam"), ErrorKind::kUnavailable,
             "554 spam", "words"},
            {"uncertain", of(Fault::kUncertain, Step::kSend), ErrorKind::kUncertain,
             "the answer never came", "arrived"},
            {"later", of(Fault::kTemporary, Step::kSend, "452 full"), ErrorKind::kRetryLater,
             "452 full", "later"},
        };
        for (const Case& one : cases) hold(one, options());
        config::MailboxOptions open = options();
        open.smtp.auth = config::Auth::kNone;
        hold({"relay", of(Fault::kRecipient, Step::kSend, "554 relay access denied"),
              ErrorKind::kConfig, "takes no mail for", "\"Smtp Authentication=Auto\""},
             open);
    }

    // Sentences: with an end, and never a wrong status.
    void every_fault_has_words() {
        for (int fault = 1; fault <= static_cast<int>(Fault::kPlugin); ++fault)
            for (const Protocol protocol : {Protocol::kSmtp, Protocol::kImap4, Protocol::kPop3}) {
                Finding found = of(static_cast<Fault>(fault), Step::kLogin, "words", protocol);
                found.note = "a hint";
                const Advice advice = advise(found, options());
                CPPUNIT_ASSERT_MESSAGE(std::to_string(fault), advice.wrong.ends_with('.'));
                CPPUNIT_ASSERT_MESSAGE(std::to_string(fault), !advice.change.empty());
                CPPUNIT_ASSERT(exit_status(advice.kind) >= 69);
            }
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(AdviceTest);
