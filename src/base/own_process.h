// Whether this code may set what holds for its whole process: libtiff's handlers, SQLite's modes.
// Programs may. A library in somebody else's process says that it may not, before anything else.
#ifndef VM_BASE_OWN_PROCESS_H
#define VM_BASE_OWN_PROCESS_H

namespace vm {

// Any thread.
bool owns_process();
// For good; any thread.
void disown_process();

}  // namespace vm

#endif
