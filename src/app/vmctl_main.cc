#include "app/vmctl_commands.h"

int main(int argc, char** argv) {
    return vm::app::run_vmctl(argc, argv);
}
