// Runs one schedule: what happens in it, one after the other and within one another, and what is to
// be checked after each.
#ifndef VM_TESTS_SIM_STORY_H
#define VM_TESTS_SIM_STORY_H

#include "model.h"

#include <array>
#include <memory>
#include <set>

namespace vm::sim {

struct Verdict {
    std::string violation;           // "" when all was well
    std::vector<std::string> story;  // line by line, when it was wanted
};
Verdict run_schedule(const Schedule& schedule, Ground& ground, bool tell);

class Story : public Witness {
  public:
    Story(const Schedule& schedule, Ground& ground, bool tell);
    Story(const Story&) = delete;
    Story& operator=(const Story&) = delete;
    ~Story() override;
    Verdict run();

    // A commit of the store, before or after it (base/crash_point.h).
    void at_commit(const std::string& name);

    void at_point(const std::string& point) override;
    void taken(unsigned account, const std::string& id, const std::string& message_id) override;
    void told_absent(unsigned account, const std::string& id, bool by_recovery) override;
    void asked(unsigned account, const vm_change& change, const FakeMail* mail) override;
    void asked_to_drop(unsigned account, const FakeMail& mail, const std::string& id) override;
    void refused(const std::string& id) override;

  private:
    enum class Who { kNobody, kPhone, kAgent };

    void happen(const Event& event);
    // story_others.cc
    void phone(const Event& event);
    void add(const Event& event);
    void do_on_phone(const Event& event, Truth& one);
    void subscriber(const Event& event);
    void foreign(const Event& event);
    void account_changes(const Event& event);
    void delivery(const Event& event);
    bool deliver_all(unsigned box);
    void arrive(const Outside::OnItsWay& mail, const std::string& folder);
    void servers(const Event& event);
    void machine(const Event& event);
    void options(const Event& event);
    // story.cc
    bool work(Doing what, unsigned box);
    bool do_work(Doing what, unsigned box);
    void note_purged(unsigned box);
    void restart();
    void quiet(unsigned box, const Event& event);
    void settle(unsigned box, bool keep);

    Box& box(unsigned number) { return unit_.boxes().at(number); }
    unsigned any_box(const Event& event) const;
    Truth* any_message(const Event& event);
    struct Found {
        Truth* of;
        unsigned account;
        std::string folder;
        std::uint32_t uid;
    };
    std::optional<Found> any_mail(const Event& event);
    void tell(const std::string& line);
    void tell_trace();

    const Schedule& schedule_;
    const bool telling_;
    Outside outside_;
    Unit unit_;
    Model model_;
    std::vector<std::string> story_;
    std::array<int, 2> trace_{-1, -1};  // the agent's trace, when it is to be told

    Who who_ = Who::kNobody;
    bool phone_dies_ = false;
    bool disk_full_ = false;
    unsigned depth_ = 0;
    unsigned points_ = 0;
    std::vector<Event> traps_;  // what is to happen within what the agent does next
    std::vector<Began*> began_;
    std::set<unsigned> purged_;  // boxes, within what the agent does now
    bool hold_ = false;          // of the last pass
};

}  // namespace vm::sim

#endif
