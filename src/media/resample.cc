#include "media/resample.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

namespace vm::media {

namespace {

// Zero crossings of the sinc to either side: a transition band of a few hundred Hz at 8 kHz, which
// is where telephone speech has nothing left.
constexpr int kZeroCrossings = 16;

double sinc(double x) {
    if (std::abs(x) < 1e-9) return 1.0;
    return std::sin(std::numbers::pi * x) / (std::numbers::pi * x);
}

}  // namespace

Resampler::Resampler(int from_rate, int to_rate) {
    const int common = std::gcd(from_rate, to_rate);
    up_ = to_rate / common;
    down_ = from_rate / common;
    // Going down, the filter also takes away what the lower rate cannot hold.
    const double cutoff = std::min(1.0, static_cast<double>(to_rate) / from_rate);
    half_ = static_cast<std::int64_t>(std::ceil(kZeroCrossings / cutoff));
    window_start_ = -half_;
    window_.assign(static_cast<std::size_t>(half_), 0.0F);

    // Phase p serves outputs that lie p/up_ after an input sample; tap k weighs the input sample
    // k - half_ + 1 after that one.
    filter_.reserve(static_cast<std::size_t>(up_ * 2 * half_));
    for (std::int64_t phase = 0; phase < up_; ++phase) {
        const double fraction = static_cast<double>(phase) / static_cast<double>(up_);
        const std::size_t first = filter_.size();
        double sum = 0;
        for (std::int64_t k = 0; k < 2 * half_; ++k) {
            const double x = static_cast<double>(k - half_ + 1) - fraction;
            const double position = x / static_cast<double>(half_);
            const double hann =
                std::abs(position) >= 1 ? 0 : 0.5 + 0.5 * std::cos(std::numbers::pi * position);
            filter_.push_back(static_cast<float>(sinc(x * cutoff) * hann));
            sum += filter_.back();
        }
        // Every phase keeps a constant signal constant.
        for (std::size_t k = first; k < filter_.size(); ++k)
            filter_[k] = static_cast<float>(filter_[k] / sum);
    }
}

void Resampler::push(const float* samples, std::size_t count, std::vector<float>& out) {
    window_.insert(window_.end(), samples, samples + count);
    received_ += static_cast<std::int64_t>(count);
    drain(out);
}

void Resampler::finish(std::vector<float>& out) {
    window_.insert(window_.end(), static_cast<std::size_t>(half_), 0.0F);
    drain(out);
}

// Produces the outputs whose whole neighbourhood is in the window.
void Resampler::drain(std::vector<float>& out) {
    const std::int64_t end = (received_ * up_ + down_ - 1) / down_;
    const std::int64_t window_end = window_start_ + static_cast<std::int64_t>(window_.size());
    std::int64_t position = produced_ * down_ / up_;
    for (; produced_ < end && position + half_ < window_end;
         ++produced_, position = produced_ * down_ / up_) {
        const std::int64_t phase = produced_ * down_ % up_;
        const float* taps = filter_.data() + phase * 2 * half_;
        const float* input = window_.data() + (position - half_ + 1 - window_start_);
        float sum = 0;
        for (std::int64_t k = 0; k < 2 * half_; ++k) sum += taps[k] * input[k];
        out.push_back(sum);
    }
    const std::int64_t keep_from = std::min(position - half_ + 1, window_end);
    window_.erase(window_.begin(), window_.begin() + (keep_from - window_start_));
    window_start_ = keep_from;
}

}  // namespace vm::media
