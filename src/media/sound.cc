#include "media/sound.h"

#include "base/text.h"

#include <mutex>

namespace vm::media {

OpenedSound open_sound(int fd, int mode, SF_INFO& info) {
    // Why an open failed stands in a global of libsndfile: opening and asking are one step.
    static std::mutex mutex;
    const std::lock_guard lock(mutex);
    OpenedSound opened;
    opened.sound.reset(sf_open_fd(fd, mode, &info, SF_FALSE));
    if (!opened.sound) opened.problem = sanitize_line(trim(sf_strerror(nullptr)), 200);
    return opened;
}

}  // namespace vm::media
