// One visit to a maildrop, on a connection that is logged in: which messages there are (UIDL), what
// those that nobody has looked at yet are (TOP), which go (DELE). RFC 1939, RFC 2449.
//
// A message number means something on this connection alone, and nothing is deleted whose header
// was not read on it, nor one of several mails that neither header nor unique-id tells apart. Only
// the answer to QUIT makes deletions true.
//
// Throws Ended when the dialogue cannot go on. Owned by one session, one thread at a time.
#ifndef VM_PLUGINS_SMTPPOP3_DROP_H
#define VM_PLUGINS_SMTPPOP3_DROP_H

#include "common/connection.h"
#include "common/ending.h"
#include "common/identity.h"
#include "vm_transport.h"

#include <chrono>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace vm::plug::pop3 {

class Ended : public std::exception {
  public:
    explicit Ended(Ending ending) : ending_(std::move(ending)) {}
    const char* what() const noexcept override { return ending_.text.c_str(); }
    const Ending& ending() const { return ending_; }

  private:
    Ending ending_;
};

// A reply that is not read to its end: the connection is of no use then.
class Overlong : public Ended {
  public:
    Overlong()
        : Ended(ending_of(VM_STEP_ACCOUNT, VM_CAUSE_PROTOCOL, "an answer that does not end")) {}
};

// What the server can do.
struct Abilities {
    bool pipelining = false;
    bool top = true;
};

class Drop {
  public:
    // `host` and `counters` outlive it. A reply takes `reply_timeout` at most, all of them together
    // kRepliesAVisit times that.
    Drop(std::unique_ptr<Wire> wire, const Host& host, Counters& counters, Abilities abilities,
         std::chrono::milliseconds reply_timeout);

    // vm_transport.h: visit(). Ends the session.
    void visit(const vm_drop& drop, const vm_drop_sink& sink);
    // Whether the message with X-VM-Message-Id `id` is there. Ends the session.
    bool find(const std::string& id);

  private:
    struct Mail {
        std::string unique_id;
        Identity identity;
        bool shown = false;   // its header was read on this connection
        bool wanted = false;  // its content too
        std::string refused;  // the server's words to DELE
    };
    struct Reply {
        bool ok = false;
        std::string text;
    };
    // Gets the lines of a multi-line reply, unstuffed.
    using Lines = std::function<void(std::string_view)>;

    void list();
    void look(const std::vector<std::size_t>& numbers);
    void look_at_all(const std::set<std::size_t>& numbers);
    void look_at_namesakes(const vm_drop& drop);
    std::set<std::size_t> known_candidates(const vm_drop& drop) const;
    const std::set<std::size_t>& numbers_of(const std::string& unique_id) const;
    std::string shared_unique_id(const std::vector<std::size_t>& numbers) const;
    void look_for_new(const vm_drop& drop, const vm_drop_sink& sink);
    void read_wanted(const vm_drop& drop, const vm_drop_sink& sink);
    std::vector<std::size_t> doomed(const vm_drop& drop, const vm_drop_sink& sink);
    void quit(const std::vector<std::size_t>& doomed);
    void tell(const vm_drop& drop, const vm_drop_sink& sink);
    std::vector<std::size_t> matches(const vm_drop_removal& removal) const;
    bool is_named(const vm_drop_removal& removal) const;
    std::size_t pace() const { return abilities_.pipelining ? 2000 : 1; }

    std::string header_command(std::size_t number) const;
    void send(const std::vector<std::string>& commands);
    Reply reply();
    void read_lines(const Lines& lines);
    std::string line();
    void check(Connection::Io io, const char* what);
    [[noreturn]] void lose(vm_cause cause, const std::string& text) const;

    Connection connection_;
    const Host& host_;
    const Abilities abilities_;
    const std::chrono::milliseconds reply_timeout_;
    const Deadline end_;
    std::map<std::size_t, Mail> mails_;  // by number
    std::set<std::size_t> nameless_;     // numbers of those without a usable unique-id
    std::map<std::string, std::set<std::size_t>>
        numbers_;  // by unique-id; for copies it may be one
    // Those whose header was read, by what it says.
    std::map<std::string, std::vector<std::size_t>> by_id_, by_message_id_;
    // None of the unique-ids that the host knows is there, and other mails are: they mean nothing.
    bool renumbered_ = false;
    std::set<std::size_t> unwanted_;   // removals that are not wanted any more
    bool overlong_ = false;            // a header was
    std::size_t read_ = 0, most_ = 0;  // bytes of the reply in hand
};

}  // namespace vm::plug::pop3

#endif
