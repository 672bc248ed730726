// The functions of mime and media that need GMime, GLib, libxml2, libsndfile, libtiff and the
// libraries below those, as one library, libvmcontent.so, that a program loads when it first calls
// one of them. Linked to the programs, these thirty libraries were more than half of what each
// start costs, and stood in the memory of each process, most of which never compose a mail.
//
// Callers know nothing of it: lazy.cc defines the functions for the programs and for libvmstore.so,
// library.cc is the library around the real ones. Both are of one build; another's library is
// refused, as one may be installed while a program runs.
#ifndef VM_CONTENT_TABLE_H
#define VM_CONTENT_TABLE_H

#include "core/message.h"
#include "media/audio.h"
#include "media/fax.h"
#include "media/speech.h"
#include "media/transcript.h"
#include "mime/compose.h"

#include <filesystem>
#include <string_view>

namespace vm::content {

struct Table {
    const char* build;  // VM_CONTENT_BUILD, a hash of all headers in the interface
    Result<std::int64_t> (*compose)(const Message&, const std::filesystem::path&,
                                    const mime::ComposeOptions&, const mime::Writer&);
    Result<media::AudioInfo> (*probe_audio)(const std::filesystem::path&);
    Result<media::FaxInfo> (*probe_fax)(const std::filesystem::path&);
    Result<media::AudioInfo> (*synthesize)(const media::SpeechOptions&, std::string_view,
                                           const std::filesystem::path&);
    Result<std::string> (*transcribe)(const media::TranscriptOptions&,
                                      const std::filesystem::path&);
};

// Whether the library can be loaded; in the programs and in libvmstore.so only.
Result<> check();

// What the library exports: gives its table, after mime::initialise(). Its first member stays what
// it is. Not to be called by two threads at once. What the caller knows of base/own_process.h is
// handed on, as the library has a copy of its own.
inline constexpr const char* kEntry = "vm_content";
using Entry = const Table*(bool owns_process);

}  // namespace vm::content

#endif
