// A visit to a maildrop against a scripted server: what is asked, what is deleted, and what is
// believed when the connection ends at any command.
#include "fake_host.h"
#include "scripted_server.h"
#include "smtppop3/pop3_session.h"

#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace vm::testing {

namespace {

const std::string kId = "01J9ZK3V5TA8Q4W8M8Z9N1B2C3";
const std::string kOtherId = "01J9ZK3V5TA8Q4W8M8Z9N1B2C4";

std::string header_of(const std::string& id) {
    return "X-VM-Message-Id: " + id + "\r\nMessage-ID: <" + id + "@unit>\r\n";
}
std::string foreign(const std::string& name) {
    return "Message-ID: <" + name + "@elsewhere>\r\nSubject: ..hello\r\n";
}

// A POP3 server in memory; deletions count when QUIT was answered with +OK.
struct Pop3Script {
    struct Mail {
        std::string unique_id, header, body = "text\r\n";
    };
    std::vector<Mail> mails;
    std::string greeting = "+OK POP3 ready\r\n";
    std::string capabilities = "CAPA\r\nTOP\r\nUIDL\r\nPIPELINING\r\nUSER\r\nSASL PLAIN\r\n";
    // Instead of the usual: the answer to commands that begin so; "" closes the connection.
    std::vector<std::pair<std::string, std::string>> answers;
    std::set<std::string>* deleted = nullptr;  // unique-ids, of all connections

    static std::string stuffed(const std::string& text) {
        std::string out;
        bool begin = true;
        for (const char c : text) {
            if (begin && c == '.') out += '.';
            out += c;
            begin = c == '\n';
        }
        return out;
    }

    void operator()(Peer& peer) const {
        std::set<std::size_t> doomed;
        const auto at = [&](const std::string& line) -> const Mail* {
            const std::size_t n = std::stoul(line.substr(5));
            return n < 1 || n > mails.size() || doomed.count(n) > 0 ? nullptr : &mails[n - 1];
        };
        peer.say(greeting);
        for (;;) {
            const std::string line = peer.read_line();
            const auto special =
                std::find_if(answers.begin(), answers.end(),
                             [&](const auto& answer) { return line.starts_with(answer.first); });
            const std::string verb = line.substr(0, 4);
            if (special != answers.end()) {
                if (special->second.empty()) return;
                peer.say(special->second);
                if (verb == "QUIT") return;
            } else if (verb == "CAPA") {
                peer.say(capabilities.empty() ? "-ERR what\r\n"
                                              : "+OK\r\n" + capabilities + ".\r\n");
            } else if (verb == "UIDL") {
                std::string out = "+OK\r\n";
                for (std::size_t i = 0; i < mails.size(); ++i)
                    if (deleted == nullptr || deleted->count(mails[i].unique_id) == 0)
                        out += std::to_string(i + 1) + " " + mails[i].unique_id + "\r\n";
                peer.say(out + ".\r\n");
            } else if (verb == "TOP " || verb == "RETR") {
                const Mail* mail = at(verb == "RETR" ? line : "X" + line);
                const bool all = verb == "RETR" || !line.ends_with(" 0");
                peer.say(mail == nullptr
                             ? "-ERR no such message\r\n"
                             : "+OK\r\n" +
                                   stuffed(mail->header + "\r\n" + (all ? mail->body : "")) +
                                   ".\r\n");
            } else if (verb == "DELE") {
                doomed.insert(std::stoul(line.substr(5)));
                peer.say("+OK\r\n");
            } else if (verb == "QUIT") {
                if (deleted != nullptr)
                    for (const std::size_t n : doomed) deleted->insert(mails.at(n - 1).unique_id);
                peer.say("+OK bye\r\n");
                return;
            } else {
                peer.say("+OK\r\n");  // USER, PASS, APOP, AUTH
            }
        }
    }
};

struct Removal {
    std::string unique_id, id = kId, message_id = "";
};

struct Told {
    std::map<std::string, std::string> mails;  // unique-id -> id
    std::vector<std::string> order;
    std::vector<std::string> gone;
    std::map<std::string, std::string> contents;
    std::map<std::size_t, std::pair<int, std::string>> results;
    std::set<std::string> wanted;  // contents
    std::function<bool(std::size_t)> confirm = [](std::size_t) { return true; };
};

class Pop3Test : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(Pop3Test);
    CPPUNIT_TEST(deletes_by_unique_id);
    CPPUNIT_TEST(finds_the_newest_first);
    CPPUNIT_TEST(looks_at_what_is_new_alone);
    CPPUNIT_TEST(one_of_a_thousand_costs_three_round_trips);
    CPPUNIT_TEST(one_by_one_without_pipelining);
    CPPUNIT_TEST(deletes_nothing_else);
    CPPUNIT_TEST(of_two_with_one_unique_id_the_header_tells);
    CPPUNIT_TEST(copies_with_one_unique_id_stay);
    CPPUNIT_TEST(asks_before_it_deletes);
    CPPUNIT_TEST(says_what_was_refused);
    CPPUNIT_TEST(only_quit_commits);
    CPPUNIT_TEST(cut_anywhere_deletes_nothing_unconfirmed);
    CPPUNIT_TEST(without_top);
    CPPUNIT_TEST(without_uidl);
    CPPUNIT_TEST(reads_contents);
    CPPUNIT_TEST(endless_mails_are_known_afterwards);
    CPPUNIT_TEST(endless_answers_end_the_visit);
    CPPUNIT_TEST(other_unique_ids_than_before);
    CPPUNIT_TEST(nonsense_is_no_answer);
    CPPUNIT_TEST(logs_in_as_the_server_wants_it);
    CPPUNIT_TEST(refusals_of_the_login);
    CPPUNIT_TEST(no_password_in_clear);
    CPPUNIT_TEST(no_half_of_a_secret_stays);
    CPPUNIT_TEST(finds_a_message);
    CPPUNIT_TEST_SUITE_END();

    using Scripts = std::vector<ScriptedServer::Script>;

    struct Visit {
        std::vector<std::string> known = {};
        std::vector<Removal> removals = {};
        bool every = false;
        std::uint32_t content_size = 0;
    };

    // A session with a server, for one visit or more.
    class Rig {
      public:
        explicit Rig(const Pop3Script& script,
                     const std::function<void(plug::AccountOptions&)>& set = {})
            : server_(ScriptedServer::Script(script)) {
            plug::AccountOptions options;
            options.host = "127.0.0.1";
            options.port = server_.port();
            options.auth = VM_AUTH_AUTO;
            options.user = "driver";
            options.password = "chariots of fire";
            options.allow_cleartext_password = true;
            options.connect_timeout = options.reply_timeout = std::chrono::seconds(20);
            if (set) set(options);
            plug::Redactor redactor;
            redactor.add(options.password);
            session_.emplace(std::move(options), host_.session(std::move(redactor)));
        }
        plug::AccountEnding visit(const Visit& visit, Told& told) {
            std::vector<const char*> known;
            for (const std::string& one : visit.known) known.push_back(one.c_str());
            std::vector<vm_drop_removal> removals;
            for (const Removal& one : visit.removals)
                removals.push_back({sizeof(vm_drop_removal), one.unique_id.c_str(), one.id.c_str(),
                                    one.message_id.c_str()});
            vm_drop drop{};
            drop.struct_size = sizeof drop;
            drop.known = known.data();
            drop.known_count = known.size();
            drop.removals = removals.data();
            drop.removal_count = removals.size();
            drop.every = visit.every ? 1 : 0;
            drop.content_size = visit.content_size;
            vm_drop_sink sink{};
            sink.context = &told;
            sink.mail = [](void* self, const vm_drop_mail* mail) {
                auto& to = *static_cast<Told*>(self);
                to.mails[mail->unique_id] = mail->id;
                to.order.emplace_back(mail->unique_id);
                return to.wanted.count(mail->unique_id) > 0 ? 1 : 0;
            };
            sink.gone = [](void* self, const char* unique_id) {
                static_cast<Told*>(self)->gone.emplace_back(unique_id);
            };
            sink.content = [](void* self, const char* unique_id, const void* data,
                              std::size_t size) {
                static_cast<Told*>(self)->contents[unique_id] =
                    std::string(static_cast<const char*>(data), size);
            };
            sink.confirm = [](void* self, std::size_t index) {
                return static_cast<Told*>(self)->confirm(index) ? 1 : 0;
            };
            sink.removed = [](void* self, std::size_t index, std::uint8_t outcome,
                              const char* text) {
                static_cast<Told*>(self)->results[index] = {outcome, text};
            };
            return session_->visit(drop, sink);
        }
        plug::AccountEnding find(const std::string& id, bool& found) {
            plug::FoundMessage out;
            auto end = session_->find(id, out);
            found = out.found;
            return end;
        }
        std::string hide(const std::string& text) const { return session_->hide(text); }
        std::uint32_t round_trips() const { return session_->counters().round_trips; }
        std::string trace() const { return host_.trace(); }
        // Ends the server; the commands that begin with `verb`, in their order.
        std::vector<std::string> commands(const std::string& verb = "") {
            server_.stop();
            std::vector<std::string> out;
            for (const std::string& line : server_.lines())
                if (line.starts_with(verb)) out.push_back(line);
            return out;
        }

      private:
        FakeHost host_;
        ScriptedServer server_;
        std::optional<plug::pop3::Pop3Session> session_;
    };

    static void ok(const plug::AccountEnding& end) {
        CPPUNIT_ASSERT_EQUAL_MESSAGE(end.ending.text, int{VM_OK}, int{end.status});
    }
    static void failed(const plug::AccountEnding& end, vm_cause cause, const std::string& text) {
        CPPUNIT_ASSERT_EQUAL_MESSAGE(end.ending.text, int{VM_FAILED}, int{end.status});
        CPPUNIT_ASSERT_EQUAL_MESSAGE(end.ending.text, int{cause}, int{end.ending.cause});
        CPPUNIT_ASSERT_MESSAGE(end.ending.text, end.ending.text.find(text) != std::string::npos);
    }

    // The connection costs three round trips before the visit: TCP, CAPA, AUTH.
    static constexpr std::uint32_t kLogin = 3;

  public:
    void setUp() override {
        deleted_.clear();
        script_ = Pop3Script();
        script_.deleted = &deleted_;
        script_.mails = {{"u1", foreign("a")},
                         {"u2", header_of(kId)},
                         {"u3", foreign("b")},
                         {"u4", header_of(kOtherId)}};
    }

  private:
    void deletes_by_unique_id() {
        Rig rig(script_);
        Told told;
        ok(rig.visit({.known = {"u1", "u2", "u3", "u4", "u9"}, .removals = {{"u2"}}}, told));
        CPPUNIT_ASSERT_EQUAL(int{VM_CHANGE_DONE}, told.results[0].first);
        CPPUNIT_ASSERT(deleted_ == std::set<std::string>{"u2"});
        CPPUNIT_ASSERT(told.gone == std::vector<std::string>{"u9"});
        CPPUNIT_ASSERT(told.mails.empty());
        CPPUNIT_ASSERT_EQUAL(kLogin + 3, rig.round_trips());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, rig.commands("TOP").size());
    }

    void finds_the_newest_first() {
        Rig rig(script_);
        Told told;
        ok(rig.visit({.removals = {{""}}}, told));
        CPPUNIT_ASSERT_EQUAL(int{VM_CHANGE_DONE}, told.results[0].first);
        CPPUNIT_ASSERT(deleted_ == std::set<std::string>{"u2"});
        CPPUNIT_ASSERT((told.order == std::vector<std::string>{"u4", "u3", "u2", "u1"}));
        CPPUNIT_ASSERT_EQUAL(kOtherId, told.mails["u4"]);
        CPPUNIT_ASSERT_EQUAL(std::string(), told.mails["u3"]);
    }

    void looks_at_what_is_new_alone() {
        Rig rig(script_);
        Told told;
        ok(rig.visit({.known = {"u1", "u3"}, .removals = {{"", "01J9ZK3V5TA8Q4W8M8Z9N1B2CZ"}}},
                     told));
        CPPUNIT_ASSERT_EQUAL(int{VM_CHANGE_MISSING}, told.results[0].first);
        CPPUNIT_ASSERT((rig.commands("TOP") == std::vector<std::string>{"TOP 4 0", "TOP 2 0"}));
        CPPUNIT_ASSERT(deleted_.empty());
    }

    void one_of_a_thousand_costs_three_round_trips() {
        script_.mails.clear();
        for (int i = 0; i < 1000; ++i)
            script_.mails.push_back(
                {"u" + std::to_string(i), i == 3 ? header_of(kId) : foreign(std::to_string(i))});
        Rig rig(script_);
        Told told;
        ok(rig.visit({.removals = {{""}}}, told));
        CPPUNIT_ASSERT_EQUAL(int{VM_CHANGE_DONE}, told.results[0].first);
        CPPUNIT_ASSERT(deleted_ == std::set<std::string>{"u3"});
        CPPUNIT_ASSERT_EQUAL(kLogin + 3, rig.round_trips());
    }

    void one_by_one_without_pipelining() {
        script_.capabilities = "TOP\r\nUIDL\r\nSASL PLAIN\r\n";
        Rig rig(script_);
        Told told;
        ok(rig.visit({.removals = {{""}, {"", kOtherId}}}, told));
        CPPUNIT_ASSERT((deleted_ == std::set<std::string>{"u2", "u4"}));
        // UIDL, three TOP - the oldest is not needed -, two DELE, QUIT.
        CPPUNIT_ASSERT_EQUAL(kLogin + 7, rig.round_trips());
    }

    void deletes_nothing_else() {
        // The unique-id is another mail's now, or the mail's header says that it is not ours.
        script_.mails[1].header = header_of(kOtherId);
        script_.mails[2].header = "X-VM-Message-Id: none\r\nMessage-ID: <x@unit>\r\n";
        Rig rig(script_);
        Told told;
        ok(rig.visit(
            {.known = {"u1", "u2", "u3"}, .removals = {{"u2"}, {"u3", kId, "x@unit"}, {"u7"}}},
            told));
        CPPUNIT_ASSERT_EQUAL(int{VM_CHANGE_OTHER}, told.results[0].first);
        CPPUNIT_ASSERT_EQUAL(int{VM_CHANGE_OTHER}, told.results[1].first);
        CPPUNIT_ASSERT_EQUAL(int{VM_CHANGE_MISSING}, told.results[2].first);
        CPPUNIT_ASSERT(rig.commands("DELE").empty());
    }

    // A server that gives two mails one unique-id: of which the host keeps one, or the other.
    void of_two_with_one_unique_id_the_header_tells() {
        for (const std::size_t ours : {1U, 2U})
            for (const std::string& other : {foreign("a"), header_of(kOtherId)})
                for (const std::string name : {"u", ""})
                    for (const bool known : {true, false}) {
                        if (!known && !name.empty()) continue;
                        script_.mails = {{"u", other}, {"u", other}, {"u4", foreign("b")}};
                        script_.mails[ours - 1].header = header_of(kId);
                        Rig rig(script_);
                        Told told;
                        Visit visit{.removals = {{name}}};
                        if (known) visit.known = {"u", "u4"};
                        ok(rig.visit(visit, told));
                        CPPUNIT_ASSERT_EQUAL(int{VM_CHANGE_DONE}, told.results[0].first);
                        CPPUNIT_ASSERT((rig.commands("DELE") ==
                                        std::vector<std::string>{"DELE " + std::to_string(ours)}));
                        deleted_.clear();
                    }
        // The header of neither.
        script_.mails = {{"u", foreign("a")}, {"u", foreign("b")}};
        Rig rig(script_);
        Told told;
        ok(rig.visit({.known = {"u"}, .removals = {{"u"}}}, told));
        CPPUNIT_ASSERT_EQUAL(int{VM_CHANGE_OTHER}, told.results[0].first);
        script_.answers = {{"TOP 1", "-ERR not now\r\n"}};
        Rig silent(script_);
        ok(silent.visit({.known = {"u"}, .removals = {{"u"}}}, told));
        CPPUNIT_ASSERT_EQUAL(int{VM_CHANGE_REFUSED}, told.results[0].first);
        CPPUNIT_ASSERT(rig.commands("DELE").empty() && silent.commands("DELE").empty());
    }

    void copies_with_one_unique_id_stay() {
        script_.mails = {{"u", header_of(kId)}, {"u3", header_of(kOtherId)}, {"u", header_of(kId)}};
        for (const char* capabilities :
             {"TOP\r\nPIPELINING\r\nSASL PLAIN\r\n", "TOP\r\nSASL PLAIN\r\n"})
            for (const std::string name : {"u", ""}) {
                script_.capabilities = capabilities;
                Rig rig(script_);
                Told told;
                Visit visit{.removals = {{name}, {"", kOtherId}}};
                if (!name.empty()) visit.known = {"u"};
                ok(rig.visit(visit, told));
                CPPUNIT_ASSERT_EQUAL(int{VM_CHANGE_REFUSED}, told.results[0].first);
                CPPUNIT_ASSERT_EQUAL(
                    std::string("several mails in the account have its header and the unique-id "
                                "\"u\"; delete them there, or all but one"),
                    told.results[0].second);
                CPPUNIT_ASSERT_EQUAL(int{VM_CHANGE_DONE}, told.results[1].first);
                CPPUNIT_ASSERT((rig.commands("DELE") == std::vector<std::string>{"DELE 2"}));
                deleted_.clear();
            }
    }

    void asks_before_it_deletes() {
        Rig rig(script_);
        Told told;
        told.confirm = [](std::size_t index) { return index != 0; };
        ok(rig.visit({.removals = {{""}, {"", kOtherId}}}, told));
        CPPUNIT_ASSERT_EQUAL(int{VM_CHANGE_CANNOT}, told.results[0].first);
        CPPUNIT_ASSERT_EQUAL(int{VM_CHANGE_DONE}, told.results[1].first);
        CPPUNIT_ASSERT(deleted_ == std::set<std::string>{"u4"});
    }

    void says_what_was_refused() {
        script_.answers = {{"DELE 2", "-ERR [SYS/PERM] read only\r\n"}, {"TOP 1", "-ERR gone\r\n"}};
        Rig rig(script_);
        Told told;
        ok(rig.visit(
            {.known = {"u1", "u2", "u4"}, .removals = {{"u2"}, {"u4", kOtherId}, {"u1", kOtherId}}},
            told));
        CPPUNIT_ASSERT_EQUAL(int{VM_CHANGE_REFUSED}, told.results[0].first);
        CPPUNIT_ASSERT_EQUAL(std::string("-ERR [SYS/PERM] read only"), told.results[0].second);
        CPPUNIT_ASSERT_EQUAL(int{VM_CHANGE_DONE}, told.results[1].first);
        CPPUNIT_ASSERT_EQUAL(int{VM_CHANGE_REFUSED}, told.results[2].first);
        CPPUNIT_ASSERT(deleted_ == std::set<std::string>{"u4"});
    }

    void only_quit_commits() {
        for (const auto& [answer, cause] :
             {std::pair{"-ERR some deleted messages not removed\r\n", VM_CAUSE_REPLY},
              std::pair{"", VM_CAUSE_LOST}}) {
            Pop3Script script = script_;
            script.answers = {{"QUIT", answer}};
            Rig rig(script);
            Told told;
            const auto end = rig.visit({.removals = {{""}}}, told);
            CPPUNIT_ASSERT_EQUAL(int{VM_FAILED}, int{end.status});
            CPPUNIT_ASSERT_EQUAL(int{cause}, int{end.ending.cause});
            CPPUNIT_ASSERT(told.results.empty());
            CPPUNIT_ASSERT_EQUAL(kId, told.mails["u2"]);  // that stands
        }
    }

    // What was looked at before is known by its unique-id in the next session, never by its number.
    void cut_anywhere_deletes_nothing_unconfirmed() {
        for (const char* cut : {"UIDL", "TOP 4", "TOP 2", "DELE", "QUIT"}) {
            Pop3Script script = script_;
            script.answers = {{cut, ""}};
            Told told;
            failed(Rig(script).visit({.removals = {{""}}}, told), VM_CAUSE_LOST, "closed");
            CPPUNIT_ASSERT_MESSAGE(cut, deleted_.empty() && told.results.empty());
            // Others have deleted the first mail meanwhile: all numbers are other ones.
            Pop3Script next = script_;
            next.mails.erase(next.mails.begin());
            Visit again;
            for (const auto& [unique_id, id] : told.mails) again.known.push_back(unique_id);
            again.removals = {{told.mails.count("u2") > 0 ? "u2" : ""}};
            told = {};
            ok(Rig(next).visit(again, told));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(cut, int{VM_CHANGE_DONE}, told.results[0].first);
            CPPUNIT_ASSERT_MESSAGE(cut, deleted_ == std::set<std::string>{"u2"});
            deleted_.clear();
        }
    }

    void without_top() {
        script_.capabilities = "UIDL\r\nPIPELINING\r\nSASL PLAIN\r\n";
        script_.mails[1].body = "X-VM-Message-Id: " + kOtherId + "\r\n.\r\n..\r\n";
        Rig rig(script_);
        Told told;
        ok(rig.visit({.removals = {{""}}}, told));
        CPPUNIT_ASSERT(deleted_ == std::set<std::string>{"u2"});
        CPPUNIT_ASSERT_EQUAL(std::size_t{4}, rig.commands("RETR").size());
    }

    void without_uidl() {
        script_.answers = {{"UIDL", "-ERR unknown command\r\n"}};
        Rig rig(script_);
        Told told;
        failed(rig.visit({.removals = {{""}}}, told), VM_CAUSE_REPLY, "UIDL: -ERR unknown");
        CPPUNIT_ASSERT(rig.commands("DELE").empty());
    }

    void reads_contents() {
        script_.mails[0].body = ".dot\r\n..\r\n" + std::string(5000, 'x') + "\r\nend\r\n";
        Rig rig(script_);
        Told told;
        told.wanted = {"u1", "u3"};
        ok(rig.visit({.every = true, .content_size = 4000}, told));
        CPPUNIT_ASSERT_EQUAL(std::size_t{4}, told.mails.size());
        CPPUNIT_ASSERT_EQUAL(script_.mails[2].header + "\r\ntext\r\n", told.contents["u3"]);
        const std::string whole = script_.mails[0].header + "\r\n" + script_.mails[0].body;
        CPPUNIT_ASSERT_EQUAL(whole.substr(0, 4000), told.contents["u1"].substr(0, 4000));
        CPPUNIT_ASSERT(told.contents["u1"].size() <= 4000);
        CPPUNIT_ASSERT(
            (rig.commands("TOP") == std::vector<std::string>{"TOP 4 0", "TOP 3 0", "TOP 2 0",
                                                             "TOP 1 0", "TOP 3 201", "TOP 1 201"}));
        CPPUNIT_ASSERT(deleted_.empty());
    }

    // One mail does not keep the others from being looked at for ever.
    void endless_mails_are_known_afterwards() {
        const std::string endless = "Subject: " + std::string(17 << 20, 'x') + "\r\n";
        script_.mails[2].header = endless + foreign("b");
        Rig rig(script_);
        Told told;
        failed(rig.visit({.removals = {{""}}}, told), VM_CAUSE_PROTOCOL, "does not end");
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, told.mails.size());
        {
            Told wanting;
            wanting.wanted = {"u3", "u4"};
            failed(rig.visit({.every = true, .content_size = 100}, wanting), VM_CAUSE_PROTOCOL,
                   "does not end");
            // There is no more of it, so it need not be asked for again; the other is to be.
            CPPUNIT_ASSERT(wanting.contents.count("u3") == 1 && wanting.contents["u3"].empty());
            CPPUNIT_ASSERT_EQUAL(std::size_t{0}, wanting.contents.count("u4"));
        }
        Visit again;
        for (const auto& [unique_id, id] : told.mails) again.known.push_back(unique_id);
        again.removals = {{""}};
        ok(rig.visit(again, told));
        CPPUNIT_ASSERT(deleted_ == std::set<std::string>{"u2"});
        script_.mails[2].header = foreign("b");
        script_.mails[2].body = endless;
        Rig other(script_);
        Told read;
        read.wanted = {"u3"};
        failed(other.visit({.every = true, .content_size = 100}, read), VM_CAUSE_PROTOCOL,
               "does not end");
        CPPUNIT_ASSERT_EQUAL(std::size_t{3}, read.mails.size());
        CPPUNIT_ASSERT(read.contents.count("u3") == 1 && read.contents["u3"].size() <= 100);
    }

    void endless_answers_end_the_visit() {
        const std::string endless(17 << 20, 'x');
        for (const auto& [verb, answer] :
             {std::pair<std::string, std::string>{"UIDL", "+OK " + endless},
              {"TOP", "+OK " + endless},
              {"DELE", "+OK " + endless},
              {"QUIT", "+OK " + endless},
              {"UIDL", [] {
                   std::string out = "+OK\r\n";
                   while (out.size() < (65U << 20)) out += std::string(1000, 'x') + "\r\n";
                   return out;
               }()}}) {
            Pop3Script script = script_;
            script.answers = {{verb, answer}};
            Rig rig(script);
            Told told;
            failed(rig.visit({.removals = {{""}}}, told), VM_CAUSE_PROTOCOL, "does not end");
            CPPUNIT_ASSERT(told.results.empty());
        }
    }

    // The provider has moved: what was known by its unique-id is looked for by its header.
    void other_unique_ids_than_before() {
        Rig rig(script_);
        Told told;
        ok(rig.visit({.known = {"old1", "old2"}, .removals = {{"old2"}, {"old1", kOtherId}}},
                     told));
        CPPUNIT_ASSERT_EQUAL(int{VM_CHANGE_DONE}, told.results[0].first);
        CPPUNIT_ASSERT((deleted_ == std::set<std::string>{"u2", "u4"}));
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, told.gone.size());
    }

    void nonsense_is_no_answer() {
        for (const char* verb : {"UIDL", "TOP", "DELE", "QUIT"}) {
            Pop3Script script = script_;
            script.answers = {{verb, "250 ok\r\n"}};
            Rig rig(script);
            Told told;
            failed(rig.visit({.removals = {{""}}}, told), VM_CAUSE_PROTOCOL,
                   "not a valid POP3 response");
            CPPUNIT_ASSERT(told.results.empty());
        }
        // What is no unique-id is passed over.
        script_.answers = {{"UIDL",
                            "+OK\r\n1 \r\nx y\r\n0x2 z\r\n2 a b\r\n3 \x01\r\n"
                            "4 u4\r\n99999999999999999999 u5\r\n.\r\n"}};
        Rig rig(script_);
        Told told;
        ok(rig.visit({.every = true}, told));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, told.mails.size());
        // Nor is there a number twice, as often as the server likes.
        script_.answers = {{"UIDL", "+OK\r\n1 a\r\n1 b\r\n.\r\n"}};
        Rig twice(script_);
        failed(twice.visit({.removals = {{""}}}, told), VM_CAUSE_PROTOCOL,
               "UIDL: message 1 a second time");
    }

    void logs_in_as_the_server_wants_it() {
        const auto first = [](Pop3Script script, const std::string& verb,
                              vm_auth auth = VM_AUTH_AUTO) {
            Rig rig(script, [&](plug::AccountOptions& options) { options.auth = auth; });
            Told told;
            ok(rig.visit({}, told));
            const auto commands = rig.commands(verb);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(verb, std::size_t{1}, commands.size());
            CPPUNIT_ASSERT(rig.trace().find("chariots") == std::string::npos);
            return commands.front();
        };
        CPPUNIT_ASSERT(first(script_, "AUTH PLAIN").size() > 11);
        Pop3Script script = script_;
        script.capabilities = "USER\r\nTOP\r\nUIDL\r\n";
        CPPUNIT_ASSERT_EQUAL(std::string("PASS chariots of fire"), first(script, "PASS"));
        script.capabilities = "";  // no CAPA
        CPPUNIT_ASSERT_EQUAL(std::string("PASS chariots of fire"), first(script, "PASS"));
        script.greeting = "+OK POP3 <1896.697170952@dbc.mtview.ca.us>\r\n";
        CPPUNIT_ASSERT(first(script, "APOP driver ").size() == 12 + 32);
        script = script_;
        script.capabilities = "TOP\r\nUIDL\r\nSASL XOAUTH2 PLAIN\r\n";
        CPPUNIT_ASSERT(first(script, "AUTH XOAUTH2 ", VM_AUTH_XOAUTH2).size() > 20);
    }

    void refusals_of_the_login() {
        const auto end = [](const Pop3Script& script,
                            const std::function<void(plug::AccountOptions&)>& set = {}) {
            Rig rig(script, set);
            Told told;
            auto out = rig.visit({}, told);
            CPPUNIT_ASSERT(rig.trace().find("chariots") == std::string::npos);
            return out;
        };
        Pop3Script script = script_;
        script.answers = {{"AUTH", "-ERR [AUTH] wrong password\r\n"}};
        auto ended = end(script);
        failed(ended, VM_CAUSE_REPLY, "-ERR [AUTH] wrong password");
        CPPUNIT_ASSERT_EQUAL(int{VM_STEP_AUTH}, int{ended.ending.step});
        script.answers = {{"AUTH", "-ERR [IN-USE] another session\r\n"}};
        failed(end(script), VM_CAUSE_REPLY, "[IN-USE]");
        script = script_;
        script.greeting = "-ERR too busy\r\n";
        ended = end(script);
        failed(ended, VM_CAUSE_REPLY, "-ERR too busy");
        CPPUNIT_ASSERT_EQUAL(int{VM_STEP_GREETING}, int{ended.ending.step});
        script.greeting = "220 smtp.example.com ESMTP\r\n";
        failed(end(script), VM_CAUSE_PROTOCOL, "not a valid POP3 greeting");
        script = script_;
        failed(end(script, [](auto& options) { options.tls = VM_TLS_STARTTLS; }), VM_CAUSE_TLS,
               "STLS");
        script.capabilities = "SASL GSSAPI\r\n";
        failed(end(script), VM_CAUSE_CONFIG, "GSSAPI");
    }

    void no_password_in_clear() {
        Rig rig(script_, [](auto& options) { options.allow_cleartext_password = false; });
        Told told;
        failed(rig.visit({}, told), VM_CAUSE_CONFIG, "certificate is not checked");
        CPPUNIT_ASSERT(rig.commands().empty());
    }

    // A server repeats the password where its line is shortened for report and trace.
    void no_half_of_a_secret_stays() {
        const auto check = [](const Pop3Script& script) {
            Rig rig(script);
            Told told;
            const std::string words = rig.hide(rig.visit({.removals = {{"u2"}}}, told).ending.text);
            const std::string all = words + "\n" + rig.trace() + told.results[0].second;
            CPPUNIT_ASSERT_MESSAGE(all.substr(0, 2000), all.find("chari") == std::string::npos);
        };
        for (const std::size_t cut : {80U, 200U, 400U, 65536U})
            for (std::size_t before = cut - 40; before < cut; before += 3) {
                const std::string line = std::string(before, 'x') + "chariots of fire and more\r\n";
                Pop3Script script = script_;
                if (cut < 65536) {
                    for (const char* first : {"", "-ERR "}) {
                        script.greeting = first + line;
                        check(script);
                        script.greeting = script_.greeting;
                        script.answers = {{"AUTH", first + line}};
                        check(script);
                        script.answers.clear();
                    }
                }
                for (const char* first : {"", "-ERR "}) {
                    script.answers = {{"UIDL", first + line}};
                    check(script);
                    script.answers = {{"DELE", first + line}};
                    check(script);
                }
            }
    }

    void finds_a_message() {
        script_.mails[0].header = "Message-ID: <" + kId + ".1@unit>\r\n";
        script_.mails[1].header = "Message-ID: <x" + kId + "@unit>\r\nX-VM-Message-Id: x\r\n";
        Rig rig(script_);
        bool found = false;
        ok(rig.find(kId, found));
        CPPUNIT_ASSERT(found);
        ok(rig.find(kOtherId, found));
        CPPUNIT_ASSERT(found);
        ok(rig.find("01J9ZK3V5TA8Q4W8M8Z9N1B2CZ", found));
        CPPUNIT_ASSERT(!found);
        failed(rig.find("x\r\nDELE 1", found), VM_CAUSE_CONFIG, "no message id");
        CPPUNIT_ASSERT(rig.commands("DELE").empty());
        // It needs no unique-id.
        script_.answers = {{"UIDL", "+OK\r\n1 with blanks\r\n2 \r\n.\r\n"}};
        Rig nameless(script_);
        ok(nameless.find(kId, found));
        CPPUNIT_ASSERT(found);
    }

    Pop3Script script_;
    std::set<std::string> deleted_;
};

CPPUNIT_TEST_SUITE_REGISTRATION(Pop3Test);

}  // namespace

}  // namespace vm::testing
