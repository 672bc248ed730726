// vmctl(8): messages, deliveries, status; the commands are in vmctl_commands.h.
#include "app/cli.h"
#include "app/vmctl_commands.h"

int main(int argc, char** argv) {
    return vm::app::run_program(argc, argv, vm::app::run_vmctl);
}
