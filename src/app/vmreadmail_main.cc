// vmreadmail(1): reads one mail on standard input and prints what it is about, as JSON or as what
// would be spoken. The agent runs it in a sandbox, as the reader of mails it knows nothing of.
#include "app/cli.h"
#include "base/paths.h"
#include "mime/compose.h"
#include "mime/ear_text.h"
#include "mime/mail_json.h"
#include "mime/read_mail.h"
#include "mime/template.h"

#include <cerrno>
#include <iostream>
#include <string>
#include <unistd.h>
#include <vector>

namespace {

using namespace vm;

// More than any server takes. What is longer is read as a mail that was cut.
constexpr std::size_t kInputLimit = 64U << 20;

Result<std::string> read_input() {
    std::string input;
    std::vector<char> buffer(64U << 10);
    while (input.size() <= kInputLimit) {
        const ssize_t n = ::read(STDIN_FILENO, buffer.data(), buffer.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0)
            return fail(ErrorKind::kUnavailable, "read", "standard input", errno_text(errno));
        if (n == 0) break;
        input.append(buffer.data(), static_cast<std::size_t>(n));
    }
    return input;
}

struct Request {
    std::string root, language = "en";
    bool speech = false, is_cut = false;
};

Result<std::string> answer(const Request& request) {
    VM_ASSIGN(std::string input, read_input());
    const bool is_cut = request.is_cut || input.size() > kInputLimit;
    input.resize(std::min(input.size(), kInputLimit));
    VM_ASSIGN(const mime::MailText mail, mime::read_mail(input, is_cut));
    if (!request.speech) return mime::to_json(mail) + "\n";
    VM_ASSIGN(const Paths paths, find_root(request.root));
    VM_ASSIGN(const mime::Template wording,
              mime::Template::load(paths.templates(), request.language));
    return mime::speech_text(mail, wording) + "\n";
}

int run_vmreadmail(int argc, char** argv) {
    CLI::App program("Reads one mail on standard input and prints what it is about.", "vmreadmail");
    Request request;
    app::add_common(program, request.root);
    program.add_flag("--speech", request.speech, "Print the text that would be spoken, not JSON");
    program.add_option("--language", request.language, "Language of its announcements (en)")
        ->type_name("TAG");
    program.add_flag("--cut", request.is_cut, "The input is only the beginning of the mail");
    if (const auto status = app::parse(program, argc, argv)) return *status;

    mime::initialise();
    const auto text = answer(request);
    if (!text) return app::report(program, text.error());
    std::cout << *text;
    return app::end_output(program);
}

}  // namespace

int main(int argc, char** argv) {
    return app::run_program(argc, argv, run_vmreadmail);
}
