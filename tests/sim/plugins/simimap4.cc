// A plugin whose account and servers are the simulation's (tables.cc), in the program that loads
// it.
#include "vm_transport.h"

extern "C" const vm_transport* sim_imap_transport();

const vm_transport* vm_transport_entry(const vm_host*) {
    return sim_imap_transport();
}
