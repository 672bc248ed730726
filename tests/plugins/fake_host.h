// A host for plugin code under test: keeps what is traced, stops when told.
#ifndef VM_TESTS_PLUGINS_FAKE_HOST_H
#define VM_TESTS_PLUGINS_FAKE_HOST_H

#include "common/host.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

namespace vm::testing {

class FakeHost {
  public:
    FakeHost() {
        table_.abi_version = VM_TRANSPORT_ABI;
        table_.struct_size = sizeof table_;
        table_.context = this;
        table_.trace = [](void* self, void*, const char* line) {
            auto& host = *static_cast<FakeHost*>(self);
            const std::lock_guard lock(host.mutex_);
            host.lines_.emplace_back(line);
            host.traced_.notify_all();
        };
        table_.cancelled = [](void* self, void*) {
            auto& host = *static_cast<FakeHost*>(self);
            return host.cancelled && host.cancelled() ? 1 : 0;
        };
        table_.traces = [](void* self) { return static_cast<FakeHost*>(self)->reads ? 1 : 0; };
    }
    // Gives tokens from now on: `give` gets the refused one, or "", and returns another, or throws
    // its reason.
    void give_tokens(std::function<std::string(const std::string& refused)> give) {
        give_ = std::move(give);
        table_.token = [](void* self, void*, const char* refused, char* token, std::size_t size,
                          char* error, std::size_t error_size) {
            try {
                const std::string given =
                    static_cast<FakeHost*>(self)->give_(refused == nullptr ? "" : refused);
                plug::copy_text(token, size, given);
                return int{VM_OK};
            } catch (const std::exception& reason) {
                plug::copy_text(error, error_size, reason.what());
                return int{VM_FAILED};
            }
        };
    }
    FakeHost(const FakeHost&) = delete;
    FakeHost& operator=(const FakeHost&) = delete;

    std::function<bool()> cancelled;
    bool reads = true;  // what is traced

    const vm_host* table() const { return &table_; }
    plug::Host session(plug::Redactor redactor = {}) const {
        return plug::Host(&table_, nullptr, std::move(redactor));
    }
    // Blocks until a line that contains `part` was traced.
    void wait_for(const std::string& part) {
        std::unique_lock lock(mutex_);
        traced_.wait(lock, [&] {
            return std::any_of(lines_.begin(), lines_.end(), [&](const std::string& line) {
                return line.find(part) != std::string::npos;
            });
        });
    }
    std::vector<std::string> lines() const {
        const std::lock_guard lock(mutex_);
        return lines_;
    }
    std::string trace() const {
        std::string out;
        for (const std::string& line : lines()) out += line + "\n";
        return out;
    }

  private:
    vm_host table_{};
    std::function<std::string(const std::string&)> give_;
    mutable std::mutex mutex_;
    std::condition_variable traced_;
    std::vector<std::string> lines_;
};

}  // namespace vm::testing

#endif
