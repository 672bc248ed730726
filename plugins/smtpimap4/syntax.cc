#include "smtpimap4/syntax.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <stdexcept>

namespace vm::plug::imap {

namespace {

template <class Number>
std::optional<Number> parse_digits(std::string_view digits) {
    Number value = 0;
    const char* end = digits.data() + digits.size();
    if (digits.empty() || digits.front() < '0' || digits.front() > '9') return std::nullopt;
    const auto [stop, error] = std::from_chars(digits.data(), end, value);
    if (error != std::errc{} || stop != end) return std::nullopt;
    return value;
}

}  // namespace

std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '\r' || c == '\n' || c == '\0')
            throw std::invalid_argument("a name or an id with a line end or a NUL in it");
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out + '"';
}

std::string uid_set(const std::vector<std::uint32_t>& uids) {
    std::string out;
    for (std::size_t i = 0; i < uids.size();) {
        std::size_t last = i;
        while (last + 1 < uids.size() && uids[last + 1] - uids[last] <= 1) ++last;
        if (!out.empty()) out += ',';
        out += std::to_string(uids[i]);
        if (uids[last] != uids[i]) out += ':' + std::to_string(uids[last]);
        i = last + 1;
    }
    return out;
}

std::vector<std::vector<std::uint32_t>> chunks(const std::vector<std::uint32_t>& uids,
                                               std::size_t most) {
    std::vector<std::vector<std::uint32_t>> out;
    for (auto at = uids.begin(); at != uids.end();) {
        const auto end =
            at + std::min<std::ptrdiff_t>(static_cast<std::ptrdiff_t>(most), uids.end() - at);
        out.emplace_back(at, end);
        at = end;
    }
    return out;
}

void UidRanges::add(std::uint32_t first, std::uint32_t last) {
    ranges_.push_back({std::min(first, last), std::max(first, last)});
}

void UidRanges::add(const UidRanges& more) {
    ranges_.insert(ranges_.end(), more.ranges_.begin(), more.ranges_.end());
}

bool UidRanges::contains(std::uint32_t uid) const {
    return index_of(uid).has_value();
}

std::vector<std::uint32_t> UidRanges::among(const std::vector<std::uint32_t>& uids) const {
    // (A server may repeat ranges as often as a line has room for.)
    std::vector<Range> ranges = ranges_;
    std::sort(ranges.begin(), ranges.end(),
              [](const Range& a, const Range& b) { return a.first < b.first; });
    std::vector<std::uint32_t> out;
    std::uint32_t reach = 0;  // of the ranges that begin here or before
    auto range = ranges.begin();
    for (const std::uint32_t uid : uids) {
        for (; range != ranges.end() && range->first <= uid; ++range)
            reach = std::max(reach, range->last);
        if (uid <= reach) out.push_back(uid);
    }
    return out;
}

std::uint64_t UidRanges::size() const {
    std::uint64_t out = 0;
    for (const Range& range : ranges_) out += std::uint64_t{range.last} - range.first + 1;
    return out;
}

bool UidRanges::only_of(const std::vector<std::uint32_t>& uids) const {
    const auto inside = std::count_if(uids.begin(), uids.end(),
                                      [this](std::uint32_t uid) { return contains(uid); });
    return size() == static_cast<std::uint64_t>(inside);
}

std::optional<std::uint32_t> UidRanges::at(std::uint64_t index) const {
    for (const Range& range : ranges_) {
        const std::uint64_t size = std::uint64_t{range.last} - range.first + 1;
        if (index < size) return static_cast<std::uint32_t>(range.first + index);
        index -= size;
    }
    return std::nullopt;
}

std::optional<std::uint64_t> UidRanges::index_of(std::uint32_t uid) const {
    std::uint64_t before = 0;
    for (const Range& range : ranges_) {
        if (uid >= range.first && uid <= range.last) return before + (uid - range.first);
        before += std::uint64_t{range.last} - range.first + 1;
    }
    return std::nullopt;
}

std::optional<UidRanges> parse_uid_ranges(std::string_view text) {
    UidRanges out;
    for (;;) {
        const auto end = std::min(text.find(','), text.size());
        const std::string_view item = text.substr(0, end);
        const auto colon = item.find(':');
        const auto first = parse_number(item.substr(0, colon));
        const auto last =
            colon == std::string_view::npos ? first : parse_number(item.substr(colon + 1));
        if (!first || !last) return std::nullopt;
        out.add(*first, *last);
        if (end == text.size()) return out;
        text.remove_prefix(end + 1);
    }
}

std::optional<std::uint32_t> parse_number(std::string_view digits) {
    return parse_digits<std::uint32_t>(digits);
}

std::optional<std::uint64_t> parse_modseq(std::string_view digits) {
    const auto value = parse_digits<std::uint64_t>(digits);
    if (!value || *value > std::uint64_t{std::numeric_limits<std::int64_t>::max()})
        return std::nullopt;
    return value;
}

}  // namespace vm::plug::imap
