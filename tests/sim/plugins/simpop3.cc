// The same as simimap4.cc for a maildrop.
#include "vm_transport.h"

extern "C" const vm_transport* sim_drop_transport();

const vm_transport* vm_transport_entry(const vm_host*) {
    return sim_drop_transport();
}
