// libvmcontent.so, see table.h.
#include "base/own_process.h"
#include "content/table.h"

extern "C" {
__attribute__((visibility("default"))) const vm::content::Table* vm_content(bool owns_process);
}

const vm::content::Table* vm_content(bool owns_process) {
    if (!owns_process) vm::disown_process();
    vm::mime::initialise();
    static constexpr vm::content::Table kTable{VM_CONTENT_BUILD,        &vm::mime::compose,
                                               &vm::media::probe_audio, &vm::media::probe_fax,
                                               &vm::media::synthesize,  &vm::media::transcribe};
    return &kTable;
}
