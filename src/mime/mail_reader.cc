#include "mime/mail_reader.h"

#include "base/process.h"
#include "base/text.h"
#include "mime/mail_json.h"

#include <string>
#include <vector>

namespace vm::mime {

namespace {

constexpr const char* kOperation = "read mail";
constexpr std::size_t kBeginning = 128U << 10;
// Every byte of a text may be escaped, at most as \u0022.
constexpr std::size_t kAnswerLimit = 6 * (kMailTextLimit + 4 * kMailFieldLimit) + 1000;

// Not all of the time by the clock: what the processor's time does not use up is the machine's
// doing.
constexpr SandboxLimits kLimits{.time = std::chrono::seconds(60),
                                .cpu = std::chrono::seconds(10),
                                .output_bytes = kAnswerLimit,
                                .memory_bytes = 512ULL << 20};

struct Answer {
    Result<MailText> mail;
    bool was_too_much = false;  // for the child, which ended before it could answer
};

Answer ask(const std::filesystem::path& program, std::string_view mail, bool is_cut) {
    std::vector<std::string> argv{program.string()};
    if (is_cut) argv.emplace_back("--cut");
    auto done = run_sandboxed(argv, mail, kLimits);
    if (!done) return {fail(std::move(done).error())};
    if (done->exit_code == 0) return {parse_mail_json(done->output)};
    const std::string words = sanitize_line(trim(done->diagnostics), 300);
    if (done->exit_code == exit_status(ErrorKind::kMessage))
        return {fail(ErrorKind::kMessage, kOperation, "", words)};
    return {fail(ErrorKind::kMessage, kOperation, "",
                 program.filename().string() + " ended with status " +
                     std::to_string(done->exit_code) + (words.empty() ? "" : ": " + words)),
            true};
}

}  // namespace

Result<MailText> read_mail_in_child(const std::filesystem::path& program, std::string_view mail,
                                    bool is_cut) {
    Answer answer = ask(program, mail, is_cut);
    if (answer.was_too_much && mail.size() > kBeginning)
        answer = ask(program, mail.substr(0, kBeginning), true);
    return std::move(answer.mail);
}

}  // namespace vm::mime
