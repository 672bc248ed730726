// vmoauth2(1): makes one request to a token server, as told on standard input, and prints what its
// answer says in the strict form of oauth2/exchange.h. The agent and vmconfig run it, so that what
// a token server sends is met by a process that lives for one answer.
#include "app/cli.h"
#include "config/oauth2_options.h"
#include "oauth2/answer_json.h"
#include "oauth2/exchange.h"

#include <curl/curl.h>

#include <array>
#include <cerrno>
#include <iostream>
#include <memory>
#include <string>
#include <unistd.h>

namespace {

using namespace vm;

constexpr std::size_t kInputLimit = 128U << 10;
// More than any answer with two tokens in it.
constexpr std::size_t kAnswerLimit = 64U << 10;
// Together less than who started this waits (oauth2/exchange.cc).
constexpr long kConnectMs = 8000, kWholeMs = 12000;

tl::unexpected<Error> trouble(const std::string& reason) {
    return fail(ErrorKind::kUnavailable, "", "", reason);
}

Result<oauth2::Request> read_request() {
    std::string input;
    std::array<char, 16384> buffer;
    for (;;) {
        const ssize_t n = ::read(STDIN_FILENO, buffer.data(), buffer.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0)
            return fail(ErrorKind::kUnavailable, "read", "standard input", errno_text(errno));
        if (n == 0) break;
        input.append(buffer.data(), static_cast<std::size_t>(n));
        if (input.size() > kInputLimit)
            return fail(ErrorKind::kMessage, "read", "standard input", "it is too long");
    }
    const Secret text(std::move(input));
    VM_ASSIGN(oauth2::Request request, oauth2::parse_request(text.reveal()));
    if (!config::is_endpoint(request.url))
        return fail(ErrorKind::kMessage, "read", "standard input", "no https:// address to ask at");
    return request;
}

struct Reply {
    long status = 0;
    std::string body;
    bool is_too_long = false;
};

std::size_t take_block(char* data, std::size_t size, std::size_t count, void* context) {
    auto& reply = *static_cast<Reply*>(context);
    if (reply.body.size() + size * count > kAnswerLimit) {
        reply.is_too_long = true;
        return 0;
    }
    reply.body.append(data, size * count);
    return size * count;
}

struct CurlCloser {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

Result<Reply> post(const oauth2::Request& request) {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) return trouble("libcurl does not start");
    const std::unique_ptr<CURL, CurlCloser> easy(curl_easy_init());
    std::unique_ptr<curl_slist, CurlCloser> headers(
        curl_slist_append(nullptr, "Accept: application/json"));
    if (!easy || !headers || curl_slist_append(headers.get(), "Expect:") == nullptr)
        return trouble("libcurl: out of memory");
    Reply reply;
    std::array<char, CURL_ERROR_SIZE> error{};
    const auto set = [&](CURLoption option, auto value) {
        curl_easy_setopt(easy.get(), option, value);
    };
    const std::string& body = request.body.reveal();
    set(CURLOPT_URL, request.url.c_str());
    set(CURLOPT_POSTFIELDS, body.c_str());
    set(CURLOPT_POSTFIELDSIZE, static_cast<long>(body.size()));
    set(CURLOPT_HTTPHEADER, headers.get());
    set(CURLOPT_USERAGENT, (std::string("vmemail/") + app::kVersion).c_str());
    set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    // Nothing but what was asked for: no proxy of the environment, no other address.
    set(CURLOPT_PROXY, "");
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_CONNECTTIMEOUT_MS, kConnectMs);
    set(CURLOPT_TIMEOUT_MS, kWholeMs);
    set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    if (!request.ca_file.empty()) set(CURLOPT_CAINFO, request.ca_file.c_str());
    set(CURLOPT_ERRORBUFFER, error.data());
    set(CURLOPT_WRITEFUNCTION, &take_block);
    set(CURLOPT_WRITEDATA, &reply);
    const CURLcode code = curl_easy_perform(easy.get());
    if (reply.is_too_long)
        return trouble("its answer is longer than " + std::to_string(kAnswerLimit) + " bytes");
    if (code != CURLE_OK)
        return trouble(error.front() != '\0' ? error.data() : curl_easy_strerror(code));
    curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &reply.status);
    return reply;
}

Result<oauth2::Answer> run_request() {
    VM_ASSIGN(const oauth2::Request request, read_request());
    VM_ASSIGN(const Reply reply, post(request));
    return oauth2::read_answer(static_cast<int>(reply.status), reply.body);
}

int run_vmoauth2(int argc, char** argv) {
    CLI::App program("Makes one request to a token server, as told on standard input.", "vmoauth2");
    std::string root;
    app::add_common(program, root);
    if (const auto status = app::parse(program, argc, argv)) return *status;
    const auto answer = run_request();
    if (!answer) return app::report(program, answer.error());
    std::cout << oauth2::to_text(*answer);
    return app::end_output(program);
}

}  // namespace

int main(int argc, char** argv) {
    return app::run_program(argc, argv, run_vmoauth2);
}
