#include "imap_script.h"

namespace vm::testing {

namespace {

using Answer = ImapScript::Answer;

const std::vector<Answer>& usual_answers() {
    static const std::vector<Answer> kAnswers = {
        {"AUTHENTICATE", "@ OK in\r\n"},
        {"LOGIN", "@ OK in\r\n"},
        {"ENABLE", "* ENABLED QRESYNC\r\n"},
        {"NAMESPACE", "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n"},
        {"LIST \"\" \"\"", "* LIST (\\Noselect) \"/\" \"\"\r\n"},
        {"LIST \"\" \"*\"",
         "* LIST () \"/\" INBOX\r\n"
         "* STATUS INBOX (MESSAGES 4 UIDNEXT 5 UIDVALIDITY 7 HIGHESTMODSEQ 9)\r\n"},
        {"STATUS \"INBOX\"",
         "* STATUS INBOX (MESSAGES 4 UIDNEXT 5 UIDVALIDITY 7 HIGHESTMODSEQ 9)\r\n"},
        {"SELECT",
         "* 4 EXISTS\r\n* 0 RECENT\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 5] x\r\n"
         "* OK [HIGHESTMODSEQ 9] x\r\n@ OK [READ-WRITE] done\r\n"},
        {"EXAMINE", "* 4 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n@ OK [READ-ONLY] done\r\n"},
        {"UID SEARCH", "* SEARCH\r\n"},
        {"IDLE", "+ idling\r\n"},
        {"LOGOUT", "* BYE\r\n"},
        {"", ""},
    };
    return kAnswers;
}

std::string with_tag(std::string text, const std::string& tag) {
    const bool tagged = text.starts_with("@ ") || text.find("\n@ ") != std::string::npos;
    if (!tagged && !text.starts_with("+") && text.find("\n+") == std::string::npos)
        text += "@ OK done\r\n";
    for (std::size_t at = 0; at < text.size(); ++at)
        if (text[at] == '@' && (at == 0 || text[at - 1] == '\n')) text.replace(at, 1, tag);
    return text;
}

}  // namespace

ImapScript ImapScript::without(const std::string& name) const {
    ImapScript out = *this;
    std::string padded = " " + out.capability_inside + " ";
    padded.replace(padded.find(" " + name + " "), name.size() + 2, " ");
    out.capability_inside = padded.substr(1, padded.size() - 2);
    return out;
}

void ImapScript::operator()(Peer& peer) const {
    std::vector<Answer> mine = answers;
    mine.insert(mine.end(), usual_answers().begin(), usual_answers().end());
    bool inside = false;
    std::string idle_tag;
    peer.say(greeting);
    for (;;) {
        const std::string line = peer.read_line();
        if (line == "DONE") {
            peer.say(idle_tag + " OK idle done\r\n");
            continue;
        }
        const auto blank = line.find(' ');
        const std::string tag = line.substr(0, blank);
        const std::string command = blank == std::string::npos ? "" : line.substr(blank + 1);
        if (instead && instead(peer, tag, command)) continue;
        if (command == "CAPABILITY") {
            peer.say("* CAPABILITY " + (inside ? capability_inside : capability) + "\r\n" + tag +
                     " OK done\r\n");
            continue;
        }
        if (command == "STARTTLS") {
            peer.say(tag + " OK go\r\n");
            peer.start_tls(tls);
            continue;
        }
        if (command == "IDLE") idle_tag = tag;
        for (Answer& answer : mine) {
            if (answer.times == 0 || !command.starts_with(answer.first)) continue;
            --answer.times;
            if (command.starts_with("AUTHENTICATE") || command.starts_with("LOGIN")) inside = true;
            peer.say(with_tag(answer.text, tag));
            break;
        }
    }
}

}  // namespace vm::testing
