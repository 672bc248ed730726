#include "base/files.h"

#include "temporary_directory.h"

#include <cppunit/extensions/HelperMacros.h>

#include <fcntl.h>
#include <fstream>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

namespace {

using namespace vm;

class FilesTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(FilesTest);
    CPPUNIT_TEST(reads_back_what_was_written);
    CPPUNIT_TEST(refuses_a_file_over_the_limit);
    CPPUNIT_TEST(names_what_is_missing);
    CPPUNIT_TEST(waits_for_no_writer);
    CPPUNIT_TEST(replaces_with_the_mode_asked_for);
    CPPUNIT_TEST(a_failed_replacement_leaves_the_old_file_and_nothing_else);
    CPPUNIT_TEST(copies_into_a_new_file_only);
    CPPUNIT_TEST(a_failed_copy_leaves_nothing);
    CPPUNIT_TEST(an_unnamed_file_has_no_name);
    CPPUNIT_TEST(a_temporary_file_goes_with_its_object);
    CPPUNIT_TEST(a_full_disk_is_told_as_such);
    CPPUNIT_TEST(owns_its_descriptor);
    CPPUNIT_TEST_SUITE_END();

    vm::testing::TemporaryDirectory directory_;
    std::filesystem::path file(const char* name) const { return directory_.path() / name; }

    static mode_t mode_of(const std::filesystem::path& path) {
        struct stat status {};
        CPPUNIT_ASSERT_EQUAL(0, ::stat(path.c_str(), &status));
        return status.st_mode & 07777;
    }

    void reads_back_what_was_written() {
        const std::string content("a\0b\r\n", 5);
        CPPUNIT_ASSERT(write_file_atomic(file("f"), content, 0600));
        CPPUNIT_ASSERT_EQUAL(content, read_file(file("f")).value());
    }

    void refuses_a_file_over_the_limit() {
        CPPUNIT_ASSERT(write_file_atomic(file("f"), "12345", 0600));
        CPPUNIT_ASSERT(read_file(file("f"), 5).has_value());
        CPPUNIT_ASSERT_EQUAL(std::string("larger than 4 bytes"),
                             read_file(file("f"), 4).error().reason);
    }

    void names_what_is_missing() {
        const auto missing = read_file(file("none"));
        CPPUNIT_ASSERT(missing.error().kind == ErrorKind::kNoInput);
        CPPUNIT_ASSERT_EQUAL("read: " + file("none").string() + ": No such file or directory",
                             missing.error().text());
    }

    void waits_for_no_writer() {
        CPPUNIT_ASSERT_EQUAL(0, ::mkfifo(file("fifo").c_str(), 0600));
        CPPUNIT_ASSERT_EQUAL(std::string("it is not a regular file"),
                             read_file(file("fifo")).error().reason);
        CPPUNIT_ASSERT(!read_file(directory_.path()).has_value());
    }

    void replaces_with_the_mode_asked_for() {
        const mode_t old_mask = ::umask(0077);
        CPPUNIT_ASSERT(write_file_atomic(file("f"), "old", 0600));
        CPPUNIT_ASSERT(write_file_atomic(file("f"), "new", 0644));
        ::umask(old_mask);
        CPPUNIT_ASSERT_EQUAL(std::string("new"), read_file(file("f")).value());
        CPPUNIT_ASSERT_EQUAL(mode_t{0644}, mode_of(file("f")));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, directory_.files());
    }

    void a_failed_replacement_leaves_the_old_file_and_nothing_else() {
        // The target is a directory: everything up to the rename works, the rename does not.
        std::filesystem::create_directory(file("f"));
        const auto failed = write_file_atomic(file("f"), "new", 0600);
        CPPUNIT_ASSERT(!failed);
        CPPUNIT_ASSERT_EQUAL(std::string("rename to"), failed.error().operation);
        CPPUNIT_ASSERT(std::filesystem::is_directory(file("f")));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, directory_.files());
        CPPUNIT_ASSERT(write_file_atomic(file("none") / "f", "x", 0600).error().kind ==
                       ErrorKind::kNoInput);
    }

    void copies_into_a_new_file_only() {
        const std::string content(300000, 'x');  // more than one block
        CPPUNIT_ASSERT(write_file_atomic(file("from"), content, 0600));
        const UniqueFd in(::open(file("from").c_str(), O_RDONLY));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{300000},
                             copy_to_new_file(in.get(), file("to"), 0640).value());
        CPPUNIT_ASSERT_EQUAL(content, read_file(file("to")).value());
        CPPUNIT_ASSERT(!copy_to_new_file(in.get(), file("to"), 0640));
        CPPUNIT_ASSERT_EQUAL(content, read_file(file("to")).value());  // untouched
    }

    void a_failed_copy_leaves_nothing() {
        const UniqueFd not_readable(::open(file("from").c_str(), O_WRONLY | O_CREAT, 0600));
        CPPUNIT_ASSERT(!copy_to_new_file(not_readable.get(), file("to"), 0640));
        CPPUNIT_ASSERT(!std::filesystem::exists(file("to")));
    }

    void an_unnamed_file_has_no_name() {
        const auto fd = unnamed_file(directory_.path());
        CPPUNIT_ASSERT(fd.has_value());
        CPPUNIT_ASSERT(write_all(fd->get(), "abc", "unnamed"));
        char back[3];
        CPPUNIT_ASSERT_EQUAL(ssize_t{3}, ::pread(fd->get(), back, 3, 0));
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, directory_.files());
    }

    void a_temporary_file_goes_with_its_object() {
        {
            auto one = TemporaryFile::create(directory_.path(), ".pdf");
            const TemporaryFile moved = std::move(*one);
            CPPUNIT_ASSERT_EQUAL(std::string(".pdf"), moved.path().extension().string());
            CPPUNIT_ASSERT_EQUAL(mode_t{0600}, mode_of(moved.path()));
            CPPUNIT_ASSERT_EQUAL(std::size_t{1}, directory_.files());
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, directory_.files());
    }

    void a_full_disk_is_told_as_such() {
        const UniqueFd full(::open("/dev/full", O_WRONLY));
        const auto failed = write_all(full.get(), "x", "/dev/full");
        CPPUNIT_ASSERT_EQUAL(
            std::string("write: /dev/full: No space left on device; free disk space and "
                        "try again"),
            failed.error().text());
    }

    void owns_its_descriptor() {
        int number = -1;
        {
            UniqueFd fd(::open("/dev/null", O_RDONLY));
            number = fd.get();
            const UniqueFd other = std::move(fd);
            CPPUNIT_ASSERT_EQUAL(number, other.get());
            CPPUNIT_ASSERT(::fcntl(number, F_GETFD) >= 0);
        }
        CPPUNIT_ASSERT_EQUAL(-1, ::fcntl(number, F_GETFD));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(FilesTest);

}  // namespace
