#include "transport/plugin.h"

#include "base/plugin_file.h"
#include "base/text.h"
#include "base/trace.h"
#include "transport/loading_note.h"
#include "transport/session_context.h"
#include "vm_transport.h"

#include <algorithm>
#include <cstring>
#include <dlfcn.h>
#include <map>
#include <mutex>

namespace vm::transport {

namespace {

// ---- the host's side of the ABI -----------------------------------------------------------------

void on_trace(void*, void* session, const char* line) noexcept {
    const auto* context = static_cast<const SessionContext*>(session);
    if (line != nullptr) trace(TraceLevel::kDebug, "{} {}", context ? context->name : "-", line);
}

int on_cancelled(void*, void* session) noexcept {
    const auto* context = static_cast<const SessionContext*>(session);
    return context && context->cancelled && context->cancelled() ? 1 : 0;
}

int traces(void*) noexcept {
    return trace_enabled(TraceLevel::kDebug) ? 1 : 0;
}

int on_token(void*, void* session, const char* refused, char* token, std::size_t token_size,
             char* error, std::size_t error_size) noexcept {
    const auto give = [](char* target, std::size_t size, const std::string& text) {
        if (size == 0 || text.size() >= size) return false;
        std::memcpy(target, text.c_str(), text.size() + 1);
        return true;
    };
    std::string reason = "no tokens are to be had for this session";
    try {
        const auto* context = static_cast<const SessionContext*>(session);
        if (context && context->token) {
            const auto given = context->token(Secret(refused == nullptr ? "" : refused));
            if (given && give(token, token_size, given->reveal())) return VM_OK;
            reason = given ? "the token is too long" : given.error().text();
        }
        give(error, error_size, sanitize_line(reason, std::max<std::size_t>(error_size, 1) - 1));
    } catch (...) {
        give(error, error_size, "an unknown exception");
    }
    return VM_FAILED;
}

constexpr vm_host kHost = {VM_TRANSPORT_ABI, sizeof(vm_host), nullptr, on_trace,
                           on_cancelled,     traces,          on_token};

// ---- what a plugin must be ----------------------------------------------------------------------

constexpr const char* kInstallHint = "install the plugin that belongs to this program";

tl::unexpected<Error> refuse(const std::filesystem::path& file, std::string reason,
                             std::string hint = kInstallHint) {
    return fail(ErrorKind::kConfig, "load plugin", file.string(), std::move(reason),
                std::move(hint));
}

const char* missing_function(const vm_transport& table) {
    if (table.open == nullptr) return "open";
    if (table.close == nullptr) return "close";
    if (table.push == nullptr) return "push";
    if (table.find == nullptr) return "find";
    if ((table.capabilities & VM_CAN_VISIT) != 0 && table.visit == nullptr) return "visit";
    if ((table.capabilities & VM_CAN_SYNC) == 0) return nullptr;
    if (table.folders == nullptr) return "folders";
    if (table.look == nullptr) return "look";
    if (table.apply == nullptr) return "apply";
    if (table.recover == nullptr) return "recover";
    if (table.fetch == nullptr) return "fetch";
    if (table.park == nullptr) return "park";
    if (table.peek == nullptr) return "peek";
    return nullptr;
}

Result<> check_table(const std::filesystem::path& file, const vm_transport* table) {
    if (table == nullptr)
        return refuse(file, fmt::format("it refused transport ABI {}", VM_TRANSPORT_ABI));
    // Nothing behind the version is looked at before the version is known.
    if (table->abi_version != VM_TRANSPORT_ABI)
        return refuse(file, fmt::format("it has transport ABI {}, this program has {}",
                                        table->abi_version, VM_TRANSPORT_ABI));
    if (table->struct_size < sizeof(vm_transport))
        return refuse(file, fmt::format("its vm_transport has {} bytes, this program's {}",
                                        table->struct_size, sizeof(vm_transport)));
    if (table->name == nullptr || table->description == nullptr)
        return refuse(file, "it has no name or no description");
    if (const char* function = missing_function(*table))
        return refuse(file, fmt::format("its function {} is null", function));
    return {};
}

// The plugin's answer to vm_transport_entry, which is called once per library.
Result<const vm_transport*> enter(void* handle, const std::filesystem::path& file) {
    static std::mutex mutex;
    static std::map<void*, const vm_transport*> entered;
    const std::lock_guard lock(mutex);
    if (const auto known = entered.find(handle); known != entered.end()) return known->second;

    auto* entry = reinterpret_cast<vm_transport_entry_fn>(::dlsym(handle, VM_TRANSPORT_ENTRY));
    if (entry == nullptr)
        return refuse(file, "no transport plugin: it has no " VM_TRANSPORT_ENTRY,
                      "set g_szEmailDllPath to a plugin such as libsmtpimap4.so");
    const vm_transport* table = nullptr;
    try {
        table = entry(&kHost);
    } catch (...) {
        return refuse(file, "it threw an exception when it was started");
    }
    entered.emplace(handle, table);
    return table;
}

}  // namespace

Result<Plugin> Plugin::load(const std::filesystem::path& file) {
    VM_ASSIGN(std::filesystem::path path, check_plugin_file(file));
    const LoadingNote::Scope loading(file);
    // Never unloaded: the libraries below it (libcurl, OpenSSL) would not survive it.
    void* handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (handle == nullptr) {
        const char* words = ::dlerror();
        return refuse(file, sanitize_line(words == nullptr ? "dlopen failed" : words));
    }
    VM_ASSIGN(const vm_transport* table, enter(handle, file));
    VM_TRY(check_table(file, table));
    return Plugin(table, std::move(path));
}

std::string Plugin::name() const {
    return sanitize_line(table_->name, 64);
}
std::string Plugin::description() const {
    return sanitize_line(table_->description, 200);
}
bool Plugin::can_search() const {
    return (table_->capabilities & VM_CAN_SEARCH) != 0;
}
bool Plugin::can_sync() const {
    return (table_->capabilities & VM_CAN_SYNC) != 0;
}
bool Plugin::can_visit() const {
    return (table_->capabilities & VM_CAN_VISIT) != 0;
}

}  // namespace vm::transport
