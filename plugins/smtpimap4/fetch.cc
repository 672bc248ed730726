#include "smtpimap4/fetch.h"

#include <algorithm>

namespace vm::plug::imap {

namespace {

// More of a header is none of anybody's business.
constexpr std::uint32_t kHeaderSize = 64U << 10;
// The framer takes no larger literals.
constexpr std::uint32_t kMostSize = 900U << 10;

}  // namespace

std::optional<Beginning> fetch_beginning(Link& link, const std::string& folder,
                                         std::uint32_t uidvalidity, std::uint32_t uid,
                                         std::uint32_t size) {
    const std::string name = link.to_server(folder);
    if (!link.selected(name)) link.select(name);
    if (link.selection()->state.uidvalidity != uidvalidity) return std::nullopt;
    size = std::min(size, kMostSize);
    const std::uint32_t header_size = std::min(size, kHeaderSize);
    std::optional<std::string> header, text;
    std::uint32_t flags = 0;
    const Condition done = link.dialogue().run(
        "UID FETCH " + std::to_string(uid) + " (UID FLAGS BODY.PEEK[HEADER]<0." +
            std::to_string(header_size) + "> BODY.PEEK[TEXT]<0." + std::to_string(size) + ">)",
        [&](const Response& response) {
            const auto* fetch = std::get_if<FetchData>(&response);
            if (fetch == nullptr || fetch->uid != uid || fetch->section("HEADER") == nullptr)
                return false;
            header = *fetch->section("HEADER");
            flags = fetch->flags.value_or(0);
            if (const std::string* body = fetch->section("TEXT")) text = *body;
            return true;
        });
    require(done, "UID FETCH in " + folder);
    if (!header) return std::nullopt;
    // One that was cut has no empty line at its end.
    if (!header->ends_with("\r\n\r\n") && *header != "\r\n") *header += "\r\n\r\n";
    *header += text.value_or("");
    if (header->size() > size) header->resize(size);
    return Beginning{flags, std::move(*header)};
}

}  // namespace vm::plug::imap
