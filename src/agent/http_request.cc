#include "agent/http_request.h"

#include "agent/metrics_text.h"
#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace vm::agent {

namespace {

// Where the head ends; npos: not yet.
std::size_t end_of_head(std::string_view received) {
    return std::min(received.find("\r\n\r\n"), received.find("\n\n"));
}

bool is_method(std::string_view text) {
    return !text.empty() &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

// "/metrics" of "http://localhost/metrics?name=…".
std::string_view path_of(std::string_view target) {
    constexpr std::string_view kScheme = "http://";
    if (target.starts_with(kScheme)) {
        target.remove_prefix(kScheme.size());
        target.remove_prefix(std::min(target.find('/'), target.size()));
    }
    return target.substr(0, target.find('?'));
}

}  // namespace

HttpVerdict judge_request(std::string_view received) {
    const std::size_t end = end_of_head(received);
    if (std::min(end, received.size()) > kLongestHead) return HttpVerdict::kTooLarge;
    if (end == std::string_view::npos) return HttpVerdict::kIncomplete;
    std::string_view line = received.substr(0, received.find('\n'));
    if (line.ends_with('\r')) line.remove_suffix(1);
    const std::vector<std::string> parts = split(line, ' ');
    if (parts.size() != 3 || !is_method(parts[0]) || parts[1].empty() ||
        !parts[2].starts_with("HTTP/1."))
        return HttpVerdict::kBad;
    if (path_of(parts[1]) != "/metrics") return HttpVerdict::kNotFound;
    if (parts[0] == "HEAD") return HttpVerdict::kHead;
    return parts[0] == "GET" ? HttpVerdict::kMetrics : HttpVerdict::kNotAllowed;
}

std::string http_response(HttpVerdict verdict, std::string_view body) {
    const auto response = [](std::string_view status, std::string_view more, std::string_view type,
                             std::string_view content, bool with_content = true) {
        return fmt::format(
            "HTTP/1.1 {}\r\n{}Content-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n"
            "{}",
            status, more, type, content.size(), with_content ? content : std::string_view());
    };
    constexpr std::string_view kPlain = "text/plain; charset=utf-8";
    switch (verdict) {
        case HttpVerdict::kIncomplete:
            return {};
        case HttpVerdict::kMetrics:
            return response("200 OK", "", kMetricsType, body);
        case HttpVerdict::kHead:
            return response("200 OK", "", kMetricsType, body, false);
        case HttpVerdict::kNotFound:
            return response("404 Not Found", "", kPlain, "The metrics are at /metrics.\n");
        case HttpVerdict::kNotAllowed:
            return response("405 Method Not Allowed", "Allow: GET, HEAD\r\n", kPlain,
                            "Metrics can only be read.\n");
        case HttpVerdict::kTooLarge:
            return response("431 Request Header Fields Too Large", "", kPlain,
                            "The request is too large.\n");
        case HttpVerdict::kBad:
            break;
    }
    return response("400 Bad Request", "", kPlain, "This is no HTTP/1.1 request.\n");
}

}  // namespace vm::agent
