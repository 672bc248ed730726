#include "common/ca_store.h"

#include <openssl/err.h>

#include <cerrno>
#include <ctime>
#include <map>
#include <mutex>
#include <sys/stat.h>
#include <system_error>

namespace vm::plug {

namespace {

struct Version {
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = 0;
    timespec modified{};

    bool operator==(const Version& other) const {
        return device == other.device && inode == other.inode && size == other.size &&
               modified.tv_sec == other.modified.tv_sec &&
               modified.tv_nsec == other.modified.tv_nsec;
    }
};

struct Entry {
    Version version;
    CaStore store;
};

std::string openssl_reason() {
    const unsigned long code = ERR_get_error();
    ERR_clear_error();
    const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
    return reason == nullptr ? "no certificate in it" : reason;
}

}  // namespace

tl::expected<CaStore, std::string> ca_store(const std::string& ca_file) {
    static std::mutex mutex;
    static std::map<std::string, Entry> entries;

    Version version;
    if (!ca_file.empty()) {
        struct stat info {};
        if (::stat(ca_file.c_str(), &info) != 0)
            return tl::unexpected("CA file " + ca_file + ": " +
                                  std::generic_category().message(errno));
        version = {info.st_dev, info.st_ino, info.st_size, info.st_mtim};
    }

    const std::lock_guard lock(mutex);
    if (const auto known = entries.find(ca_file);
        known != entries.end() && known->second.version == version)
        return known->second.store;

    CaStore store(X509_STORE_new(), X509_STORE_free);
    if (!store) return tl::unexpected(std::string("CA store: out of memory"));
    // As libcurl sets up its own: a trusted intermediate or server certificate is enough.
    X509_STORE_set_flags(store.get(), X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN);
    if (ca_file.empty()) {
        // Looked up by hash in the system's directory, when a chain asks for it.
        if (X509_STORE_set_default_paths(store.get()) != 1)
            return tl::unexpected("the system's CA store: " + openssl_reason());
    } else if (X509_STORE_load_file(store.get(), ca_file.c_str()) != 1) {
        return tl::unexpected("CA file " + ca_file + ": " + openssl_reason());
    }
    entries[ca_file] = {version, store};
    return store;
}

}  // namespace vm::plug
