#include "transport/loading_note.h"

#include <algorithm>
#include <atomic>
#include <climits>
#include <sys/mman.h>

namespace vm::transport {

namespace {

constexpr std::size_t kBytes = PATH_MAX;
std::atomic<char*> g_memory{nullptr};  // null: this process notes nowhere

}  // namespace

LoadingNote::LoadingNote() {
    void* const memory =
        ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory != MAP_FAILED) memory_ = static_cast<char*>(memory);
}

LoadingNote::~LoadingNote() {
    if (memory_ != nullptr) ::munmap(memory_, kBytes);
}

void LoadingNote::clear() {
    if (memory_ != nullptr) *memory_ = '\0';
}

void LoadingNote::use() const {
    g_memory = memory_;
}

std::filesystem::path LoadingNote::plugin() const {
    if (memory_ == nullptr) return {};
    // (What a dying process has scribbled may have no end.)
    return std::string(memory_, std::find(memory_, memory_ + kBytes, '\0'));
}

LoadingNote::Scope::Scope(const std::filesystem::path& file) {
    char* const memory = g_memory;
    if (memory == nullptr) return;
    const std::size_t length = file.native().copy(memory, kBytes - 1);
    memory[length] = '\0';
}

LoadingNote::Scope::~Scope() {
    if (char* const memory = g_memory; memory != nullptr) *memory = '\0';
}

Error crashed_while_loading(const std::filesystem::path& file, const std::string& how) {
    return {ErrorKind::kConfig, "load plugin", file.string(), "it ended its process by " + how,
            "install the plugin that belongs to this program, or name another in g_szEmailDllPath"};
}

}  // namespace vm::transport
