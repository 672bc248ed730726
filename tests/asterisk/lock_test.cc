#include "asterisk/lock.h"

#include "../base/temporary_directory.h"
#include "base/files.h"

#include <cppunit/extensions/HelperMacros.h>

#include <atomic>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <string>
#include <sys/file.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

using namespace vm;
using namespace vm::asterisk;
namespace fs = std::filesystem;

constexpr std::chrono::milliseconds kNot{0}, kLong{10'000};
const std::string kOwner = "vmasterisk /some/root\n";

class LockTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(LockTest);
    CPPUNIT_TEST(it_is_asterisks_lock);
    CPPUNIT_TEST(flock_is_asterisks_too);
    CPPUNIT_TEST(all_or_none);
    CPPUNIT_TEST(one_at_a_time);
    CPPUNIT_TEST(only_own_locks_are_broken);
    CPPUNIT_TEST(a_folder_that_cannot_be_locked);
    CPPUNIT_TEST_SUITE_END();

    testing::TemporaryDirectory directory_;

    fs::path folder(const std::string& name) {
        const fs::path out = directory_.path() / name;
        fs::create_directories(out);
        return out;
    }
    static int files(const fs::path& folder) {
        return static_cast<int>(
            std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
    }

    void it_is_asterisks_lock() {
        const fs::path inbox = folder("INBOX");
        {
            const auto locks = Locks::take({inbox}, LockMode::kLockFile, kOwner, kNot);
            CPPUNIT_ASSERT(locks.has_value());
            CPPUNIT_ASSERT(fs::is_regular_file(inbox / ".lock"));
            CPPUNIT_ASSERT_EQUAL(1, files(inbox));
            CPPUNIT_ASSERT_EQUAL(kOwner, read_file(inbox / ".lock").value_or(""));
        }
        CPPUNIT_ASSERT_EQUAL(0, files(inbox));
        std::ofstream(inbox / ".lock") << "";  // Asterisk's
        // The words stay what they are as time goes by: each is told once.
        const timespec made[] = {{1'700'000'000, 0}, {1'700'000'000, 0}};
        ::utimensat(AT_FDCWD, (inbox / ".lock").c_str(), made, 0);
        const auto refused = Locks::take({inbox}, LockMode::kLockFile, "other\n", kNot);
        CPPUNIT_ASSERT(!refused && refused.error().kind == ErrorKind::kRetryLater);
        CPPUNIT_ASSERT(refused.error().reason.ends_with("made 2023-11-14T22:13:20.000Z"));
        CPPUNIT_ASSERT_EQUAL(1, files(inbox));
    }

    void flock_is_asterisks_too() {
        const fs::path inbox = folder("INBOX");
        const auto open_lock = [&] {
            return UniqueFd(::open((inbox / "lock").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
        };
        {
            const auto locks = Locks::take({inbox}, LockMode::kFlock, kOwner, kNot);
            CPPUNIT_ASSERT(locks.has_value());
            CPPUNIT_ASSERT(::flock(open_lock().get(), LOCK_EX | LOCK_NB) != 0);
        }
        const UniqueFd theirs = open_lock();
        CPPUNIT_ASSERT_EQUAL(0, ::flock(theirs.get(), LOCK_EX | LOCK_NB));
        CPPUNIT_ASSERT(!Locks::take({inbox}, LockMode::kFlock, kOwner, kNot));
        // Asterisk removes the file while it holds it: there is another one to lock then.
        fs::remove(inbox / "lock");
        CPPUNIT_ASSERT(Locks::take({inbox}, LockMode::kFlock, kOwner, kNot).has_value());
        fs::create_symlink("/etc/passwd", folder("other") / "lock");
        CPPUNIT_ASSERT(!Locks::take({folder("other")}, LockMode::kFlock, kOwner, kNot));
    }

    // Who waits holds nothing that another waits for.
    void all_or_none() {
        for (const LockMode mode : {LockMode::kLockFile, LockMode::kFlock}) {
            const fs::path a = folder("a"), b = folder("b");
            {
                const auto theirs = Locks::take({b}, mode, "other\n", kNot);
                CPPUNIT_ASSERT(theirs.has_value());
                CPPUNIT_ASSERT(!Locks::take({a, b}, mode, kOwner, kNot));
                CPPUNIT_ASSERT(Locks::take({a}, mode, kOwner, kNot).has_value());
            }
            CPPUNIT_ASSERT(Locks::take({a, b}, mode, kOwner, kNot).has_value());
        }
    }

    void one_at_a_time() {
        for (const LockMode mode : {LockMode::kLockFile, LockMode::kFlock}) {
            const fs::path a = folder("a"), b = folder("b");
            std::atomic<int> inside{0}, most{0}, done{0};
            std::vector<std::thread> threads;
            for (int i = 0; i < 4; ++i)
                threads.emplace_back([&, i] {
                    for (int turn = 0; turn < 20; ++turn) {
                        const std::vector<fs::path> order =
                            i % 2 ? std::vector{a, b} : std::vector{b, a};
                        const auto locks =
                            Locks::take(order, mode, "owner " + std::to_string(i) + "\n", kLong);
                        if (!locks) continue;
                        const int now = ++inside;
                        if (now > most) most = now;
                        std::this_thread::yield();
                        --inside;
                        ++done;
                    }
                });
            for (std::thread& thread : threads) thread.join();
            CPPUNIT_ASSERT_EQUAL(1, most.load());
            CPPUNIT_ASSERT_EQUAL(80, done.load());
        }
    }

    void only_own_locks_are_broken() {
        const fs::path inbox = folder("INBOX");
        CPPUNIT_ASSERT_EQUAL(0, break_own_locks(inbox, kOwner).value_or(-1));
        CPPUNIT_ASSERT_EQUAL(0, break_own_locks(inbox / "none", kOwner).value_or(-1));
        for (const std::string& theirs :
             {std::string(), std::string("vmasterisk /some/roo"), kOwner + "x"}) {
            std::ofstream(inbox / ".lock") << theirs;
            CPPUNIT_ASSERT_EQUAL(0, break_own_locks(inbox, kOwner).value_or(-1));
            CPPUNIT_ASSERT(fs::exists(inbox / ".lock"));
        }
        std::ofstream(inbox / ".lock") << kOwner;
        CPPUNIT_ASSERT_EQUAL(1, break_own_locks(inbox, kOwner).value_or(-1));
        CPPUNIT_ASSERT_EQUAL(0, files(inbox));
    }

    void a_folder_that_cannot_be_locked() {
        const auto refused = Locks::take({folder("a"), directory_.path() / "none"},
                                         LockMode::kLockFile, kOwner, kLong);
        CPPUNIT_ASSERT(!refused && refused.error().kind == ErrorKind::kNoInput);
        CPPUNIT_ASSERT_EQUAL(0, files(folder("a")));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(LockTest);

}  // namespace
