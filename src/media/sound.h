// A libsndfile handle that closes itself, and the one place that opens one. Inside this layer only.
#ifndef VM_MEDIA_SOUND_H
#define VM_MEDIA_SOUND_H

#include "base/error.h"

#include <sndfile.h>

#include <memory>
#include <string>

namespace vm::media {

struct CloseSound {
    void operator()(SNDFILE* sound) const { sf_close(sound); }
};
using Sound = std::unique_ptr<SNDFILE, CloseSound>;

struct OpenedSound {
    Sound sound;          // null when it could not be opened
    std::string problem;  // then libsndfile's words
};

// Opens the descriptor, which stays the caller's, in `mode` (SFM_READ, SFM_WRITE). Any thread.
OpenedSound open_sound(int fd, int mode, SF_INFO& info);

}  // namespace vm::media

#endif
