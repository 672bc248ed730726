// A password or token. It has no printable form: no operator<<, no conversion, and its memory is
// cleared when it goes. reveal() is the only way out; grep for it to see who handles secrets.
#ifndef VM_BASE_SECRET_H
#define VM_BASE_SECRET_H

#include <string>
#include <utility>

namespace vm {

class Secret {
  public:
    Secret() = default;
    explicit Secret(std::string value) : value_(std::move(value)) {}
    Secret(const Secret&) = default;
    // Copies, as a moved-from string may keep its bytes where nobody clears them.
    // NOLINTNEXTLINE(performance-move-constructor-init,cert-oop11-cpp)
    Secret(Secret&& other) noexcept : value_(other.value_) { other.clear(); }
    Secret& operator=(const Secret& other) {
        if (this != &other) {
            clear();
            value_ = other.value_;
        }
        return *this;
    }
    Secret& operator=(Secret&& other) noexcept {
        if (this != &other) {
            clear();
            value_ = other.value_;
            other.clear();
        }
        return *this;
    }
    ~Secret() { clear(); }

    bool empty() const { return value_.empty(); }
    const std::string& reveal() const { return value_; }
    bool operator==(const Secret& other) const { return value_ == other.value_; }

  private:
    void clear() noexcept;
    std::string value_;
};

}  // namespace vm

#endif
