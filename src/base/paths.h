// Where things lie under a root (INTERFACE "Root"): --root DIR, else $VM_ROOT, else /usr/local/vm.
#ifndef VM_BASE_PATHS_H
#define VM_BASE_PATHS_H

#include "base/error.h"

#include <filesystem>
#include <string>

namespace vm {

struct Paths {
    explicit Paths(std::filesystem::path root_directory) : root(std::move(root_directory)) {}

    std::filesystem::path root;
    std::filesystem::path etc() const { return root / "etc"; }
    std::filesystem::path misc_ini() const { return etc() / "misc.ini"; }
    std::filesystem::path mailboxes() const { return etc() / "mailboxes"; }
    std::filesystem::path mailbox_ini(const std::string& number) const {
        return mailboxes() / (number + ".ini");
    }
    std::filesystem::path templates() const { return etc() / "templates"; }
    std::filesystem::path key_file() const { return etc() / "vm.key"; }
    std::filesystem::path var() const { return root / "var"; }
    std::filesystem::path database() const { return var() / "vm.db"; }
    std::filesystem::path media() const { return var() / "media"; }
    std::filesystem::path speech() const { return var() / "speech"; }  // e-mails as recordings
    std::filesystem::path spool() const { return var() / "spool"; }  // composed mails, conversions
    std::filesystem::path oauth2() const { return var() / "oauth2"; }  // tokens
    std::filesystem::path trace() const { return var() / "trace"; }
    std::filesystem::path trace_file() const { return trace() / "vmemaild.trace"; }
    std::filesystem::path run() const { return root / "run"; }
    std::filesystem::path socket() const { return run() / "vmemaild.sock"; }
    std::filesystem::path metrics_socket() const { return run() / "metrics.sock"; }
    std::filesystem::path lock_file() const { return run() / "vmemaild.lock"; }
    std::filesystem::path lib() const { return root / "lib"; }
};

// The root by the rule above; `option` is the value of --root or empty. Made absolute: kNoInput
// when the working directory that takes is gone.
Result<Paths> find_root(const std::string& option);

}  // namespace vm

#endif
