#include "transport/loading_note.h"

#include <algorithm>
#include <array>
#include <climits>
#include <sys/mman.h>

namespace vm::transport {

struct LoadingNote::Memory {
    FileStamp stamp;
    std::array<char, PATH_MAX> path;  // with a zero behind it; "": nothing is being loaded
};

std::atomic<LoadingNote::Memory*> LoadingNote::used_{nullptr};

LoadingNote::LoadingNote() {
    // Zeros: nothing is being loaded.
    void* const memory =
        ::mmap(nullptr, sizeof(Memory), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory != MAP_FAILED) memory_ = static_cast<Memory*>(memory);
}

LoadingNote::~LoadingNote() {
    if (memory_ != nullptr) ::munmap(memory_, sizeof(Memory));
}

void LoadingNote::clear() {
    if (memory_ != nullptr) memory_->path.front() = '\0';
}

void LoadingNote::use() const {
    used_ = memory_;
}

std::filesystem::path LoadingNote::plugin() const {
    if (memory_ == nullptr) return {};
    // (What a dying process has scribbled may have no end.)
    const auto& path = memory_->path;
    return std::string(path.begin(), std::find(path.begin(), path.end(), '\0'));
}

FileStamp LoadingNote::stamp() const {
    return memory_ == nullptr ? FileStamp{} : memory_->stamp;
}

LoadingNote::Scope::Scope(const std::filesystem::path& file) {
    Memory* const memory = used_;
    if (memory == nullptr) return;
    memory->stamp = file_stamp(file);
    const std::size_t length = file.native().copy(memory->path.data(), memory->path.size() - 1);
    memory->path.at(length) = '\0';
}

LoadingNote::Scope::~Scope() {
    if (Memory* const memory = used_; memory != nullptr) memory->path.front() = '\0';
}

Error crashed_while_loading(const std::filesystem::path& file, const std::string& how) {
    return {ErrorKind::kConfig, "load plugin", file.string(), "it ended its process by " + how,
            "install the plugin that belongs to this program, or name another in g_szEmailDllPath"};
}

}  // namespace vm::transport
