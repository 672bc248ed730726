// libvmcontent.so, see table.h.
#include "content/table.h"

extern "C" {
__attribute__((visibility("default"))) const vm::content::Table* vm_content();
}

const vm::content::Table* vm_content() {
    vm::mime::initialise();
    static constexpr vm::content::Table kTable{VM_CONTENT_BUILD,        &vm::mime::compose,
                                               &vm::media::probe_audio, &vm::media::probe_fax,
                                               &vm::media::synthesize,  &vm::media::transcribe};
    return &kTable;
}
