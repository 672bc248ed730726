// A mailbox of Asterisk's, mailbox 101 of a unit, and a clock that stands still.
#ifndef VM_TESTS_ASTERISK_BOX_FIXTURE_H
#define VM_TESTS_ASTERISK_BOX_FIXTURE_H

#include "../store/root.h"
#include "asterisk/box_sync.h"
#include "asterisk/spool_folder.h"

#include <cppunit/extensions/HelperMacros.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>

namespace vm::asterisk {

class BoxFixture : public CppUnit::TestFixture {
  public:
    void setUp() override {
        settings_.spool = root_.paths.root / "spool";
        settings_.unit = "pbx";
        box_ = settings_.spool / "default/101";
        inbox_ = box_ / "INBOX";
        away_ = root_.paths.root / "away";
        std::filesystem::create_directories(inbox_);
        std::filesystem::create_directories(away_);
        spool_ = std::make_unique<Spool>(settings_, "owner\n");
        sync_ = std::make_unique<BoxSync>(unit_, settings_, *spool_, notices_,
                                          Box{"default", "101"}, "101");
    }

  protected:
    static void write(const std::filesystem::path& folder, int number, const std::string& msg_id,
                      const std::string& sound) {
        const std::string name = (folder / file_name(number, "")).string();
        std::ofstream(name + ".wav") << sound;
        std::ofstream(name + ".txt") << "[message]\nmsg_id=" << msg_id << "\norigtime=1700000000\n";
    }
    void record(int number) const {
        write(inbox_, number, "1-" + std::to_string(number), "as good as a recording");
    }
    static void take(const std::filesystem::path& from, const std::filesystem::path& to,
                     int number) {
        for (const char* rest : {".wav", ".txt"}) {
            const std::string name = file_name(number, rest);
            std::filesystem::rename(from / name, to / name);
        }
    }
    BoxSync::Done look(bool release = false) { return store::good(sync_->run(release, false)); }
    // What is gone then is gone for sure.
    BoxSync::Done look_twice(bool release = false) {
        look(release);
        clock_.advance(2000);
        return look(release);
    }
    std::vector<MessageRecord> messages() { return store::good(store_->list({"101", {}, false})); }
    int present() { return static_cast<int>(messages().size()); }
    // Of the message whose origin has it.
    std::string id_of(const std::string& part) {
        for (const MessageRecord& record : messages())
            if (record.message.origin.find(part) != std::string::npos) return record.message.id;
        CPPUNIT_FAIL("no message " + part);
        return "";
    }
    bool lies(const std::string& folder, int number) const {
        return std::filesystem::exists(box_ / folder / file_name(number, ".txt"));
    }

    const store::Root root_;
    ManualClock clock_{1'700'000'000'000};
    std::unique_ptr<store::Store> store_ = root_.open(clock_);
    Settings settings_;
    Notices notices_;
    std::function<Result<>(store::NewMessage&)> prepare_ = [](store::NewMessage&) {
        return Result<>();
    };
    Unit unit_{root_.paths,
               *store_,
               clock_,
               [this](store::NewMessage& message) { return prepare_(message); },
               [](const std::string&) {},
               2};
    std::unique_ptr<Spool> spool_;
    std::unique_ptr<BoxSync> sync_;
    std::filesystem::path box_, inbox_, away_;
};

}  // namespace vm::asterisk

#endif
