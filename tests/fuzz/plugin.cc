// What a hostile plugin (tests/plugins/fixtures/hostile.cc) hands the agent through the ABI. The
// first line of an input says what is asked of it, a letter each:
//   p f   push(), find()
//   l k n folders(), look() with and without known UIDs
//   a r t apply(), recover(), fetch()
//   i e q park(), peek(), ask()
//   v     visit()
// and the rest is what it answers.
#include "base/files.h"
#include "core/push.h"
#include "fuzz.h"
#include "transport/account.h"

#include <cstdlib>
#include <dlfcn.h>
#include <filesystem>
#include <string>

namespace {

using namespace vm::fuzz;
namespace transport = vm::transport;

constexpr std::size_t kMostCalls = 8;
constexpr std::size_t kContentSize = 100;
const std::vector<std::uint32_t> kUids{3, 5, 9};
const std::vector<std::string> kKnown{"a1", "a2"};
const std::string kId = "01J9ZK3V5TA8Q4W8M8Z9N1B2C3";

// ---- what the host must make of it --------------------------------------------------------------

void check_failure(const vm::AccountFailure& failure) {
    FUZZ_REQUIRE(!failure.text.empty() && is_one_line(failure.text));
}

bool is_known(std::uint32_t uid) {
    return std::find(kUids.begin(), kUids.end(), uid) != kUids.end();
}

void check_change(const vm::MailChangeResult& result) {
    FUZZ_REQUIRE(result.outcome <= vm::MailChangeOutcome::kCannot);
    FUZZ_REQUIRE(is_one_line(result.place.folder) && is_one_line(result.text));
}

void folders(transport::AccountSession& session) {
    const auto told = session.folders({});
    if (!told) return check_failure(told.error());
    std::string last;
    for (const vm::FolderState& folder : *told) {
        FUZZ_REQUIRE(folder.name > last && folder.name.size() <= 1000);
        FUZZ_REQUIRE(is_one_line(folder.name));
        last = folder.name;
    }
}

void look(transport::AccountSession& session, bool known) {
    transport::FolderLook look;
    look.since.name = "INBOX";
    if (known) {
        look.since.uidvalidity = 7;
        look.since.uid_next = 10;
        look.uids = kUids;
    } else {
        look.others = [](const vm::FoundMail& mail) { return mail.uid % 2 == 0; };
    }
    const auto news = session.look(look);
    if (!news) return check_failure(news.error());
    if (news->failure) check_failure(*news->failure);
    FUZZ_REQUIRE(news->state.uidvalidity != 0 && news->state.name == "INBOX");
    for (const auto& [uid, flags] : news->flags) FUZZ_REQUIRE(known && is_known(uid));
    for (const std::uint32_t uid : news->gone) FUZZ_REQUIRE(known && is_known(uid));
    for (const vm::FoundMail& mail : news->found) {
        FUZZ_REQUIRE(mail.uid != 0 && is_one_line(mail.id) && is_one_line(mail.message_id));
        FUZZ_REQUIRE(!mail.id.empty() || (!known && mail.uid % 2 == 0));
    }
}

void apply(transport::AccountSession& session) {
    std::vector<vm::MailChange> changes(2);
    for (vm::MailChange& change : changes) change.id = kId;
    std::vector<std::optional<vm::MailChangeResult>> results;
    const auto failure = session.apply("INBOX", 7, changes, results);
    if (failure) check_failure(*failure);
    FUZZ_REQUIRE(results.size() == changes.size());
    for (const auto& result : results) {
        FUZZ_REQUIRE(result || failure);
        if (result) check_change(*result);
    }
}

void fetch(transport::AccountSession& session) {
    const auto mail = session.fetch({"INBOX", 7, 3}, kContentSize);
    if (!mail) return check_failure(mail.error());
    if (*mail) FUZZ_REQUIRE((*mail)->bytes.size() <= kContentSize);
}

void park(transport::AccountSession& session) {
    const auto parked = session.park("INBOX");
    if (!parked) return check_failure(parked.error());
    FUZZ_REQUIRE(!parked->supported || parked->fd >= 0);
}

void visit(transport::AccountSession& session) {
    transport::DropVisit visit;
    visit.known = kKnown;
    visit.removals = {{"a1", kId, ""}, {"", kId, ""}};
    visit.every = true;
    visit.content_size = kContentSize;
    visit.wanted = [](const vm::DropMail& mail) {
        FUZZ_REQUIRE(is_one_line(mail.unique_id));
        return mail.id.empty();
    };
    visit.content = [](const std::string& unique_id, std::string_view bytes) {
        FUZZ_REQUIRE(bytes.size() <= kContentSize && unique_id.size() < 10'000);
    };
    visit.confirm = [&](std::size_t index) {
        FUZZ_REQUIRE(index < visit.removals.size());
        return true;
    };
    const transport::DropNews news = session.visit(visit);
    if (news.failure) check_failure(*news.failure);
    FUZZ_REQUIRE(news.failure ? news.results.empty() : news.results.size() == 2);
    for (const vm::DropMail& mail : news.mails)
        FUZZ_REQUIRE(!mail.unique_id.empty() && is_one_line(mail.unique_id) &&
                     is_one_line(mail.id) && is_one_line(mail.message_id));
    for (const std::string& unique_id : news.gone)
        FUZZ_REQUIRE(unique_id == kKnown[0] || unique_id == kKnown[1]);
    for (const vm::DropResult& result : news.results) FUZZ_REQUIRE(is_one_line(result.text));
}

void push(transport::Session& session) {
    static const vm::UniqueFd mail = [] {
        auto file = std::move(*vm::unnamed_file(std::filesystem::temp_directory_path()));
        FUZZ_REQUIRE(vm::write_all(file.get(), std::string(100, 'x'), "mail").has_value());
        return file;
    }();
    const vm::PushReport report = session.push({"a@b", "c@d", mail.get(), 100, false, {}});
    FUZZ_REQUIRE(is_one_line(report.text) && is_one_line(report.enhanced));
    FUZZ_REQUIRE(report.code >= 0 && report.code <= 599);
    // Nobody is told of a delivery but by a 2xx to the final dot.
    const bool delivered = vm::classify(report).event == vm::DeliveryEvent::kAccepted;
    FUZZ_REQUIRE(!delivered || (report.step == vm::PushStep::kDot && report.code / 100 == 2));
}

void find(transport::Session& session) {
    const auto answer = session.find(kId);
    if (!answer) return FUZZ_REQUIRE(is_one_line(answer.error().reason));
    FUZZ_REQUIRE(is_one_line(answer->link.folder));
}

// ---- the plugin ---------------------------------------------------------------------------------

struct Hostile {
    transport::Plugin plugin;
    void (*input)(const char* bytes, std::size_t size);
};

const Hostile& hostile() {
    static const Hostile out = [] {
        // It lies beside the program.
        const auto file =
            std::filesystem::read_symlink("/proc/self/exe").parent_path() / "libhostile.so";
        auto plugin = transport::Plugin::load(file);
        if (!plugin) broken(file.c_str(), 0, plugin.error().text().c_str());
        void* library = ::dlopen(file.c_str(), RTLD_NOW | RTLD_NOLOAD);
        FUZZ_REQUIRE(library != nullptr);
        void* function = ::dlsym(library, "hostile_input");
        FUZZ_REQUIRE(function != nullptr);
        return Hostile{std::move(*plugin),
                       reinterpret_cast<void (*)(const char*, std::size_t)>(function)};
    }();
    return out;
}

void call(transport::AccountSession& account, transport::Session& session, char letter) {
    switch (letter) {
        case 'p':
            return push(session);
        case 'f':
            return find(session);
        case 'l':
            return folders(account);
        case 'k':
        case 'n':
            return look(account, letter == 'k');
        case 'a':
            return apply(account);
        case 'r':
            if (const auto result = account.recover(kId, "", "INBOX"))
                check_change(*result);
            else
                check_failure(result.error());
            return;
        case 't':
            return fetch(account);
        case 'i':
            return park(account);
        case 'e':
            if (const auto changed = account.peek(); !changed) check_failure(changed.error());
            return;
        case 'q':
            if (const auto asked = account.ask(); !asked) check_failure(asked.error());
            return;
        case 'v':
            return visit(account);
        default:
            return;
    }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view input = view(data, size);
    const std::string_view calls = take_line(input).substr(0, kMostCalls);
    hostile().input(input.data(), input.size());
    transport::SessionOptions options;
    options.smtp.host = options.account.host = "heaven.af.mil";
    auto account = transport::AccountSession::open(hostile().plugin, options);
    auto session = hostile().plugin.open(options);
    for (const auto* error :
         {account ? nullptr : &account.error(), session ? nullptr : &session.error()})
        FUZZ_REQUIRE(error == nullptr || is_one_line(error->reason));
    if (!account || !session) return 0;
    for (const char letter : calls) call(*account, *session, letter);
    return 0;
}
