#include "oauth2/exchange.h"

#include "base/process.h"
#include "base/text.h"

namespace vm::oauth2 {

namespace {

constexpr SandboxLimits kLimits{.time = std::chrono::seconds(15),
                                .output_bytes = 2 * kRefreshTokenLimit + kAccessTokenLimit + 8192};

std::string host_of(std::string_view url) {
    const auto start = url.find("://");
    url.remove_prefix(start == std::string_view::npos ? 0 : start + 3);
    return std::string(url.substr(0, url.find_first_of("/?")));
}

Result<Answer> ask(const std::filesystem::path& program, const Request& request) {
    const Secret input(to_text(request));
    const std::string server = host_of(request.url);
    const auto trouble = [&](std::string reason) {
        return fail(ErrorKind::kUnavailable, "OAuth2", server, std::move(reason));
    };
    auto done = run_with_input({program.string()}, input.reveal(), kLimits);
    if (!done && done.error().kind == ErrorKind::kConfig) return fail(std::move(done).error());
    if (!done) return trouble(done.error().reason);
    const Secret output(std::move(done->output));
    if (done->exit_code != 0) {
        const std::string name = program.filename().string();
        std::string words = sanitize_line(trim(done->diagnostics), 300);
        if (words.starts_with(name + ": ")) words.erase(0, name.size() + 2);
        return trouble(
            words.empty() ? name + " ended with status " + std::to_string(done->exit_code) : words);
    }
    auto answer = parse_answer(output.reveal());
    if (!answer) return trouble(answer.error().reason);
    return answer;
}

}  // namespace

Post post_by(std::filesystem::path program) {
    return [program = std::move(program)](const Request& request) { return ask(program, request); };
}

}  // namespace vm::oauth2
