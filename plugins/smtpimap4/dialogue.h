// Commands out, responses in, on one authenticated connection: pipelines, IDLE, deadlines and
// budgets. It knows the grammar of the dialogue and nothing of folders or messages.
//
// A dialogue that cannot go on is thrown as Ended; so is a command's NO where the caller requires
// OK. Owned by one session, one thread at a time.
#ifndef VM_PLUGINS_SMTPIMAP4_DIALOGUE_H
#define VM_PLUGINS_SMTPIMAP4_DIALOGUE_H

#include "common/connection.h"
#include "common/ending.h"
#include "smtpimap4/framer.h"
#include "smtpimap4/parser.h"

#include <exception>
#include <functional>
#include <string>
#include <vector>

namespace vm::plug::imap {

class Ended : public std::exception {
  public:
    Ended(Ending ending, bool usable) : ending_(std::move(ending)), usable_(usable) {}
    const char* what() const noexcept override { return ending_.text.c_str(); }
    const Ending& ending() const { return ending_; }
    bool usable() const { return usable_; }  // the connection is

  private:
    Ending ending_;
    bool usable_;
};

// The server's answer is OK, or Ended with its words; `what` names operation and object.
void require(const Condition& answer, const std::string& what);
// A fact of the server that makes going on senseless; the connection is in order.
[[noreturn]] void give_up(vm_cause cause, std::string text);

// A function may wait for so many replies that each take as long as they may.
inline constexpr int kRepliesACall = 5;

class Dialogue {
  public:
    // Gets the untagged responses that come while its command, or one before it, is in hand. True:
    // it is an answer to this command, and no other gets it. What none takes is news.
    using Answer = std::function<bool(const Response&)>;
    struct Step {
        std::string command;  // without tag and line end
        Answer answer;        // may be empty
    };

    // `host` and `counters` outlive it; `news` gets what no command asked for. `received`: see
    // Connection.
    Dialogue(std::unique_ptr<Wire> wire, std::string received, const Host& host, Counters& counters,
             std::chrono::milliseconds reply_timeout, std::function<void(const Response&)> news);

    // The steps as the first that are sent on a connection, as text, for who sends them before
    // there is a Dialogue; and, once there is, their tagged answers. Where none of them comes
    // within `patience`, Ended, and answered() is false.
    static std::string text_of(const std::vector<Step>& steps);
    std::vector<Condition> answers_to(const std::vector<Step>& steps,
                                      std::chrono::milliseconds patience);

    // Sends all commands at once and waits for all tagged answers, which it returns in order. Ends
    // IDLE before, at no cost of its own. Throws Ended.
    std::vector<Condition> run(const std::vector<Step>& steps);
    Condition run(std::string command, Answer answer = {});

    // These go ahead of the next commands that are sent, in the same round trip; their tagged
    // answers are nobody's.
    void precede(std::vector<Step> steps) { preceding_ = std::move(steps); }
    bool precedes() const { return !preceding_.empty(); }

    // Runs the steps and begins IDLE (RFC 2177) in one round trip; the answers to the steps, then
    // that to IDLE: OK when the server waits, else what it said.
    std::vector<Condition> idle(const std::vector<Step>& steps);
    bool idling() const { return idling_; }
    // The same of one command, in two halves. take_answer() takes what the server said meanwhile,
    // without waiting: all of the answer, some of it (more comes out of the socket), or so much
    // that somebody else should go on. What is run before awaits the rest first. They throw Ended.
    enum class Taken { kAll, kSome, kTooMuch };
    void ask(std::string command);
    bool asked() const { return asked_; }
    Taken take_answer();
    // Takes what the server said meanwhile, without waiting. Throws Ended when it is gone.
    void poll();

    // No answer is awaited for a while: gives back what is only needed then.
    void rest();

    // How many commands were sent; for telling whether any was since.
    unsigned sent() const { return tag_; }
    // Whether the server has completed a command since start() - the begin of an ABI function.
    bool answered() const { return answered_; }
    void start() {
        answered_ = false;
        end_ = connection_.now() + kRepliesACall * reply_timeout_;
    }

    void set_reply_timeout(std::chrono::milliseconds timeout) { reply_timeout_ = timeout; }
    int descriptor() const { return connection_.descriptor(); }
    // LOGOUT, without waiting for more than a moment.
    void log_out();

  private:
    std::vector<Condition> exchange(std::vector<Step> steps, bool then_idle);
    void send(const std::vector<Step>& steps, bool then_idle);
    std::vector<Condition> await(const std::vector<Step>& steps, bool then_idle,
                                 std::chrono::milliseconds patience);
    bool hear(const Response& response, const std::vector<Step>& steps, bool then_idle,
              std::vector<Condition>& out);
    std::size_t complete(const Condition& condition);
    Response next(Deadline deadline);
    Response take_line();
    void check(Connection::Io io, const char* what);
    void hand_out(const Response& response, const std::vector<Step>& steps);

    Connection connection_;
    const Host& host_;
    std::chrono::milliseconds reply_timeout_;
    std::function<void(const Response&)> news_;
    Framer framer_;
    Parser parser_;
    std::vector<Step> preceding_;
    unsigned tag_ = 0;
    struct Pending {
        std::string tag;
        std::size_t step;
    };
    std::vector<Pending> pending_;  // commands without their tagged answer, in order
    bool idling_ = false;           // IDLE is the only one of them, and the server waits
    bool asked_ = false;            // they are those of ask()
    std::vector<Step> question_;
    bool answered_ = false;
    Deadline end_ = Deadline::max();  // of the ABI function, however often the server answers
    std::size_t budget_ = 0;  // bytes the server may still say before the next tagged answer
};

// Takes the part of the untagged responses that is of type Data.
template <class Data, class Function>
Dialogue::Answer each(Function function) {
    return [function](const Response& response) {
        const auto* data = std::get_if<Data>(&response);
        if (data == nullptr) return false;
        function(*data);
        return true;
    };
}

}  // namespace vm::plug::imap

#endif
