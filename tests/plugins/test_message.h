// A message to push, as the ABI wants it.
#ifndef VM_TESTS_PLUGINS_TEST_MESSAGE_H
#define VM_TESTS_PLUGINS_TEST_MESSAGE_H

#include "vm_transport.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

namespace vm::testing {

// Owns the text and hands it out; can fail on purpose. Stays where it is: the ABI points into it.
class TestMessage {
  public:
    explicit TestMessage(std::string text = "Subject: chariot\r\n\r\nback in service\r\n",
                         std::string sender = "driver@sun.af.mil",
                         std::string recipient = "God@heaven.af.mil")
        : text_(std::move(text)), sender_(std::move(sender)), recipient_(std::move(recipient)) {
        abi_.struct_size = sizeof abi_;
        abi_.sender = sender_.c_str();
        abi_.recipient = recipient_.c_str();
        abi_.size = text_.size();
        abi_.read_context = this;
        abi_.read = [](void* self, void* buffer, std::size_t capacity) {
            return static_cast<TestMessage*>(self)->read(buffer, capacity);
        };
        abi_.rewind = [](void* self) {
            static_cast<TestMessage*>(self)->offset_ = 0;
            return 0;
        };
    }
    TestMessage(const TestMessage&) = delete;
    TestMessage& operator=(const TestMessage&) = delete;

    vm_message& abi() { return abi_; }
    const vm_message& operator*() const { return abi_; }
    const std::string& text() const { return text_; }
    // From this offset on, reading fails.
    void fail_at(std::size_t offset) { fail_at_ = offset; }
    void again() { offset_ = 0; }

  private:
    std::int64_t read(void* buffer, std::size_t capacity) {
        if (offset_ >= fail_at_) return -1;
        const std::size_t n = std::min({capacity, text_.size() - offset_, fail_at_ - offset_});
        std::memcpy(buffer, text_.data() + offset_, n);
        offset_ += n;
        return static_cast<std::int64_t>(n);
    }

    std::string text_, sender_, recipient_;
    std::size_t offset_ = 0;
    std::size_t fail_at_ = std::string::npos;
    vm_message abi_{};
};

}  // namespace vm::testing

#endif
