// Time as the program sees it. Wall time is milliseconds since 1970-01-01 UTC (TimeMs); tests set
// it by hand. Durations that must survive clock jumps use steady_ms().
#ifndef VM_BASE_CLOCK_H
#define VM_BASE_CLOCK_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace vm {

using TimeMs = std::int64_t;

class Clock {
  public:
    virtual ~Clock() = default;
    virtual TimeMs now() const = 0;              // wall time
    virtual std::int64_t steady_ms() const = 0;  // never goes back
};

// The machine's clock. Any thread.
const Clock& system_clock();

// A clock that moves only when told.
class ManualClock : public Clock {
  public:
    explicit ManualClock(TimeMs start) : now_(start) {}
    TimeMs now() const override { return now_; }
    std::int64_t steady_ms() const override { return now_; }
    void advance(std::int64_t ms) { now_ += ms; }

  private:
    TimeMs now_;
};

// RFC 3339 in UTC with milliseconds: "2026-11-22T02:30:29.123Z".
std::string format_rfc3339(TimeMs time);
// Any RFC 3339 date-time ("…Z" or "…+02:00", optional fraction); nullopt when it is none.
std::optional<TimeMs> parse_rfc3339(std::string_view text);

}  // namespace vm

#endif
