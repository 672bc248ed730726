// Which files are loaded as plugins, and how the others are refused.
#include "transport/plugin.h"

#include "../base/temporary_directory.h"

#include <cppunit/extensions/HelperMacros.h>

#include <cstdlib>
#include <fstream>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>

namespace vm::transport {

namespace {

namespace fs = std::filesystem;

class PluginTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(PluginTest);
    CPPUNIT_TEST(loads_the_real_ones);
    CPPUNIT_TEST(loading_again_gives_the_same);
    CPPUNIT_TEST(missing_file);
    CPPUNIT_TEST(directory_fifo_and_text);
    CPPUNIT_TEST(file_others_can_write);
    CPPUNIT_TEST(directory_others_can_write);
    CPPUNIT_TEST(file_of_another_user);
    CPPUNIT_TEST(link_is_judged_by_what_it_names);
    CPPUNIT_TEST(no_plugin);
    CPPUNIT_TEST(wrong_abi_names_both_versions);
    CPPUNIT_TEST(short_struct);
    CPPUNIT_TEST(null_function);
    CPPUNIT_TEST(refuses_its_host);
    CPPUNIT_TEST(throws_when_started);
    CPPUNIT_TEST_SUITE_END();

    std::optional<vm::testing::TemporaryDirectory> directory_;

  public:
    void setUp() override { directory_.emplace(); }
    void tearDown() override { directory_.reset(); }

  private:
    static fs::path build() {
        const char* directory = std::getenv("VM_BUILD");
        return directory == nullptr ? "build" : directory;
    }
    static fs::path fixture(const std::string& name) {
        return build() / "test" / ("lib" + name + ".so");
    }
    fs::path copy_of(const fs::path& file, mode_t mode = 0755) {
        const fs::path copy = directory_->path() / file.filename();
        fs::copy_file(file, copy, fs::copy_options::overwrite_existing);
        ::chmod(copy.c_str(), mode);
        return copy;
    }

    // Refused as configuration, naming the file as it was given, for `reason`.
    static void refused(const fs::path& file, const std::string& reason) {
        const auto plugin = Plugin::load(file);
        CPPUNIT_ASSERT_MESSAGE(file.string(), !plugin);
        const std::string text = plugin.error().text();
        CPPUNIT_ASSERT_EQUAL_MESSAGE(text, ErrorKind::kConfig, plugin.error().kind);
        CPPUNIT_ASSERT_MESSAGE(text, text.starts_with("load plugin: " + file.string() + ": "));
        CPPUNIT_ASSERT_MESSAGE(text, text.find(reason) != std::string::npos);
        CPPUNIT_ASSERT_MESSAGE(text, text.find('\n') == std::string::npos);
    }

    void loads_the_real_ones() {
        for (const char* name : {"smtpimap4", "smtppop3"}) {
            const auto plugin = Plugin::load(build() / "lib" / (std::string("lib") + name + ".so"));
            CPPUNIT_ASSERT_MESSAGE(plugin ? "" : plugin.error().text(), plugin.has_value());
            CPPUNIT_ASSERT_EQUAL(std::string(name), plugin->name());
            CPPUNIT_ASSERT(!plugin->description().empty());
            const bool imap = plugin->name() == "smtpimap4";
            CPPUNIT_ASSERT(plugin->can_search());
            CPPUNIT_ASSERT(plugin->can_sync() == imap && plugin->can_visit() == !imap);
        }
    }

    // The fixture aborts when it is started twice.
    void loading_again_gives_the_same() {
        CPPUNIT_ASSERT(Plugin::load(fixture("liar")).has_value());
        CPPUNIT_ASSERT(Plugin::load(fixture("liar")).has_value());
    }

    void missing_file() { refused(directory_->path() / "none.so", "No such file or directory"); }

    void directory_fifo_and_text() {
        refused(directory_->path(), "not a regular file");
        const fs::path fifo = directory_->path() / "fifo";
        CPPUNIT_ASSERT_EQUAL(0, ::mkfifo(fifo.c_str(), 0600));
        refused(fifo, "not a regular file");
        const fs::path text = directory_->path() / "text.so";
        std::ofstream(text) << "not a library";
        ::chmod(text.c_str(), 0644);
        refused(text, "file too short");
    }

    void file_others_can_write() {
        refused(copy_of(fixture("liar"), 0757), "anyone can change it");
        refused(copy_of(fixture("liar"), 0775), "its group can change it");
    }

    void directory_others_can_write() {
        const fs::path open = directory_->path() / "open", inner = open / "inner";
        fs::create_directories(inner);
        ::chmod(open.c_str(), 0777);
        const fs::path file = inner / "libliar.so";
        fs::copy_file(fixture("liar"), file);
        ::chmod(file.c_str(), 0755);
        refused(file, "anyone can replace it: " + fs::canonical(open).string());
        ::chmod(open.c_str(), 01777);  // sticky: others cannot rename what is not theirs
        CPPUNIT_ASSERT(Plugin::load(file).has_value());
    }

    void file_of_another_user() {
        if (::geteuid() != 0) return;  // only root can make one
        const fs::path file = copy_of(fixture("liar"));
        CPPUNIT_ASSERT_EQUAL(0, ::chown(file.c_str(), 12345, 12345));
        refused(file, "owned by user 12345");
    }

    void link_is_judged_by_what_it_names() {
        const fs::path link = directory_->path() / "link.so";
        fs::create_symlink(copy_of(fixture("liar"), 0757), link);
        refused(link, "anyone can change it");
        fs::remove(link);
        fs::create_symlink(directory_->path() / "gone", link);
        refused(link, "No such file");
    }

    void no_plugin() { refused(fixture("no_symbol"), "it has no vm_transport_entry"); }
    void wrong_abi_names_both_versions() {
        refused(fixture("wrong_abi"), "it has transport ABI 42, this program has 1");
    }
    void short_struct() { refused(fixture("short_struct"), "its vm_transport has "); }
    void null_function() { refused(fixture("null_function"), "its function push is null"); }
    void refuses_its_host() { refused(fixture("null_table"), "it refused transport ABI 1"); }
    void throws_when_started() { refused(fixture("throw_entry"), "it threw an exception"); }
};

CPPUNIT_TEST_SUITE_REGISTRATION(PluginTest);

}  // namespace

}  // namespace vm::transport
