#include "base/memory.h"

#include <cstddef>
#include <cstdint>
#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

namespace vm {

namespace {

// NOLINTBEGIN(performance-no-int-to-ptr): what the dynamic linker tells of are addresses.

// Whether the dynamic linker has written into segments that are read-only now: what it wrote would
// be lost.
bool has_text_relocations(const dl_phdr_info& object, const ElfW(Phdr) & dynamic) {
    const auto* entry = reinterpret_cast<const ElfW(Dyn)*>(object.dlpi_addr + dynamic.p_vaddr);
    for (; entry->d_tag != DT_NULL; ++entry)
        if (entry->d_tag == DT_TEXTREL ||
            (entry->d_tag == DT_FLAGS && (entry->d_un.d_val & DF_TEXTREL) != 0))
            return true;
    return false;
}

int give_back_pages(dl_phdr_info* object, std::size_t, void*) {
    for (int i = 0; i < object->dlpi_phnum; ++i) {
        const auto& header = object->dlpi_phdr[i];
        if (header.p_type == PT_DYNAMIC && has_text_relocations(*object, header)) return 0;
    }
    const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    for (int i = 0; i < object->dlpi_phnum; ++i) {
        const auto& header = object->dlpi_phdr[i];
        if (header.p_type != PT_LOAD || (header.p_flags & PF_W) != 0) continue;
        const std::uintptr_t at = object->dlpi_addr + header.p_vaddr;
        const std::uintptr_t from = at & ~(page - 1);
        // Of a mapping of the file that nobody writes to, this forgets nothing.
        ::madvise(reinterpret_cast<void*>(from), at + header.p_memsz - from, MADV_DONTNEED);
    }
    return 0;
}

// NOLINTEND(performance-no-int-to-ptr)

}  // namespace

void give_back_memory() {
    ::malloc_trim(0);
    ::dl_iterate_phdr(give_back_pages, nullptr);
}

}  // namespace vm
