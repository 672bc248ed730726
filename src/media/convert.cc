#include "media/convert.h"

#include "media/mono.h"
#include "media/open.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>

namespace vm::media {

Result<> convert(const std::filesystem::path& wav, const std::filesystem::path& out,
                 const Conversion& conversion) {
    const char* operation = conversion.operation;
    VM_ASSIGN(const MediaFile input, open_media(wav, operation));
    SF_INFO info{};
    OpenedSound in = open_sound(input.fd.get(), SFM_READ, info);
    if (!in.sound || info.channels < 1 || info.samplerate < 1)
        return fail(ErrorKind::kMessage, operation, wav.string(),
                    "not a readable WAV file: " + in.problem);

    const UniqueFd output(::open(out.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!output) return fail_errno(errno, operation, out.string());
    OpenedSound sound = conversion.open(output.get());
    if (!sound.sound)
        return fail(ErrorKind::kConfig, operation, out.string(),
                    "libsndfile cannot write it: " + sound.problem, conversion.hint);

    bool cancelled = false;
    const auto total = copy_as_mono(in.sound.get(), info, sound.sound.get(), conversion.rate, [&] {
        return cancelled = conversion.cancelled && conversion.cancelled();
    });
    if (cancelled)
        return fail(ErrorKind::kUnavailable, operation, wav.string(), "it was not ended in time");
    if (total && *total != info.frames)
        return fail(ErrorKind::kMessage, operation, wav.string(),
                    "the recording cannot be read to its end");
    sound.sound.reset();

    // libsndfile does not report every failed write (none while closing), so the size is compared
    // with what must have come of it.
    struct stat status {};
    const std::int64_t expected = info.frames * conversion.bytes_a_second / info.samplerate;
    if (!total || ::fstat(output.get(), &status) != 0 || status.st_size < expected)
        return fail(ErrorKind::kUnavailable, operation, out.string(),
                    "the file could not be written in full", "free disk space and try again");
    return {};
}

}  // namespace vm::media
