#include "base/files.h"
#include "root.h"
#include "store/database.h"

#include <cppunit/extensions/HelperMacros.h>

#include <csignal>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using namespace vm;
using namespace vm::store;
namespace fs = std::filesystem;

mode_t mode_of(const fs::path& path) {
    struct stat status {};
    CPPUNIT_ASSERT_EQUAL(0, ::stat(path.c_str(), &status));
    return status.st_mode & 07777;
}

class MessagesTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(MessagesTest);
    CPPUNIT_TEST(keeps_every_field);
    CPPUNIT_TEST(files_are_private_and_where_they_belong);
    CPPUNIT_TEST(neutralises_what_a_caller_sent);
    CPPUNIT_TEST(an_inspection_sees_the_copy_and_can_refuse_it);
    CPPUNIT_TEST(a_failed_add_leaves_no_file);
    CPPUNIT_TEST(a_file_too_large_for_the_disk_leaves_nothing);
    CPPUNIT_TEST(refuses_what_is_no_file);
    CPPUNIT_TEST(refuses_bad_arguments);
    CPPUNIT_TEST(lists_by_mailbox_folder_and_state);
    CPPUNIT_TEST(marks_and_remembers_each_change_once);
    CPPUNIT_TEST(a_deleted_message_comes_back_as_it_was);
    CPPUNIT_TEST(folder_names);
    CPPUNIT_TEST(an_unknown_id_is_no_input);
    CPPUNIT_TEST_SUITE_END();

    void keeps_every_field() {
        const Root root;
        ManualClock clock(5000);
        NewMessage incoming = root.message("00000042");
        Message& m = incoming.message;
        m.kind = MessageKind::kFax;
        m.folder = "Büro/Alt";
        m.urgent = true;
        m.is_private = true;
        m.caller_number = "+49 (30) 1234";
        m.caller_name = "Zoë ‘%s’ \"O'Neil\" <x>; DROP";
        m.received = -1;
        m.pages = 7;
        m.duration_ms = 1LL << 40;
        incoming.delivery = DeliveryState::kOff;
        incoming.delivery_reason = "Email Integration is No";
        const std::string id = good(root.open(clock)->add(incoming));

        const MessageRecord record = good(root.open()->get(id));
        CPPUNIT_ASSERT_EQUAL(std::string("00000042"), record.message.mailbox);
        CPPUNIT_ASSERT(record.message.kind == MessageKind::kFax);
        CPPUNIT_ASSERT_EQUAL(m.folder, record.message.folder);
        CPPUNIT_ASSERT(record.message.state == MessageState::kNew);
        CPPUNIT_ASSERT(record.message.urgent && record.message.is_private);
        CPPUNIT_ASSERT_EQUAL(m.caller_number, record.message.caller_number);
        CPPUNIT_ASSERT_EQUAL(m.caller_name, record.message.caller_name);
        CPPUNIT_ASSERT_EQUAL(TimeMs{-1}, record.message.received);
        CPPUNIT_ASSERT_EQUAL(7, record.message.pages);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1} << 40, record.message.duration_ms);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{22}, record.message.size);
        CPPUNIT_ASSERT_EQUAL(TimeMs{5000}, record.message.created);
        CPPUNIT_ASSERT(!record.message.deleted_at && !record.link);
        CPPUNIT_ASSERT(record.delivery.state == DeliveryState::kOff);
        CPPUNIT_ASSERT_EQUAL(0, record.delivery.attempts);
        CPPUNIT_ASSERT_EQUAL(std::string("Email Integration is No"), record.delivery.last_reply);
        CPPUNIT_ASSERT_EQUAL(std::string(), record.delivery.message_id);
    }

    void files_are_private_and_where_they_belong() {
        const Root root;
        const auto store = root.open();
        const std::string id = good(store->add(root.message()));
        const Message message = good(store->get(id)).message;
        CPPUNIT_ASSERT_EQUAL(id.substr(24) + "/" + id + ".wav", message.media);
        const fs::path media = store->media_path(message);
        CPPUNIT_ASSERT_EQUAL(std::string("as good as a recording"), good(read_file(media)));
        CPPUNIT_ASSERT_EQUAL(mode_t{0600}, mode_of(media));
        CPPUNIT_ASSERT_EQUAL(mode_t{0700}, mode_of(media.parent_path()));
        CPPUNIT_ASSERT_EQUAL(mode_t{0700}, mode_of(root.paths.media()));
        for (const char* suffix : {"", "-wal", "-shm"})
            CPPUNIT_ASSERT_EQUAL(mode_t{0600}, mode_of(root.paths.database().string() + suffix));
        CPPUNIT_ASSERT_EQUAL(1, root.media_files());
    }

    void neutralises_what_a_caller_sent() {
        const Root root;
        const auto store = root.open();
        NewMessage incoming = root.message();
        incoming.message.caller_number = " 12\r\n34\x1B[2J";
        incoming.message.caller_name = std::string("\xFF\0Bcc: x\n", 9) + std::string(5000, 'a');
        const Message message = good(store->get(good(store->add(incoming)))).message;
        CPPUNIT_ASSERT_EQUAL(std::string("12  34 [2J"), message.caller_number);
        CPPUNIT_ASSERT_EQUAL(std::size_t{200}, message.caller_name.size());
        CPPUNIT_ASSERT_EQUAL(std::string("? Bcc: x aaa"), message.caller_name.substr(0, 12));
    }

    void an_inspection_sees_the_copy_and_can_refuse_it() {
        const Root root;
        const auto store = root.open();
        NewMessage incoming = root.message();
        incoming.inspect = [&](const fs::path& copy, Message& message) -> Result<> {
            // What happens to the original from now on is of no consequence.
            std::ofstream(root.recording()) << "changed";
            message.duration_ms = static_cast<std::int64_t>(good(read_file(copy)).size());
            return {};
        };
        const Message message = good(store->get(good(store->add(incoming)))).message;
        CPPUNIT_ASSERT_EQUAL(std::int64_t{22}, message.duration_ms);
        CPPUNIT_ASSERT_EQUAL(std::string("as good as a recording"),
                             good(read_file(store->media_path(message))));

        incoming.inspect = [](const fs::path&, Message&) -> Result<> {
            return fail(ErrorKind::kMessage, "probe", "", "no recording");
        };
        CPPUNIT_ASSERT(kind_of(store->add(incoming)) == ErrorKind::kMessage);
        CPPUNIT_ASSERT_EQUAL(1, root.media_files());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, good(store->list({"101", {}, true})).size());
    }

    void a_failed_add_leaves_no_file() {
        const Root root;
        const auto store = root.open();
        {
            const auto other = good(open_database(root.paths));
            *other << "DROP TABLE history";
        }
        const auto failed = store->add(root.message());
        CPPUNIT_ASSERT(kind_of(failed) == ErrorKind::kUnavailable);
        CPPUNIT_ASSERT_EQUAL(std::string("add message to mailbox: 101: no such table: history"),
                             failed.error().text());
        CPPUNIT_ASSERT_EQUAL(0, root.media_files());
        CPPUNIT_ASSERT(good(store->list({"101", {}, true})).empty());
    }

    void a_file_too_large_for_the_disk_leaves_nothing() {
        const Root root;
        fs::resize_file(root.recording(), 1 << 20);
        const pid_t child = ::fork();
        if (child == 0) {
            // A limit of the process stands in for a full disk.
            std::signal(SIGXFSZ, SIG_IGN);
            const rlimit limit{512 << 10, 512 << 10};
            ::setrlimit(RLIMIT_FSIZE, &limit);
            const auto store = Store::open(root.paths);
            ::_exit(store && !(*store)->add(root.message()) ? 0 : 1);
        }
        int status = -1;
        CPPUNIT_ASSERT_EQUAL(child, ::waitpid(child, &status, 0));
        CPPUNIT_ASSERT_EQUAL(0, status);
        CPPUNIT_ASSERT_EQUAL(0, root.media_files());
        CPPUNIT_ASSERT(good(root.open()->list({"", {}, true})).empty());
    }

    void refuses_what_is_no_file() {
        const Root root;
        const auto store = root.open();
        NewMessage incoming = root.message();
        const fs::path fifo = root.paths.root / "fifo";
        CPPUNIT_ASSERT_EQUAL(0, ::mkfifo(fifo.c_str(), 0600));
        for (const fs::path& file :
             {root.paths.root / "missing", root.paths.root, fifo, fs::path("/dev/null")}) {
            incoming.file = file;
            CPPUNIT_ASSERT_MESSAGE(file.string(),
                                   kind_of(store->add(incoming)) == ErrorKind::kNoInput);
        }
        CPPUNIT_ASSERT_EQUAL(0, root.media_files());
    }

    void refuses_bad_arguments() {
        const Root root;
        const auto store = root.open();
        const auto refused = [&](auto change) {
            NewMessage incoming = root.message();
            change(incoming);
            CPPUNIT_ASSERT(kind_of(store->add(incoming)) == ErrorKind::kUsage);
        };
        refused([](NewMessage& m) { m.message.mailbox = "../etc"; });
        refused([](NewMessage& m) { m.message.mailbox.clear(); });
        refused([](NewMessage& m) { m.message.folder = "/"; });
        refused([](NewMessage& m) { m.extension = "../wav"; });
        refused([](NewMessage& m) { m.extension.clear(); });
        refused([](NewMessage& m) { m.delivery = DeliveryState::kSent; });
        CPPUNIT_ASSERT_EQUAL(0, root.media_files());
    }

    void lists_by_mailbox_folder_and_state() {
        const Root root;
        const auto store = root.open();
        NewMessage incoming = root.message();
        incoming.message.received = 3000;
        const std::string late = good(store->add(incoming));
        incoming.message.received = 2000;
        const std::string early = good(store->add(incoming));
        incoming.message.folder = "Saved";
        const std::string saved = good(store->add(incoming));
        const std::string other = good(store->add(root.message("102")));
        good(store->remove(late));

        const auto ids = [&](const ListQuery& query) {
            std::string out;
            for (const MessageRecord& record : good(store->list(query)))
                out += record.message.id + " ";
            return out;
        };
        const auto line = [](std::vector<std::string> all) {
            std::string out;
            for (const std::string& id : all) out += id + " ";
            return out;
        };
        const bool early_first = early < saved;
        const std::string pair = early_first ? line({early, saved}) : line({saved, early});
        CPPUNIT_ASSERT_EQUAL(pair, ids({"101", {}, false}));
        CPPUNIT_ASSERT_EQUAL(pair + late + " ", ids({"101", {}, true}));
        CPPUNIT_ASSERT_EQUAL(line({saved}), ids({"101", "Saved", true}));
        CPPUNIT_ASSERT_EQUAL(line({early}), ids({"101", "INBOX", false}));
        CPPUNIT_ASSERT_EQUAL(std::string(), ids({"101", "inbox", true}));
        CPPUNIT_ASSERT_EQUAL(line({other}) + pair, ids({"", {}, false}));
        CPPUNIT_ASSERT_EQUAL(std::string(), ids({"103", {}, true}));
    }

    void marks_and_remembers_each_change_once() {
        const Root root;
        ManualClock clock(7000);
        const auto store = root.open(clock);
        const std::string id = good(store->add(root.message()));
        clock.advance(1);
        for (int i = 0; i < 2; ++i) good(store->mark(id, MessageState::kRead));
        for (int i = 0; i < 2; ++i) good(store->move(id, "Saved"));
        for (int i = 0; i < 2; ++i) good(store->mark(id, MessageState::kNew));
        for (int i = 0; i < 2; ++i) good(store->set_urgent(id, true));
        for (int i = 0; i < 2; ++i) good(store->remove(id));
        for (int i = 0; i < 2; ++i) good(store->restore(id));
        CPPUNIT_ASSERT(kind_of(store->mark(id, MessageState::kDeleted)) == ErrorKind::kUsage);

        std::string told;
        for (const HistoryEntry& entry : good(store->history(id)))
            told += entry.what + ":" + entry.from + ">" + entry.to + "@" +
                    std::to_string(entry.time) + " ";
        CPPUNIT_ASSERT_EQUAL(
            std::string("added:>new@7000 delivery:>queued@7000 state:new>read@7001 "
                        "folder:INBOX>Saved@7001 state:read>new@7001 urgent:no>yes@7001 "
                        "state:new>deleted@7001 state:deleted>new@7001 "),
            told);
    }

    void a_deleted_message_comes_back_as_it_was() {
        const Root root;
        ManualClock clock(7000);
        const auto store = root.open(clock);
        const std::string id = good(store->add(root.message()));
        good(store->mark(id, MessageState::kRead));
        good(store->remove(id));
        const Message deleted = good(store->get(id)).message;
        CPPUNIT_ASSERT(deleted.state == MessageState::kDeleted);
        CPPUNIT_ASSERT(deleted.deleted_at == 7000);
        CPPUNIT_ASSERT(fs::exists(store->media_path(deleted)));
        CPPUNIT_ASSERT(kind_of(store->mark(id, MessageState::kNew)) == ErrorKind::kMessage);
        CPPUNIT_ASSERT(kind_of(store->move(id, "Saved")) == ErrorKind::kMessage);
        CPPUNIT_ASSERT(kind_of(store->set_urgent(id, true)) == ErrorKind::kMessage);
        CPPUNIT_ASSERT(kind_of(store->retry(id)) == ErrorKind::kMessage);
        CPPUNIT_ASSERT(good(store->due()).empty() && good(store->pending("101")).empty());

        clock.advance(500);
        good(store->restore(id));
        const MessageRecord restored = good(store->get(id));
        CPPUNIT_ASSERT(restored.message.state == MessageState::kRead);
        CPPUNIT_ASSERT(!restored.message.deleted_at);
        CPPUNIT_ASSERT_EQUAL(TimeMs{7500}, restored.delivery.queued_at);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, good(store->pending("101")).size());
    }

    void folder_names() {
        const Root root;
        const auto store = root.open();
        const std::string id = good(store->add(root.message()));
        for (const std::string& name :
             {std::string("Voice Mail Messages"), std::string("a/b"), std::string("Gelöscht"),
              std::string("'; --"), std::string(100, 'x')}) {
            good(store->move(id, name));
            CPPUNIT_ASSERT_EQUAL(name, good(store->get(id)).message.folder);
        }
        for (const std::string& name :
             {std::string(), std::string(101, 'x'), std::string(" x"), std::string("x "),
              std::string("/x"), std::string("x/"), std::string("a\nb"), std::string("a\0b", 3),
              std::string("\xFF"), std::string("\xC2\x85")})
            CPPUNIT_ASSERT_MESSAGE(name, kind_of(store->move(id, name)) == ErrorKind::kUsage);
    }

    void an_unknown_id_is_no_input() {
        const Root root;
        const auto store = root.open();
        for (const std::string& id :
             std::vector<std::string>{"", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "' OR 1=1"}) {
            CPPUNIT_ASSERT(kind_of(store->get(id)) == ErrorKind::kNoInput);
            CPPUNIT_ASSERT(kind_of(store->history(id)) == ErrorKind::kNoInput);
            CPPUNIT_ASSERT(kind_of(store->mark(id, MessageState::kRead)) == ErrorKind::kNoInput);
            CPPUNIT_ASSERT(kind_of(store->move(id, "x")) == ErrorKind::kNoInput);
            CPPUNIT_ASSERT(kind_of(store->set_urgent(id, true)) == ErrorKind::kNoInput);
            CPPUNIT_ASSERT(kind_of(store->remove(id)) == ErrorKind::kNoInput);
            CPPUNIT_ASSERT(kind_of(store->restore(id)) == ErrorKind::kNoInput);
            CPPUNIT_ASSERT(kind_of(store->retry(id)) == ErrorKind::kNoInput);
            CPPUNIT_ASSERT(kind_of(store->record_intent(id, "x")) == ErrorKind::kNoInput);
            CPPUNIT_ASSERT(kind_of(store->record_outcome({id, DeliveryEvent::kAccepted, "", 0})) ==
                           ErrorKind::kNoInput);
        }
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(MessagesTest);

}  // namespace
