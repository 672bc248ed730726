// The account half of a plugin at its border: a session whose server is the input, and sinks that
// hold what the plugin tells to vm_transport.h.
#ifndef VM_TESTS_FUZZ_ACCOUNT_CHECKS_H
#define VM_TESTS_FUZZ_ACCOUNT_CHECKS_H

#include "common/account_session.h"
#include "common/identity.h"
#include "common/session.h"
#include "common/text.h"
#include "fuzz.h"
#include "hostile_server.h"

#include <memory>
#include <string>
#include <string_view>

namespace vm::fuzz {

inline constexpr const char* kId = "01J9ZK3V5TA8Q4W8M8Z9N1B2C3";
inline constexpr const char* kOtherId = "01J9ZK3V5TA8Q4W8M8Z9N1B2C4";
inline constexpr const char* kMessageId = "01J9ZK3V5TA8Q4W8M8Z9N1B2C3@sun.af.mil";

// A text field of the ABI: ended, one line, without secrets.
template <std::size_t size>
std::string_view checked_text(const char (&field)[size]) {
    const std::string_view all(field, size);
    FUZZ_REQUIRE(all.find('\0') != std::string_view::npos);
    const std::string_view text = all.substr(0, all.find('\0'));
    FUZZ_REQUIRE(!plug::has_control(text));
    FUZZ_REQUIRE(text.find(kPassword) == std::string_view::npos);
    return text;
}

inline void check_message_id(const char* message_id) {
    const std::string_view text(message_id);
    FUZZ_REQUIRE(text.size() <= 998 && plug::is_ascii(text) && !plug::has_control(text));
}

inline void check_id(const char* id) {
    FUZZ_REQUIRE(*id == '\0' || plug::plausible_id(id));
}

// `status` as an account function gave it with `report`.
inline void check_report(int status, const vm_account_report& report) {
    FUZZ_REQUIRE(status == VM_OK || status == VM_FAILED || status == VM_NOT_SUPPORTED);
    FUZZ_REQUIRE(report.struct_size == sizeof report);
    FUZZ_REQUIRE(report.step <= VM_STEP_AUTH || report.step == VM_STEP_ACCOUNT);
    FUZZ_REQUIRE(report.cause <= VM_CAUSE_CANCELLED);
    FUZZ_REQUIRE(report.connected <= 1 && report.features < 2 * VM_FEATURE_UIDPLUS);
    FUZZ_REQUIRE((status == VM_OK) == checked_text(report.text).empty());
}

// Whether the server has said the id of a message of ours (a quoted string may have backslashes).
inline bool shows_message(std::string said) {
    std::erase(said, '\\');
    return said.find(kId) != std::string::npos || said.find(kOtherId) != std::string::npos;
}

inline vm_account_report empty_report() {
    vm_account_report out{};
    out.struct_size = sizeof out;
    return out;
}

// A session with the account half that `make` makes, and no SMTP server.
inline std::unique_ptr<vm_session> open_session(plug::AccountFactory make,
                                                plug::AccountOptions options) {
    plug::Redactor secrets;
    secrets.add(options.password);
    return std::unique_ptr<vm_session>(new vm_session{
        {{}, plug::Host(HostileServer::host(), nullptr, {})},
        make(std::move(options), plug::Host(HostileServer::host(), nullptr, std::move(secrets)))});
}

}  // namespace vm::fuzz

#endif
