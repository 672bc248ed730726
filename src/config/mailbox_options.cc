#include "config/mailbox_options.h"

#include "base/files.h"
#include "base/text.h"
#include "config/oauth2_options.h"
#include "config/private_file.h"

#include <algorithm>

namespace vm::config {

namespace {

constexpr std::size_t kFileLimit = 1U << 20;

Rule ssl() {
    return one_of({"No", "Yes", "STARTTLS"});
}

// Mechanisms of a mail account, where None makes no sense.
Rule account_authentication() {
    return one_of({"Plain", "Login", "Cram-MD5", "XOAuth2", "OAuthBearer"});
}

Rule account() {
    return printable(320, "None or the account's name, mostly its e-mail address");
}

std::vector<Option> make_options() {
    constexpr Screen kBoth = Screen::kBoth, kPop3 = Screen::kPop3, kImap4 = Screen::kImap4;
    std::vector<Option> options{
        {"Email Integration", "No", one_of({"No", "Yes"}),
         "Whether this mailbox is integrated with e-mail; takes a seat."},
        {"Email Integration Send Mode", "Voice/Fax", one_of({"Voice/Fax", "Voice", "Fax"}),
         "Which messages are sent."},
        {"Email Integration Sync Mode", "All Folders",
         one_of({"All Folders", "Inbox Only", "VM Folder Only", "None"}),
         "Which folders of the account are synchronised.", kImap4},
        {"Email Name", "", mail_address(), "The address that receives the messages."},
        {"Smtp Server", "None", host(), "Where the mails are handed in."},
        {"Domain Name", "None", domain_name(),
         "The domain for EHLO, Message-ID and the sender voicemail@."},
        {"Smtp Port", "None", port(), "None: 25, with SSL = Yes 465, with STARTTLS 587."},
        {"Smtp SSL", "No", ssl(),
         "Yes: TLS from the start; STARTTLS: demanded; both verify the certificate."},
        {"Smtp Authentication", "None",
         one_of({"None", "Auto", "Plain", "Login", "Cram-MD5", "XOAuth2", "OAuthBearer"}),
         "How to log in; without OAuth2 Provider the last two take Smtp Password as the token."},
        {"Smtp Account", "None", account(), "The account to log in with."},
        {"Smtp Password", "", password(), "Its password.", kBoth, true},
        {"Pop3 Server", "None", host(), "The account's POP3 server.", kPop3},
        {"Pop3 Port", "None", port(), "None: 110, with SSL = Yes 995.", kPop3},
        {"Pop3 SSL", "No", ssl(), "As Smtp SSL.", kPop3},
        {"Pop3 Account", "None", account(), "The account to log in with.", kPop3},
        {"Pop3 Password", "", password(), "Its password.", kPop3, true},
        {"Imap4 Server", "None", host(), "The account's IMAP server.", kImap4},
        {"Imap4 Port", "None", port(), "None: 143, with SSL = Yes 993.", kImap4},
        {"Imap4 SSL", "No", ssl(), "As Smtp SSL.", kImap4},
        {"Imap4 Account", "None", account(), "The account to log in with.", kImap4},
        {"Imap4 Password", "", password(), "Its password.", kImap4, true},
        {"Imap4 Authentication", "Plain", account_authentication(), "How to log in.", kImap4},
        {"Imap4 Search Mode", "Header", one_of({"Header", "Text"}),
         "How a mail is found again: by its header or by the token in its text.", kImap4},
    };
    const auto extension = [&](std::string name, std::string default_text, Rule rule,
                               std::string description, Screen screen = Screen::kBoth) {
        options.push_back({std::move(name), std::move(default_text), std::move(rule),
                           std::move(description), screen, false, true});
    };
    extension("TLS CA File", "None",
              printable(1024,
                        "None (the system's store) or a readable file; a relative path is "
                        "taken from the root"),
              "PEM certificates the servers' certificates are checked against.");
    extension("TLS Verify", "Yes", one_of({"Yes", "No"}),
              "No: any certificate is taken, and no password is sent without permission.");
    extension("Allow Cleartext Password", "No", one_of({"No", "Yes"}),
              "Yes: a password may cross a plain or unverified connection.");
    extension("Network Timeout", "300", whole_number(1, 3600, "seconds"),
              "Longest wait for one reply of a server.");
    extension("Imap4 Delete Mode", "Expunge", one_of({"Expunge", "Trash"}),
              "What a deletion at the phone does to the mail.", kImap4);
    extension("Voice Format", "wav", one_of({"wav", "mp3"}), "Form of attached voice messages.");
    extension("Fax Format", "pdf", one_of({"pdf", "tiff", "both"}), "Form of attached faxes.");
    extension("Outlook Forms", "No", one_of({"No", "Yes"}),
              "Yes: the mail carries the headers of Outlook's voice and fax forms.");
    extension("Time Zone", "None", time_zone(), "Zone of the times in the mail's text.");
    extension("Language", "en", language_tag(), "Language of the mail's text.");
    extension("Transcript", "No", one_of({"No", "Yes"}),
              "Yes: the mail says what is said in a voice message, by g_szTranscriptCommand.");
    extension("Deleted Retention Days", "14", whole_number(0, 3650, "days"),
              "Days a deleted message can be restored.");
    extension("Pop3 Authentication", "Plain", account_authentication(), "How to log in.", kPop3);
    add_oauth2_options(options);
    return options;
}

}  // namespace

const std::vector<Option>& mailbox_options() {
    static const std::vector<Option> options = make_options();
    return options;
}

std::vector<const Option*> screen_options(TransportKind kind) {
    std::vector<const Option*> shown;
    for (const Option& option : mailbox_options()) {
        const bool other_screen =
            (option.screen == Screen::kImap4 && kind == TransportKind::kPop3) ||
            (option.screen == Screen::kPop3 && kind == TransportKind::kImap4);
        if (!other_screen) shown.push_back(&option);
    }
    return shown;
}

Result<IniDocument> read_mailbox_file(const Paths& paths, const std::string& number) {
    if (!is_mailbox_number(number))
        return fail(ErrorKind::kUsage, "mailbox", number, "a mailbox number has 1 to 8 digits");
    auto text = read_file(paths.mailbox_ini(number), kFileLimit);
    if (!text && text.error().kind == ErrorKind::kNoInput)
        return fail(ErrorKind::kNoInput, "mailbox", number, "there is no such mailbox",
                    "vmconfig mailbox create " + number);
    if (!text) return fail(std::move(text).error());
    return IniDocument::parse(*text, paths.mailbox_ini(number).string());
}

Result<IniDocument> read_mailbox(const Paths& paths, const std::string& number) {
    VM_ASSIGN(IniDocument document, read_mailbox_file(paths, number));
    const auto holds_password = [&](const Option& option) {
        const IniEntry* entry = document.find(kEmailSection, option.name);
        return option.secret && entry != nullptr && !is_unset(option, entry->value);
    };
    if (std::any_of(mailbox_options().begin(), mailbox_options().end(), holds_password))
        VM_TRY(check_private(paths.mailbox_ini(number), "a password"));
    return document;
}

std::string mailbox_sample() {
    std::string text =
        "; Mailbox Options; vm-mailbox.ini(5). Edit by hand or with vmconfig(8).\n"
        "; None or nothing: not set. With a password in it this file must have mode 0600.\n"
        "[Email]\n";
    bool extensions = false;
    for (const Option& option : mailbox_options()) {
        if (option.extension && !extensions) text += "\n; Extensions: not on the unit's screen.\n";
        extensions = option.extension;
        text += "\n; " + option.description + "\n; Allowed: " + option.rule.allowed + "\n";
        text += option.name + " =" +
                (option.default_text.empty() ? "" : " " + option.default_text) + "\n";
    }
    return text;
}

}  // namespace vm::config
