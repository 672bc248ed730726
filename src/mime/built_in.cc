#include "mime/built_in.h"

#include "base/text.h"

// Each file becomes part of the program as it stands; the Makefile says where they lie.
#define VM_WORDING(language)                                                             \
    __asm__(".pushsection .rodata\nvm_wording_" #language ": .incbin \"" VM_TEMPLATES    \
            "/" #language ".ini\"\nvm_wording_" #language "_end:\n.popsection\n");       \
    extern "C" const char vm_wording_##language[] __attribute__((visibility("hidden"))); \
    extern "C" const char vm_wording_##language##_end[] __attribute__((visibility("hidden")))
VM_WORDING(en);
VM_WORDING(de);
VM_WORDING(es);
VM_WORDING(fr);
VM_WORDING(it);
VM_WORDING(ja);
VM_WORDING(nl);
VM_WORDING(pt);

namespace vm::mime {

namespace {

std::string_view between(const char* begin, const char* end) {
    return {begin, static_cast<std::size_t>(end - begin)};
}

}  // namespace

const std::vector<BuiltIn>& built_in_wordings() {
    static const std::vector<BuiltIn> kAll{
        {"en", between(vm_wording_en, vm_wording_en_end)},
        {"de", between(vm_wording_de, vm_wording_de_end)},
        {"es", between(vm_wording_es, vm_wording_es_end)},
        {"fr", between(vm_wording_fr, vm_wording_fr_end)},
        {"it", between(vm_wording_it, vm_wording_it_end)},
        {"ja", between(vm_wording_ja, vm_wording_ja_end)},
        {"nl", between(vm_wording_nl, vm_wording_nl_end)},
        {"pt", between(vm_wording_pt, vm_wording_pt_end)},
    };
    return kAll;
}

const BuiltIn* built_in_wording(std::string_view language) {
    for (const BuiltIn& wording : built_in_wordings())
        if (iequals(wording.language, language)) return &wording;
    return nullptr;
}

}  // namespace vm::mime
