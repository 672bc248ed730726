#include "media/mono.h"

#include "media/resample.h"

#include <algorithm>
#include <vector>

namespace vm::media {

namespace {

constexpr sf_count_t kBlock = 4096;  // frames read at a time

}  // namespace

std::optional<std::int64_t> copy_as_mono(SNDFILE* in, const SF_INFO& info, SNDFILE* out, int rate,
                                         const std::function<bool()>& cancelled) {
    const auto write = [&](std::vector<float>& samples) {
        // The filter may overshoot a full-scale edge by a little.
        for (float& sample : samples) sample = std::clamp(sample, -1.0F, 1.0F);
        const auto count = static_cast<sf_count_t>(samples.size());
        const bool good =
            sf_write_float(out, samples.data(), count) == count && sf_error(out) == SF_ERR_NO_ERROR;
        samples.clear();
        return good;
    };
    Resampler resampler(info.samplerate, rate);
    std::vector<float> frames(static_cast<std::size_t>(kBlock * info.channels)), mono, resampled;
    std::int64_t total = 0;
    for (sf_count_t n; (n = sf_readf_float(in, frames.data(), kBlock)) > 0;) {
        mono.clear();
        for (sf_count_t i = 0; i < n; ++i) {
            float sum = 0;
            for (int c = 0; c < info.channels; ++c)
                sum += frames[static_cast<std::size_t>(i * info.channels + c)];
            mono.push_back(sum / static_cast<float>(info.channels));
        }
        resampler.push(mono.data(), mono.size(), resampled);
        total += n;
        if (!write(resampled) || cancelled()) return std::nullopt;
    }
    resampler.finish(resampled);
    if (!write(resampled)) return std::nullopt;
    return total;
}

}  // namespace vm::media
