// The media files under var/media: XX/ID.EXT, XX being the last two characters of the id (random,
// so that the files spread evenly), directories 0700, files 0600.
//
// A file comes into being as var/media/ID.EXT.tmp and is renamed when complete and durable. What a
// killed process leaves behind is a *.tmp, or a file that no message names; both are harmless.
#ifndef VM_STORE_MEDIA_FILES_H
#define VM_STORE_MEDIA_FILES_H

#include "base/clock.h"
#include "base/error.h"
#include "base/paths.h"

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>

namespace vm::store {

// One media file on its way in; removed again when the object goes before keep() was called.
class IncomingMedia {
  public:
    // Copies the regular file `source` to its temporary name, durably. `directory` is var/media and
    // is made when missing. kNoInput when `source` is no regular file.
    static Result<IncomingMedia> copy(const std::filesystem::path& source,
                                      const std::filesystem::path& directory, const std::string& id,
                                      const std::string& extension);
    IncomingMedia(IncomingMedia&& other) noexcept;
    IncomingMedia& operator=(IncomingMedia&&) = delete;
    ~IncomingMedia();

    // Renames it to its final name, durably.
    Result<> publish();
    void keep() { current_.clear(); }

    const std::filesystem::path& path() const { return current_; }
    const std::string& name() const { return name_; }  // final, relative to var/media
    std::int64_t size() const { return size_; }

  private:
    IncomingMedia() = default;
    std::filesystem::path directory_, current_;
    std::string name_;
    std::int64_t size_ = 0;
};

// Removes the file `name` (relative to var/media) of a message that is gone. What cannot be removed
// is a file that no message names.
void remove_media(const Paths& paths, const std::string& name);

// Removes what was spoken of these messages (e-mails) from var/speech.
void remove_speech(const Paths& paths, const std::set<std::string>& ids);

// Removes the temporary files that are older than a day, for their process is gone: *.tmp in
// var/media, everything in var/spool.
void sweep_temporaries(const Paths& paths, TimeMs now);

}  // namespace vm::store

#endif
