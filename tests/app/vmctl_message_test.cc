#include "base/files.h"
#include "base/ids.h"
#include "vmctl_rig.h"

#include <cppunit/extensions/HelperMacros.h>

#include <unistd.h>

namespace {

using namespace vm;
using namespace vm::app;
using nlohmann::json;
namespace fs = std::filesystem;

constexpr const char* kUnknownId = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

class VmctlMessageTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(VmctlMessageTest);
    CPPUNIT_TEST(adds_a_recording_and_prints_its_id);
    CPPUNIT_TEST(the_id_is_told_though_nobody_takes_it);
    CPPUNIT_TEST(adds_a_fax);
    CPPUNIT_TEST(the_message_object_is_the_interface);
    CPPUNIT_TEST(queues_by_the_options_of_the_mailbox);
    CPPUNIT_TEST(stores_although_the_options_cannot_be_used);
    CPPUNIT_TEST(a_caller_cannot_break_the_command_line);
    CPPUNIT_TEST(refuses_media_that_is_none);
    CPPUNIT_TEST(refuses_bad_arguments);
    CPPUNIT_TEST(lists);
    CPPUNIT_TEST(a_message_lives);
    CPPUNIT_TEST(tells_the_history);
    CPPUNIT_TEST(exports_the_mail_and_the_media);
    CPPUNIT_TEST(refuses_to_export_over_what_is_no_file);
    CPPUNIT_TEST(bytes_that_are_not_utf8_do_no_harm);
    CPPUNIT_TEST(a_caller_cannot_turn_a_line_around);
    CPPUNIT_TEST(help_names_every_option);
    CPPUNIT_TEST_SUITE_END();

    static json show(const VmctlRig& rig, const std::string& id) {
        return rig.good({"message", "show", id, "--json"}).json();
    }

    void adds_a_recording_and_prints_its_id() {
        const VmctlRig rig;
        const std::string id =
            rig.add("101", {"--urgent", "--private", "--caller-number", "4711", "--caller-name",
                            "Zoë", "--received", "2026-11-22T02:30:29.5+01:00"});
        CPPUNIT_ASSERT(is_id(id));
        const json message = show(rig, id);
        CPPUNIT_ASSERT_EQUAL(1500, message["duration_ms"].get<int>());
        CPPUNIT_ASSERT_EQUAL(24044, message["size"].get<int>());
        CPPUNIT_ASSERT(message["urgent"] == true && message["private"] == true);
        CPPUNIT_ASSERT(message["caller_number"] == "4711" && message["caller_name"] == "Zoë");
        CPPUNIT_ASSERT(message["received"] == "2026-11-22T01:30:29.500Z");
        const json added = rig.good({"message", "add", "--mailbox", "101", "--kind", "voice",
                                     "--file", rig.recording().string(), "--json"})
                               .json();
        CPPUNIT_ASSERT(is_id(added["id"].get<std::string>()));
    }

    // Firmware that took the failure for one of storing would add the message twice.
    void the_id_is_told_though_nobody_takes_it() {
        const VmctlRig rig;
        struct Full : std::streambuf {
        } full;
        const VmctlOutput output = rig.run({"message", "add", "--mailbox", "101", "--kind", "voice",
                                            "--file", rig.recording().string()},
                                           &full);
        CPPUNIT_ASSERT_EQUAL(69, output.status);
        const auto stored = rig.store()->list({"101", std::nullopt, false});
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, stored->size());
        CPPUNIT_ASSERT_EQUAL(
            "vmctl: write: standard output: it takes no more data; the message is "
            "stored as " +
                stored->front().message.id + " and must not be added again\n",
            output.err);
    }

    void adds_a_fax() {
        const VmctlRig rig;
        const std::string id = rig.good({"message", "add", "--mailbox", "101", "--kind", "fax",
                                         "--file", rig.fax().string(), "--json"})
                                   .json()["id"];
        const json message = show(rig, id);
        CPPUNIT_ASSERT(message["kind"] == "fax" && message["pages"] == 2);
    }

    void the_message_object_is_the_interface() {
        const VmctlRig rig;
        json message = show(rig, rig.add());
        for (const char* name : {"id", "received", "size", "duration_ms"}) message.erase(name);
        CPPUNIT_ASSERT(message["delivery"]["next_attempt"].is_string());
        message["delivery"].erase("next_attempt");
        CPPUNIT_ASSERT_EQUAL(
            json::parse(R"({"mailbox": "101", "kind": "voice", "folder": "INBOX", "state": "new",
                "urgent": false, "private": false, "caller_number": "", "caller_name": "",
                "pages": 0, "link": null,
                "delivery": {"state": "queued", "attempts": 0, "last_reply": ""}})")
                .dump(),
            message.dump());
    }

    void queues_by_the_options_of_the_mailbox() {
        const VmctlRig rig;
        const auto delivery = [&](const std::string& id) { return show(rig, id)["delivery"]; };
        CPPUNIT_ASSERT(delivery(rig.add("101"))["state"] == "queued");
        const json off = delivery(rig.add("102"));
        CPPUNIT_ASSERT(off["state"] == "off" && off["last_reply"] == "Email Integration is No");
        CPPUNIT_ASSERT(off["next_attempt"].is_null());
        rig.mailbox("103",
                    "Email Integration = Yes\nEmail Name = a@example.com\n"
                    "Smtp Server = localhost\nEmail Integration Send Mode = Fax\n");
        CPPUNIT_ASSERT(delivery(rig.add("103"))["last_reply"] ==
                       "Email Integration Send Mode is Fax");
    }

    void stores_although_the_options_cannot_be_used() {
        const VmctlRig rig;
        rig.mailbox("104", "Email Integration = Yes\nSmtp Port = many\n");
        const VmctlOutput added = rig.run({"message", "add", "--mailbox", "104", "--kind", "voice",
                                           "--file", rig.recording().string(), "--json"});
        CPPUNIT_ASSERT_EQUAL(0, added.status);
        CPPUNIT_ASSERT_MESSAGE(added.err, added.err.find("Smtp Port") != std::string::npos);
        CPPUNIT_ASSERT(show(rig, added.json()["id"])["delivery"]["state"] == "queued");
    }

    void a_caller_cannot_break_the_command_line() {
        const VmctlRig rig;
        for (const char* name : {"-x", "--urgent", "--caller-number=", "--mailbox", "", "[a,b]",
                                 "{}", "\"q\"", "'", "list", "=", "--", "%s", "@file"}) {
            const json message = show(rig, rig.add("101", {"--caller-name", name}));
            CPPUNIT_ASSERT_EQUAL(std::string(name), message["caller_name"].get<std::string>());
            CPPUNIT_ASSERT(message["urgent"] == false);
        }
        // What follows an empty name stays an option.
        const json message =
            show(rig, rig.add("101", {"--caller-name=", "--caller-number=", "--urgent"}));
        CPPUNIT_ASSERT(message["caller_name"] == "" && message["urgent"] == true);
        CPPUNIT_ASSERT(show(rig, rig.add("101", {"--caller-name", "a\r\nb\x1B"}))["caller_name"] ==
                       "a  b ");
    }

    void refuses_media_that_is_none() {
        const VmctlRig rig;
        const auto text = (rig.paths.root / "text").string();
        std::ofstream(text) << "This is no recording.\n";
        const auto add = [&](const std::string& kind, const std::string& file) {
            return std::vector<std::string>{"message", "add", "--mailbox", "101",
                                            "--kind",  kind,  "--file",    file};
        };
        rig.bad(65, text, add("voice", text));
        rig.bad(65, text, add("fax", text));
        rig.bad(65, "recording.wav", add("fax", rig.recording().string()));
        rig.bad(65, "fax.tif", add("voice", rig.fax().string()));
        rig.bad(66, "No such file", add("voice", (rig.paths.root / "missing").string()));
        rig.bad(66, "not a regular file", add("voice", rig.paths.root.string()));
        CPPUNIT_ASSERT(rig.good({"message", "list", "--all", "--json"}).json()["messages"].empty());
        for (fs::recursive_directory_iterator it(rig.paths.media()), end; it != end; ++it)
            CPPUNIT_FAIL(it->path().string());
    }

    void refuses_bad_arguments() {
        const VmctlRig rig;
        const std::string id = rig.add(), file = rig.recording().string();
        const auto add = [&](std::vector<std::string> arguments) {
            arguments.insert(arguments.begin(), {"message", "add", "--file", file});
            return arguments;
        };
        rig.bad(64, "", {});
        rig.bad(64, "", {"message"});
        rig.bad(64, "", {"queue"});
        rig.bad(64, "", {"message", "frobnicate"});
        rig.bad(64, "1 to 8 digits", add({"--mailbox", "../101", "--kind", "voice"}));
        rig.bad(64, "neither voice nor fax", add({"--mailbox", "101", "--kind", "video"}));
        rig.bad(64, "yesterday",
                add({"--mailbox", "101", "--kind", "voice", "--received", "yesterday"}));
        rig.bad(64, "--mailbox", add({"--kind", "voice"}));
        rig.bad(66, "vmconfig mailbox create 999", add({"--mailbox", "999", "--kind", "voice"}));
        rig.bad(66, "vmconfig mailbox", {"message", "list", "--mailbox", "999"});
        rig.bad(64, "--read", {"message", "mark", id});
        rig.bad(64, "--read", {"message", "mark", id, "--read", "--new"});
        rig.bad(64, "slash", {"message", "move", id, "--folder", "/a"});
        for (const char* command : {"show", "history", "delete", "restore"}) {
            rig.bad(66, kUnknownId, {"message", command, kUnknownId});
            rig.bad(64, "ID", {"message", command});
            rig.bad(64, "extra", {"message", command, id, "extra"});
        }
        rig.bad(66, kUnknownId, {"message", "mark", kUnknownId, "--new"});
        rig.bad(66, kUnknownId, {"message", "move", kUnknownId, "--folder", "x"});
        fs::remove_all(rig.paths.var());
        rig.bad(66, "vmconfig init", {"message", "list"});
    }

    void lists() {
        const VmctlRig rig;
        CPPUNIT_ASSERT_EQUAL(std::string("No messages.\n"),
                             rig.good({"message", "list", "--mailbox", "101"}).out);
        const std::string first =
            rig.add("101", {"--caller-name", "Zoë", "--received", "2026-11-22T01:30:29Z"});
        const std::string second = rig.add();
        const std::string other = rig.add("102");
        rig.good({"message", "move", second, "--folder", "Saved"});
        const auto ids = [&](std::vector<std::string> arguments) {
            arguments.insert(arguments.begin(), {"message", "list", "--json"});
            std::string out;
            const json all = rig.good(arguments).json();
            for (const json& message : all["messages"])
                out += message["id"].get<std::string>() + " ";
            return out;
        };
        CPPUNIT_ASSERT_EQUAL(first + " " + second + " ", ids({"--mailbox", "101"}));
        CPPUNIT_ASSERT_EQUAL(second + " ", ids({"--mailbox", "101", "--folder", "Saved"}));
        CPPUNIT_ASSERT(ids({}).find(other) != std::string::npos);
        rig.good({"message", "delete", second});
        CPPUNIT_ASSERT_EQUAL(first + " ", ids({"--mailbox", "101"}));
        CPPUNIT_ASSERT_EQUAL(first + " " + second + " ", ids({"--mailbox", "101", "--all"}));
        CPPUNIT_ASSERT_EQUAL(
            "ID                          MAILBOX  RECEIVED              KIND   LENGTH  STATE  "
            "DELIVERY  FOLDER  CALLER\n" +
                first +
                "  101      2026-11-22 01:30:29Z  voice  0:02    new    queued    INBOX   Zoë\n",
            rig.good({"message", "list", "--mailbox", "101"}).out);
    }

    void a_message_lives() {
        const VmctlRig rig;
        const std::string id = rig.add();
        const auto after = [&](std::vector<std::string> arguments) {
            arguments.insert(arguments.begin(), "message");
            CPPUNIT_ASSERT_EQUAL(std::string(), rig.good(arguments).out);
            arguments.emplace_back("--json");
            return rig.good(arguments).json();  // once more: it is idempotent
        };
        CPPUNIT_ASSERT(after({"mark", id, "--read"})["state"] == "read");
        CPPUNIT_ASSERT(after({"move", id, "--folder", "Büro/Alt"})["folder"] == "Büro/Alt");
        CPPUNIT_ASSERT(after({"delete", id})["state"] == "deleted");
        rig.bad(65, "restore it first", {"message", "mark", id, "--new"});
        CPPUNIT_ASSERT(after({"restore", id})["state"] == "read");
        CPPUNIT_ASSERT(after({"mark", id, "--new"})["state"] == "new");
        const std::string text = rig.good({"message", "show", id}).out;
        CPPUNIT_ASSERT_MESSAGE(
            text, text.find("Mailbox:    101, folder Büro/Alt\n") != std::string::npos);
        CPPUNIT_ASSERT_MESSAGE(
            text, text.find("Kind:       voice, 0:02, 24044 bytes\n") != std::string::npos);
    }

    void tells_the_history() {
        const VmctlRig rig;
        const std::string id = rig.add("102");
        const json history = rig.good({"message", "history", id, "--json"}).json()["history"];
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, history.size());
        json delivery = history[1];
        CPPUNIT_ASSERT_EQUAL(std::size_t{24}, delivery["time"].get<std::string>().size());
        delivery.erase("time");
        CPPUNIT_ASSERT_EQUAL(json::parse(R"({"what": "delivery", "from": "", "to": "off",
                                            "reply": "Email Integration is No"})")
                                 .dump(),
                             delivery.dump());
        CPPUNIT_ASSERT(rig.good({"message", "history", id})
                           .out.find("delivery  -     off  Email Integration is No\n") !=
                       std::string::npos);
    }

    void exports_the_mail_and_the_media() {
        const VmctlRig rig;
        const std::string id = rig.add();
        const fs::path output = rig.paths.root / "out put";
        std::ofstream(output) << "old";
        const json done = rig.good({"message", "export", id, "--as", "media", "--output",
                                    output.string(), "--json"})
                              .json();
        CPPUNIT_ASSERT_EQUAL(24044, done["size"].get<int>());
        CPPUNIT_ASSERT(*read_file(output) == *read_file(rig.recording()));
        struct stat status {};
        CPPUNIT_ASSERT_EQUAL(0, ::stat(output.c_str(), &status));
        CPPUNIT_ASSERT_EQUAL(mode_t{0600}, status.st_mode & 07777);

        rig.good({"message", "export", id, "--as", "eml", "--output", output.string()});
        const std::string mail = *read_file(output);
        CPPUNIT_ASSERT(mail.find("\r\nTo: ann@example.com\r\n") != std::string::npos);
        CPPUNIT_ASSERT(mail.find("X-VM-Message-Id: " + id + "\r\n") != std::string::npos);

        rig.bad(78, "Email Name",
                {"message", "export", rig.add("102"), "--as", "eml", "--output", output.string()});
        CPPUNIT_ASSERT(mail == *read_file(output));
        std::size_t temporaries = 0;
        for (const auto& entry : fs::directory_iterator(rig.paths.root))
            temporaries += entry.path().extension() == ".tmp" ? 1 : 0;
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, temporaries);
    }

    void refuses_to_export_over_what_is_no_file() {
        const VmctlRig rig;
        const std::string id = rig.add();
        const auto to = [&](const std::string& output) {
            return std::vector<std::string>{"message", "export",   id,    "--as",
                                            "media",   "--output", output};
        };
        rig.bad(64, "/dev/null", to("/dev/null"));
        rig.bad(64, "not a regular file", to(rig.paths.root.string()));
        rig.bad(66, "/nonexistent/x", to("/nonexistent/x"));
        std::vector<std::string> both = to("-");
        both.emplace_back("--json");
        rig.bad(64, "--json", both);
        rig.bad(64, "neither eml nor media",
                {"message", "export", id, "--as", "pdf", "--output", "x"});
    }

    void bytes_that_are_not_utf8_do_no_harm() {
        const VmctlRig rig;
        CPPUNIT_ASSERT(show(rig, rig.add("101", {"--caller-name", "\xFF\xC3"}))["caller_name"] ==
                       "??");
        rig.bad(66, "there is no such message", {"message", "show", "\xFF", "--json"});
        rig.bad(64, "not UTF-8", {"message", "move", rig.add(), "--folder", "\xFF"});
    }

    void a_caller_cannot_turn_a_line_around() {
        const VmctlRig rig;
        const std::string name = "Ann \u202E4711\u202C \u2067x\u2069 \u05D0";
        const std::string id = rig.add("101", {"--caller-name", name});
        CPPUNIT_ASSERT(show(rig, id)["caller_name"] == name);
        rig.good({"message", "move", id, "--folder", "f\u202E"});
        for (const auto& command : {std::vector<std::string>{"message", "list"},
                                    {"message", "show", id},
                                    {"message", "history", id}}) {
            const std::string out = rig.good(command).out;
            CPPUNIT_ASSERT_MESSAGE(out, out.find("\u202E") == std::string::npos);
            CPPUNIT_ASSERT_MESSAGE(
                out, command[1] == "history" || out.find("Ann 4711 x \u05D0") != std::string::npos);
        }
    }

    void help_names_every_option() {
        const VmctlRig rig;
        const std::string help = rig.good({"message", "add", "--help"}).out;
        for (const char* option :
             {"--mailbox", "--kind", "--file", "--caller-number", "--caller-name", "--received",
              "--urgent", "--private", "--json", "Example:"})
            CPPUNIT_ASSERT_MESSAGE(option, help.find(option) != std::string::npos);
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(VmctlMessageTest);

}  // namespace
