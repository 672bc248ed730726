// Changes the sample rate of a mono signal that comes in blocks: a polyphase windowed-sinc filter.
// Memory: the filter and one block. Not thread-safe; one object a signal.
#ifndef VM_MEDIA_RESAMPLE_H
#define VM_MEDIA_RESAMPLE_H

#include <cstddef>
#include <cstdint>
#include <vector>

namespace vm::media {

class Resampler {
  public:
    Resampler(int from_rate, int to_rate);

    // Takes the next samples and appends to `out` what they complete.
    void push(const float* samples, std::size_t count, std::vector<float>& out);
    // The signal is over: appends the rest. In all n * to / from samples, rounded up, came out.
    void finish(std::vector<float>& out);

  private:
    void drain(std::vector<float>& out);

    std::int64_t up_, down_;     // to / from in lowest terms
    std::int64_t half_;          // filter reach in input samples, to either side
    std::vector<float> filter_;  // up_ phases of 2 * half_ taps
    std::vector<float> window_;  // input from position window_start_
    std::int64_t window_start_;  // negative at first: silence before the signal
    std::int64_t received_ = 0;  // input samples so far
    std::int64_t produced_ = 0;  // output samples so far
};

}  // namespace vm::media

#endif
