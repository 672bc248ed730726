#include "base/clock.h"

#include "base/text.h"

#include <chrono>
#include <cstdio>

namespace vm {

namespace {

class SystemClock : public Clock {
  public:
    TimeMs now() const override {
        return std::chrono::duration_cast<std::chrono::milliseconds>(
                   std::chrono::system_clock::now().time_since_epoch())
            .count();
    }
    std::int64_t steady_ms() const override {
        return std::chrono::duration_cast<std::chrono::milliseconds>(
                   std::chrono::steady_clock::now().time_since_epoch())
            .count();
    }
};

}  // namespace

const Clock& system_clock() {
    static const SystemClock clock;
    return clock;
}

std::string format_rfc3339(TimeMs time) {
    using namespace std::chrono;
    const sys_time<milliseconds> instant{milliseconds{time}};
    const auto day = floor<days>(instant);
    const year_month_day date{day};
    const hh_mm_ss clock{instant - day};
    char text[64];
    std::snprintf(
        text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
        static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
        static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
        static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
    return text;
}

std::optional<TimeMs> parse_rfc3339(std::string_view text) {
    using namespace std::chrono;
    const auto number = [&](std::size_t at, std::size_t n) -> std::optional<int> {
        if (at + n > text.size()) return std::nullopt;
        for (std::size_t i = at; i < at + n; ++i)
            if (text[i] < '0' || text[i] > '9') return std::nullopt;
        return static_cast<int>(*parse_int(text.substr(at, n)));
    };
    const auto is = [&](std::size_t at, char c) { return at < text.size() && text[at] == c; };
    const auto y = number(0, 4), mo = number(5, 2), d = number(8, 2);
    const auto h = number(11, 2), mi = number(14, 2), s = number(17, 2);
    if (!y || !mo || !d || !h || !mi || !s || !is(4, '-') || !is(7, '-') || !is(13, ':') ||
        !is(16, ':'))
        return std::nullopt;
    if (!is(10, 'T') && !is(10, 't') && !is(10, ' ')) return std::nullopt;
    const year_month_day date{year{*y}, month{static_cast<unsigned>(*mo)},
                              day{static_cast<unsigned>(*d)}};
    if (!date.ok() || *h > 23 || *mi > 59 || *s > 60) return std::nullopt;
    std::size_t at = 19;
    int millis = 0;
    if (is(at, '.')) {
        int scale = 100;
        std::size_t digits = 0;
        for (++at; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, ++digits) {
            millis += (text[at] - '0') * scale;
            scale /= 10;
        }
        if (digits == 0) return std::nullopt;
    }
    minutes offset{0};
    if (is(at, 'Z') || is(at, 'z')) {
        ++at;
    } else if (is(at, '+') || is(at, '-')) {
        const auto oh = number(at + 1, 2), om = number(at + 4, 2);
        if (!oh || !om || !is(at + 3, ':') || *oh > 23 || *om > 59) return std::nullopt;
        offset = hours{*oh} + minutes{*om};
        if (text[at] == '-') offset = -offset;
        at += 6;
    } else {
        return std::nullopt;
    }
    if (at != text.size()) return std::nullopt;
    const auto instant =
        sys_days{date} + hours{*h} + minutes{*mi} + seconds{*s} + milliseconds{millis} - offset;
    return duration_cast<milliseconds>(instant.time_since_epoch()).count();
}

}  // namespace vm
