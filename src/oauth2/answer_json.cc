#include "oauth2/answer_json.h"

#include "base/text.h"

#include <nlohmann/json.hpp>

#include <utility>

namespace vm::oauth2 {

namespace {

using Json = nlohmann::json;

tl::unexpected<Error> trouble(std::string reason) {
    return fail(ErrorKind::kUnavailable, "", "", std::move(reason));
}

// A member as text, "" when it has none; numbers come as either.
std::string member(const Json& json, const char* name) {
    const auto found = json.find(name);
    if (found == json.end()) return {};
    if (found->is_string()) return found->get<std::string>();
    return found->is_number_integer() ? std::to_string(found->get<std::int64_t>()) : std::string();
}

}  // namespace

Result<Answer> read_answer(int status, std::string_view body) {
    constexpr const char* kSenseless = "its answer has a value that makes no sense";
    Answer out;
    out.status = status;
    const Json json = Json::parse(body, nullptr, false);
    if (!json.is_object()) {
        // (Proxies and servers in trouble answer in HTML.)
        if (status / 100 == 2) return trouble("its answer is no JSON object");
        return out;
    }
    const auto text = [&](const char* name, std::size_t limit) {
        return without_direction_controls(sanitize_line(member(json, name), limit));
    };
    for (const auto& [name, secret] : {std::pair{"access_token", &out.access_token},
                                       std::pair{"refresh_token", &out.refresh_token},
                                       std::pair{"device_code", &out.device_code}}) {
        *secret = Secret(member(json, name));
        // (A line's end in it would begin another line.)
        if (!secret->empty() && !is_token(secret->reveal())) return trouble(kSenseless);
    }
    out.token_type = text("token_type", 40);
    out.scope = text("scope", 2000);
    out.user_code = text("user_code", 64);
    out.verification_uri = text("verification_uri", 500);
    if (out.verification_uri.empty()) out.verification_uri = text("verification_url", 500);
    out.error = text("error", 100);
    out.error_description = text("error_description", 400);
    out.expires_in = parse_int(member(json, "expires_in"));
    out.interval = parse_int(member(json, "interval"));
    // What is out of bounds there cannot be told.
    if (!parse_answer(to_text(out))) return trouble(kSenseless);
    return out;
}

}  // namespace vm::oauth2
