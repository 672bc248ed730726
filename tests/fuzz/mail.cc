// A fetched mail, as vmreadmail reads it: whole, and as one that was cut there; then for the ear.
// The same bytes as the HTML and as the text of a mail.
#include "mail_checks.h"
#include "mime/compose.h"
#include "mime/ear_text.h"
#include "mime/html_text.h"
#include "mime/template.h"

#include <string>
#include <vector>

namespace {

using namespace vm::fuzz;
namespace mime = vm::mime;

constexpr std::size_t kHtmlLimit = 1000, kEarShort = 200;
// Announcements and fields around the text itself.
constexpr std::size_t kEarRoom = 4 * mime::kMailFieldLimit;

const mime::Template& english() {
    static const mime::Template wording =
        *mime::Template::parse(mime::Template::built_in(), "built-in");
    return wording;
}

std::size_t characters(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
    }));
}

// As read_mail() gives a text to ear_text().
std::string printable(std::string_view input) {
    std::vector<std::string> lines = vm::split(input, '\n');
    for (std::string& line : lines)
        line = vm::without_direction_controls(vm::sanitize_line(line, line.size()));
    return vm::join(lines, "\n");
}

void check_spoken(std::string_view text, std::size_t limit) {
    check_lines(text);
    FUZZ_REQUIRE(text.find("\n\n\n") == std::string_view::npos);
    FUZZ_REQUIRE(characters(text) <= limit + kEarRoom);
}

void check_mail(std::string_view input, bool is_cut) {
    const auto mail = mime::read_mail(input, is_cut);
    if (!mail) {
        FUZZ_REQUIRE(mail.error().kind == vm::ErrorKind::kMessage);
        return;
    }
    check_mail_text(*mail);
    // Encodings make a text shorter, a charset makes a byte three.
    FUZZ_REQUIRE(mail->text.size() <= 20 * input.size() + 100);
    check_spoken(mime::speech_text(*mail, english()), mime::kEarLimit);
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const bool ready = (mime::initialise(), true);
    FUZZ_REQUIRE(ready);
    const std::string_view input = view(data, size);
    check_mail(input, false);
    check_mail(input, true);
    if (!vm::is_utf8(input)) return 0;
    const mime::HtmlText html = mime::html_text(input, kHtmlLimit);
    FUZZ_REQUIRE(vm::is_utf8(html.text) && html.text.size() <= kHtmlLimit);
    FUZZ_REQUIRE(html.text.size() <= 40 * input.size() + 100);
    check_spoken(mime::ear_text(printable(input), english(), kEarShort), kEarShort);
    return 0;
}
