// Places where a test may have the process die: the commits of the store and the steps of a
// dialogue, which a kill(2) from outside cannot aim at. In the programs that are installed they are
// nothing. Objects compiled with VM_CRASH_POINTS (the Makefile's variant for tests) call
// crash_point(), which the test that links them defines. Any thread may.
#ifndef VM_BASE_CRASH_POINT_H
#define VM_BASE_CRASH_POINT_H

#ifdef VM_CRASH_POINTS
#include <string>

namespace vm {
// `name`: "commit intent", "committed intent", "send MAIL", "sent MAIL", "answer MAIL", …
void crash_point(const std::string& name);
}  // namespace vm

#define VM_CRASH_POINT(name) ::vm::crash_point(name)
#else
#define VM_CRASH_POINT(name) static_cast<void>(0)
#endif

#endif
