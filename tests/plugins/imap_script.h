// What an IMAP server usually says; tests replace single answers.
#ifndef VM_TESTS_PLUGINS_IMAP_SCRIPT_H
#define VM_TESTS_PLUGINS_IMAP_SCRIPT_H

#include "scripted_server.h"

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace vm::testing {

struct ImapScript {
    std::string greeting = "* OK heaven.af.mil ready\r\n";
    std::string capability = "IMAP4rev1 SASL-IR AUTH=PLAIN";  // before the login
    std::string capability_inside =
        "IMAP4rev1 ENABLE CONDSTORE QRESYNC UIDPLUS MOVE IDLE LIST-EXTENDED LIST-STATUS NAMESPACE "
        "SPECIAL-USE UNSELECT ID";
    // The answer to the first commands that begin with `first`; '@' is the tag. Without a tagged
    // line "@ OK done" is added. Each is used `times`, then the next of its kind.
    struct Answer {
        std::string first;
        std::string text;
        int times = 1 << 30;
    };
    std::vector<Answer> answers;
    ServerTls tls;  // for STARTTLS
    // Called for each command instead of all that; true: it has answered. May be empty.
    std::function<bool(Peer&, const std::string& tag, const std::string& command)> instead;

    void operator()(Peer& peer) const;

    // Without one of the capabilities inside.
    ImapScript without(const std::string& name) const;
    ImapScript& answer(const std::string& first, const std::string& text, int times = 1 << 30) {
        answers.push_back({first, text, times});
        return *this;
    }
};

}  // namespace vm::testing

#endif
