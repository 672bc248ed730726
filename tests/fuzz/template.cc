// A file of wordings (vm-templates.ini(5)): one that is taken has every entry, in one line, and
// what is filled in is never looked at again.
#include "mime/template.h"

#include "fuzz.h"

#include <string>

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using vm::mime::Template;
    const auto wording = Template::parse(vm::fuzz::view(data, size), "fuzz.ini");
    if (!wording) {
        FUZZ_REQUIRE(wording.error().kind == vm::ErrorKind::kConfig);
        FUZZ_REQUIRE(wording.error().object.starts_with("fuzz.ini"));
        return 0;
    }
    for (const vm::mime::EntryRule& rule : vm::mime::entry_rules()) {
        const std::string bare = wording->fill(rule.entry);
        FUZZ_REQUIRE(vm::fuzz::is_one_line(bare));
        FUZZ_REQUIRE(bare.find('\n') == std::string::npos);
        for (int i = 0; i < rule.words; ++i)
            FUZZ_REQUIRE(vm::fuzz::is_one_line(wording->word(rule.entry, i)));
        for (const std::string& name : vm::split(rule.placeholders, ' ')) {
            if (name.empty()) continue;
            // A value that looks like the placeholder itself stays what it is.
            const std::string value = "{" + name + "}";
            const std::string filled = wording->fill(rule.entry, {{name, value}});
            std::size_t found = 0;
            for (std::size_t at = 0; (at = filled.find(value, at)) != std::string::npos; ++at)
                ++found;
            FUZZ_REQUIRE(filled.size() == bare.size() + found * value.size());
        }
    }
    return 0;
}
