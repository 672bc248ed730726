// The head of an HTTP request, as far as the metrics socket needs it (RFC 9112). Pure; any thread.
#ifndef VM_AGENT_HTTP_REQUEST_H
#define VM_AGENT_HTTP_REQUEST_H

#include <cstddef>
#include <string>
#include <string_view>

namespace vm::agent {

// A longer head is refused.
inline constexpr std::size_t kLongestHead = 8192;

enum class HttpVerdict {
    kIncomplete,  // more of the head is to come
    kMetrics,     // GET /metrics
    kHead,        // HEAD /metrics
    kNotFound,    // another path
    kNotAllowed,  // another method
    kTooLarge,
    kBad,  // no HTTP/1.x
};

// Of what has come so far.
HttpVerdict judge_request(std::string_view received);

// The whole response, after which the connection is to be closed. `body` matters with kMetrics and
// kHead only; kIncomplete has none.
std::string http_response(HttpVerdict verdict, std::string_view body);

}  // namespace vm::agent

#endif
