// What is said of one finding is put together from these; for the files of advice.h alone.
#ifndef VM_DIAGNOSE_ADVICE_WORDS_H
#define VM_DIAGNOSE_ADVICE_WORDS_H

#include "base/text.h"
#include "diagnose/advice.h"
#include "diagnose/certificate.h"
#include "diagnose/probe.h"

#include <initializer_list>

#include <algorithm>
#include <string>
#include <vector>

namespace vm::diagnose {

class Words {
  public:
    Words(const Finding& found, const config::MailboxOptions& mailbox)
        : found_(found),
          mailbox_(mailbox),
          server_(server_of(mailbox, found.protocol)),
          prefix_(prefix_of(found.protocol)) {}

    std::string host() const { return server_.host; }
    std::string port() const { return "port " + std::to_string(server_.port); }
    std::string option(const char* name) const { return prefix_ + " " + name; }
    std::string value(const char* name, const std::string& value) const {
        return option(name) + "=" + value;
    }
    std::string set(std::initializer_list<std::string> settings) const {
        return set_command(mailbox_, settings);
    }
    std::string said() const { return found_.words.empty() ? "" : " (" + found_.words + ")"; }
    bool smtp() const { return found_.protocol == Protocol::kSmtp; }
    std::string starttls() const {
        return found_.protocol == Protocol::kPop3 ? "STARTTLS (STLS)" : "STARTTLS";
    }

    // How servers of this protocol are to be spoken to at a usual port.
    std::string at_port(std::uint16_t port) const {
        const bool tls = port == 465 || port == 993 || port == 995;
        if (port == 25) return set({value("Port", "25")});
        return set({value("Port", "None"), value("SSL", tls ? "Yes" : "STARTTLS")});
    }
    // The other port to take, of those that answer.
    std::string another_port() const {
        if (found_.open_ports.empty()) return {};
        return at_port(found_.open_ports.front());
    }
    std::string open_ports() const {
        std::vector<std::string> out;
        for (const std::uint16_t port : found_.open_ports) out.push_back(std::to_string(port));
        return join(out, ", ");
    }
    std::string names() const {
        return found_.certificate && !found_.certificate->names.empty()
                   ? names_in(*found_.certificate)
                   : "nobody";
    }
    // The first name of the certificate that a server can be set to. It is the server's word, and
    // gets into a command: nothing that a shell would make something of is a name.
    std::string usable_name() const {
        if (!found_.certificate) return {};
        for (const std::string& name : found_.certificate->names) {
            const bool host = std::all_of(name.begin(), name.end(), [](char c) {
                return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '.' || c == '-';
            });
            if (host && !name.starts_with('-')) return name;
        }
        return {};
    }
    std::string day(TimeMs time) const { return format_rfc3339(time).substr(0, 10); }

    const Finding& found() const { return found_; }
    const config::MailboxOptions& mailbox() const { return mailbox_; }
    const config::Server& server() const { return server_; }

  private:
    const Finding& found_;
    const config::MailboxOptions& mailbox_;
    const config::Server& server_;
    std::string prefix_;
};

// By the part of the way that failed.
Advice of_name(const Words& words);
Advice of_connection(const Words& words);
Advice of_greeting(const Words& words);
Advice of_tls(const Words& words);
Advice of_certificate(const Words& words);
Advice of_password(const Words& words);
Advice of_mechanism(const Words& words);
Advice of_login(const Words& words);

}  // namespace vm::diagnose

#endif
