// A root of its own for each test, with a store in it; removed at the end.
#ifndef VM_TESTS_STORE_ROOT_H
#define VM_TESTS_STORE_ROOT_H

#include "../base/temporary_directory.h"
#include "store/store.h"

#include <cppunit/TestAssert.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>

namespace vm::store {

class Root {
  public:
    Root() {
        std::filesystem::create_directories(paths.var());
        std::ofstream(recording()) << "as good as a recording";
    }

    std::unique_ptr<Store> open(const Clock& clock = system_clock(),
                                std::shared_ptr<SharedWriter> writer = nullptr) const {
        auto store = Store::open(paths, clock, std::move(writer));
        CPPUNIT_ASSERT_MESSAGE(store ? "" : store.error().text(), store.has_value());
        return std::move(*store);
    }

    std::filesystem::path recording() const { return paths.root / "recording"; }

    // A queued voice message for mailbox 101.
    NewMessage message(const std::string& mailbox = "101") const {
        NewMessage out;
        out.message.mailbox = mailbox;
        out.message.received = 1000;
        out.file = recording();
        out.extension = "wav";
        out.delivery = DeliveryState::kQueued;
        return out;
    }

    // Regular files below var/media.
    int media_files() const {
        int count = 0;
        std::error_code missing;
        for (std::filesystem::recursive_directory_iterator it(paths.media(), missing), end;
             it != end; ++it)
            count += it->is_regular_file() ? 1 : 0;
        return count;
    }

  private:
    testing::TemporaryDirectory directory_;

  public:
    Paths paths{directory_.path()};
};

// The value of a Result, failing the test with the error's text.
template <class T>
T good(Result<T> result) {
    CPPUNIT_ASSERT_MESSAGE(result ? "" : result.error().text(), result.has_value());
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

// The kind of error that a Result holds.
template <class T>
ErrorKind kind_of(const Result<T>& result) {
    CPPUNIT_ASSERT_MESSAGE("succeeded", !result.has_value());
    return result.error().kind;
}

}  // namespace vm::store

#endif
