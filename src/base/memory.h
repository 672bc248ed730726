// Memory that a process holds and does not need just now.
#ifndef VM_BASE_MEMORY_H
#define VM_BASE_MEMORY_H

namespace vm {

// Gives back what is free in the heap, and the pages of the program and its libraries: most of them
// are only touched once, when a process starts (by the dynamic linker, by what runs only then).
// Those that are needed come back out of the page cache as they are touched. Costs about a
// millisecond. Any thread.
void give_back_memory();

}  // namespace vm

#endif
