// One stream of an IMAP server, cut into responses, filtered and parsed as smtpimap4 does it, but
// for the dialogue: every response is looked at, whether or not anybody would have asked for it.
#include "common/text.h"
#include "fuzz.h"
#include "smtpimap4/filter.h"
#include "smtpimap4/framer.h"
#include "smtpimap4/mutf7.h"
#include "smtpimap4/parser.h"
#include "vm_transport.h"

#include <string>

namespace {

using namespace vm::plug;
using namespace vm::plug::imap;

using Clean = std::optional<std::string> (*)(Scanner);

// What the filter lets pass is in its canonical form, which it leaves as it is, and it has as much
// of the line in it as there is.
void check_filter(std::string_view words, std::string_view word, Clean clean_form) {
    Scanner line(words);
    if (!line.take_word(word)) return;
    const auto clean = clean_form(line);
    if (!clean) return;
    FUZZ_REQUIRE(clean->size() <= 2 * words.size() + 100);
    Scanner again(*clean);
    FUZZ_REQUIRE(again.take('*') && again.take(' '));
    if (again.take_digits()) FUZZ_REQUIRE(again.take(' '));
    FUZZ_REQUIRE(again.take_word(word));
    FUZZ_REQUIRE(clean_form(again) == clean);
}

void check_filters(std::string_view line) {
    if (!line.starts_with("* ")) return;
    line.remove_prefix(2);
    Scanner words(line);
    if (words.take_digits() && words.take(' '))
        return check_filter(words.rest(), "FETCH", clean_fetch);
    check_filter(line, "VANISHED", clean_vanished);
    check_filter(line, "LIST", clean_list);
    check_filter(line, "SEARCH", clean_search);
    check_filter(line, "NAMESPACE", clean_namespace);
    check_filter(line, "STATUS", [](Scanner status) {
        std::string name;
        return clean_status(status, name);
    });
}

struct Check {
    std::string_view line;

    void operator()(const FetchData& fetch) const {
        FUZZ_REQUIRE(fetch.flags.value_or(0) <= (VM_FLAG_SEEN | VM_FLAG_FLAGGED | VM_FLAG_DELETED));
        // The bytes of a literal are those that were sent; a quoted string only loses its quoting.
        std::size_t all = 0;
        for (const BodySection& section : fetch.sections) {
            all += section.bytes.size();
            FUZZ_REQUIRE(section.bytes.find('"') == std::string::npos ||
                         line.find('"') != std::string_view::npos);
        }
        FUZZ_REQUIRE(all <= line.size());
        // The library saw what the filter let pass, no less.
        Scanner words(line.substr(2));
        words.take_digits();
        words.take(' ');
        words.take_word("FETCH");
        const std::string clean = clean_fetch(words).value_or("");
        for (const BodySection& section : fetch.sections)
            FUZZ_REQUIRE(clean.find(section.bytes) != std::string::npos);
    }
    void operator()(const VanishedData& vanished) const { FUZZ_REQUIRE(vanished.uids.size() > 0); }
    void operator()(const ListData& list) const {
        FUZZ_REQUIRE(list.attributes.size() <= line.size());
        Scanner words(line.substr(2));
        words.take_word("LIST");
        words.take(' ');
        words.skip_value();
        words.take(' ');
        words.skip_value();
        words.take(' ');
        FUZZ_REQUIRE(words.take_astring() == list.name);
        if (const auto shown = decode_mutf7(list.name)) {
            FUZZ_REQUIRE(vm::is_utf8(*shown));
            FUZZ_REQUIRE(encode_mutf7(*shown) == list.name);
        }
    }
    void operator()(const StatusData& status) const {
        FUZZ_REQUIRE(status.name.size() <= line.size());
        FUZZ_REQUIRE(status.modseq <= 0x7FFFFFFFFFFFFFFF);
    }
    void operator()(const SearchData& search) const {
        FUZZ_REQUIRE(search.uids.size() <= line.size() / 2);
        for (const std::uint32_t uid : search.uids) FUZZ_REQUIRE(uid != 0);
    }
    void operator()(const CapabilityData& data) const {
        FUZZ_REQUIRE(data.names.size() <= line.size());
    }
    void operator()(const NamespaceData& spaces) const {
        for (const auto* some : {&spaces.personal, &spaces.foreign})
            for (const NamespaceData::Space& space : *some)
                FUZZ_REQUIRE(!has_control(space.prefix) &&
                             !has_control({&space.delimiter, space.delimiter != '\0'}));
    }
    void operator()(const Condition& condition) const {
        FUZZ_REQUIRE(!has_control(condition.text));
        FUZZ_REQUIRE(condition.code.size() + condition.arguments.size() <= line.size());
    }
    template <class Other>
    void operator()(const Other&) const {}
};

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input = vm::fuzz::view(data, size);
    Parser parser;
    Framer whole, piecemeal;
    for (std::string_view rest = input; whole.look(rest) == Framer::State::kComplete;) {
        // How the bytes come changes nothing.
        std::size_t there = 0;
        while (piecemeal.look(rest.substr(0, there)) == Framer::State::kMore)
            FUZZ_REQUIRE(there++ < rest.size());
        FUZZ_REQUIRE(!has_control(whole.shown(rest)) && whole.shown(rest).size() <= rest.size());
        const std::size_t length = whole.take();
        FUZZ_REQUIRE(length == there && piecemeal.take() == length);
        std::string_view line = rest.substr(0, length - 1);
        if (line.ends_with('\r')) line.remove_suffix(1);
        check_filters(line);
        std::visit(Check{line}, parser.parse(line));
        rest.remove_prefix(length);
    }
    return 0;
}
