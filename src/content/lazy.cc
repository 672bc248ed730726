// The functions of table.h as the programs have them: each loads the library first. Any thread.
#include "base/text.h"
#include "content/table.h"

#include <dlfcn.h>
#include <mutex>
#include <string>

namespace vm {

namespace {

constexpr const char* kLibrary = "libvmcontent.so";  // found by the program's RUNPATH

Error refuse(std::string why) {
    return {
        ErrorKind::kConfig, "load", kLibrary, std::move(why),
        "install vmemail as a whole, where the unit's user can read it; start a program anew whose "
        "installation was replaced"};
}

Result<const content::Table*> load() {
    // (Never unloaded: GLib would not survive it.)
    void* handle = ::dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (handle == nullptr) {
        const char* words = ::dlerror();
        return fail(refuse(sanitize_line(words == nullptr ? "dlopen failed" : words)));
    }
    auto* entry = reinterpret_cast<content::Entry*>(::dlsym(handle, content::kEntry));
    if (entry == nullptr) return fail(refuse(std::string("it has no ") + content::kEntry));
    const content::Table* table = entry();
    if (std::string_view(table->build) != VM_CONTENT_BUILD)
        return fail(refuse("it is another version's"));
    return table;
}

// One that could not be loaded is tried again: it may have been put in its place meanwhile.
Result<const content::Table*> library() {
    static std::mutex mutex;
    static const content::Table* table = nullptr;
    const std::lock_guard lock(mutex);
    if (table == nullptr) {
        VM_ASSIGN(table, load());
    }
    return table;
}

}  // namespace

namespace mime {

void initialise() {}  // with the library

Result<std::int64_t> compose(const Message& message, const std::filesystem::path& media_file,
                             const ComposeOptions& options, const Writer& writer) {
    VM_ASSIGN(const content::Table* table, library());
    return table->compose(message, media_file, options, writer);
}

}  // namespace mime

namespace media {

Result<AudioInfo> probe_audio(const std::filesystem::path& path) {
    VM_ASSIGN(const content::Table* table, library());
    return table->probe_audio(path);
}

Result<FaxInfo> probe_fax(const std::filesystem::path& path) {
    VM_ASSIGN(const content::Table* table, library());
    return table->probe_fax(path);
}

Result<AudioInfo> synthesize(const SpeechOptions& options, std::string_view text,
                             const std::filesystem::path& wav) {
    VM_ASSIGN(const content::Table* table, library());
    return table->synthesize(options, text, wav);
}

}  // namespace media

}  // namespace vm
