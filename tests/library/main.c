/* libvmstore.so by its header alone, as firmware has it. */
#include "harness.h"

int main(void) {
    test_adding();
    test_changes();
    test_watching();
    test_many_at_once();
    test_the_process();
    test_memory();
    return closing_line();
}
