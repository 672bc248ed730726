// Which plugin a process is loading, in memory that it shares with the process that started it: a
// plugin that crashes before it can be refused is named all the same.
//
// Made by the parent. use() in the child, before its other threads start; plugin() in the parent,
// after the child's end.
#ifndef VM_TRANSPORT_LOADING_NOTE_H
#define VM_TRANSPORT_LOADING_NOTE_H

#include "base/error.h"
#include "base/files.h"

#include <atomic>
#include <filesystem>
#include <string>

namespace vm::transport {

class LoadingNote {
  public:
    // Where there is no memory for it nothing is ever noted.
    LoadingNote();
    ~LoadingNote();
    LoadingNote(const LoadingNote&) = delete;
    LoadingNote& operator=(const LoadingNote&) = delete;

    void clear();
    // From now on Plugin::load() of this process notes here.
    void use() const;
    // The file that was being loaded, "" when none was, and what it was like before that.
    std::filesystem::path plugin() const;
    FileStamp stamp() const;

    // Says that `file` is being loaded, for as long as the object lives.
    class Scope {
      public:
        explicit Scope(const std::filesystem::path& file);
        ~Scope();
        Scope(const Scope&) = delete;
        Scope& operator=(const Scope&) = delete;
    };

  private:
    struct Memory;
    Memory* memory_ = nullptr;
    static std::atomic<Memory*> used_;  // null: this process notes nowhere
};

// What a plugin is refused with that ended its process; `how`: "signal 7 (Bus error)".
Error crashed_while_loading(const std::filesystem::path& file, const std::string& how);

}  // namespace vm::transport

#endif
