#include "app/check_mail.h"

#include "base/clock.h"
#include "base/ids.h"

#include <array>
#include <ctime>

namespace vm::app {

namespace {

std::string date_now() {
    const auto now = static_cast<std::time_t>(system_clock().now() / 1000);
    std::tm parts{};
    ::gmtime_r(&now, &parts);
    std::array<char, 64> out{};
    // (The programs stay in the C locale: the names are English.)
    const std::size_t size =
        std::strftime(out.data(), out.size(), "%a, %d %b %Y %H:%M:%S +0000", &parts);
    return {out.data(), size};
}

}  // namespace

std::string test_mail(const config::MailboxOptions& mailbox) {
    const std::string sender = mailbox.sender_address();
    return "Date: " + date_now() +
           "\r\n"
           "From: <" +
           sender +
           ">\r\n"
           "To: <" +
           mailbox.email_name +
           ">\r\n"
           "Message-ID: <check-" +
           new_id() + "@" + mailbox.message_id_domain() +
           ">\r\n"
           "Subject: Test of voice mailbox " +
           mailbox.number +
           "\r\n"
           "Auto-Submitted: auto-generated\r\n"  // RFC 3834: nobody answers it
           "MIME-Version: 1.0\r\n"
           "Content-Type: text/plain; charset=us-ascii\r\n"
           "\r\n"
           "This is a test. The voice-mail unit can send mails to this address:\r\n"
           "the messages of mailbox " +
           mailbox.number +
           " will arrive here.\r\n"
           "\r\n"
           "It can be deleted; it is no message of the unit.\r\n";
}

}  // namespace vm::app
