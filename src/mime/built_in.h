// The wordings that are part of the program: the files of etc/templates as they stand. Inside this
// layer only; any thread.
#ifndef VM_MIME_BUILT_IN_H
#define VM_MIME_BUILT_IN_H

#include <string_view>
#include <vector>

namespace vm::mime {

struct BuiltIn {
    std::string_view language;  // a tag in lower case
    std::string_view content;   // of LANGUAGE.ini
};

// English first.
const std::vector<BuiltIn>& built_in_wordings();

// The one of exactly this tag, in any case; nullptr when there is none.
const BuiltIn* built_in_wording(std::string_view language);

}  // namespace vm::mime

#endif
