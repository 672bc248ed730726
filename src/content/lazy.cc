// The functions of table.h as programs and libvmstore.so have them: each loads the library first.
// Any thread.
#include "base/own_process.h"
#include "base/text.h"
#include "content/table.h"

#include <dlfcn.h>
#include <filesystem>
#include <mutex>
#include <string>
#include <system_error>

namespace vm {

namespace {

constexpr const char* kLibrary = "libvmcontent.so";

// Beside the programs' directory; for a library in somebody else's program, beside itself, wherever
// a link to it may lie.
std::string library_path() {
    std::error_code error;
    if (!owns_process()) {
        Dl_info info{};
        ::dladdr(reinterpret_cast<const void*>(&library_path), &info);
        const auto self = std::filesystem::canonical(info.dli_fname ? info.dli_fname : "", error);
        return error ? kLibrary : (self.parent_path() / kLibrary).string();
    }
    const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
    return error ? kLibrary : (self.parent_path().parent_path() / "lib" / kLibrary).string();
}

Error refuse(const std::string& path, std::string why) {
    return {
        ErrorKind::kConfig, "load", path, std::move(why),
        "install vmemail as a whole, where the unit's user can read it; start a program anew whose "
        "installation was replaced"};
}

Result<const content::Table*> load() {
    const std::string path = library_path();
    // (Never unloaded: GLib would not survive it.)
    void* handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (handle == nullptr) {
        const char* said = ::dlerror();
        std::string words = sanitize_line(said == nullptr ? "dlopen failed" : said);
        if (words.starts_with(path + ": ")) words.erase(0, path.size() + 2);
        return fail(refuse(path, std::move(words)));
    }
    auto* entry = reinterpret_cast<content::Entry*>(::dlsym(handle, content::kEntry));
    if (entry == nullptr) return fail(refuse(path, std::string("it has no ") + content::kEntry));
    const content::Table* table = entry(owns_process());
    if (std::string_view(table->build) != VM_CONTENT_BUILD)
        return fail(refuse(path, "it is another version's"));
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

Result<> content::check() {
    VM_TRY(library());
    return {};
}

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

Result<std::string> transcribe(const TranscriptOptions& options,
                               const std::filesystem::path& recording) {
    VM_ASSIGN(const content::Table* table, library());
    return table->transcribe(options, recording);
}

}  // namespace media

}  // namespace vm
