// The least of a schedule that still ends in the same violation.
#ifndef VM_TESTS_SIM_SHRINK_H
#define VM_TESTS_SIM_SHRINK_H

#include "story.h"

namespace vm::sim {

Schedule shrink(Schedule schedule, const std::string& violation, Ground& ground);

}  // namespace vm::sim

#endif
