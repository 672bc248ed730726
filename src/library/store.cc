// struct vm_store, and what changes one message.
#include "agent/control.h"
#include "base/identity.h"
#include "base/own_process.h"
#include "base/text.h"
#include "config/config.h"
#include "content/table.h"
#include "library/handle.h"

namespace vm::library {

using store::Store;

Result<> usable(const char* function, const vm_store* store) {
    if (store == nullptr) return wrong(function, "the store is NULL");
    return store->process.check(function);
}

Result<std::string> needed(const char* function, const char* what, const char* given) {
    if (given == nullptr || *given == '\0')
        return fail(ErrorKind::kUsage, function, what, "it is NULL or empty");
    return std::string(given);
}

Result<> known_mailbox(const char* function, const Paths& paths, const std::string& mailbox) {
    if (!is_mailbox_number(mailbox))
        return fail(ErrorKind::kUsage, function, "mailbox " + mailbox,
                    "a mailbox number is 1 to 8 digits");
    if (!config::has_mailbox(paths, mailbox))
        return fail(ErrorKind::kNoInput, function, "mailbox " + mailbox, "there is no such mailbox",
                    "vmconfig mailbox list shows those there are");
    return {};
}

namespace {

Result<std::unique_ptr<vm_store>> open(const std::string& root) {
    constexpr const char* kFunction = "vm_store_open";
    disown_process();
    VM_ASSIGN(OfProcess process, OfProcess::enter(kFunction));
    VM_ASSIGN(const Paths paths, find_root(root));
    VM_TRY(expect_owner(paths));
    // Now, so that an upgrade in between cannot keep this process from adding.
    VM_TRY(content::check());
    // The schema is made up to date; what is used afterwards opens itself.
    VM_TRY(Store::open(paths));
    return std::make_unique<vm_store>(
        vm_store{std::move(process), paths,
                 Store::for_threads(paths, store::share_writer(paths), system_clock())});
}

// Does `change` to message `id`, and tells the agent.
template <class Change>
int change_message(const char* function, vm_store* store, const char* given, vm_store_error* error,
                   const Change& change, agent::Request request = agent::Request::kNothing) {
    return at_border(error, [&]() -> Result<> {
        VM_TRY(usable(function, store));
        VM_ASSIGN(const std::string id, needed(function, "message", given));
        VM_TRY(change(*store->store, id));
        // It is done; an agent that is not told of it finds it a second later.
        quietly([&] {
            if (const auto record = store->store->get(id))
                agent::poke(store->paths, record->message.mailbox, request);
        });
        return {};
    });
}

}  // namespace

}  // namespace vm::library

using namespace vm;
using namespace vm::library;

int vm_store_open(const char* root, vm_store** store, vm_store_error* error) {
    return at_border(error, [&]() -> Result<> {
        if (store == nullptr) return wrong("vm_store_open", "there is no place for the store");
        *store = nullptr;
        VM_ASSIGN(auto opened, open(text_of(root)));
        *store = opened.release();
        return {};
    });
}

void vm_store_close(vm_store* store) {
    // In a forked child its locks would be taken for the child's.
    if (store == nullptr || !store->process.is_ours()) return;
    at_border(nullptr, [&]() -> Result<> {
        delete store;
        return {};
    });
}

int vm_store_mark(vm_store* store, const char* id, int state, vm_store_error* error) {
    return change_message(
        __func__, store, id, error, [&](Store& in, const std::string& which) -> Result<> {
            if (state != VM_STORE_READ && state != VM_STORE_NEW)
                return wrong("vm_store_mark", "the state is neither VM_STORE_NEW nor VM_STORE_READ",
                             "deleting is vm_store_delete()");
            return in.mark(which,
                           state == VM_STORE_READ ? MessageState::kRead : MessageState::kNew);
        });
}

int vm_store_urgent(vm_store* store, const char* id, int urgent, vm_store_error* error) {
    return change_message(__func__, store, id, error,
                          [&](Store& in, const std::string& which) -> Result<> {
                              if (urgent != 0 && urgent != 1)
                                  return wrong("vm_store_urgent", "urgent is neither 0 nor 1");
                              return in.set_urgent(which, urgent == 1);
                          });
}

int vm_store_move(vm_store* store, const char* id, const char* folder, vm_store_error* error) {
    return change_message(
        __func__, store, id, error, [&](Store& in, const std::string& which) -> Result<> {
            VM_ASSIGN(const std::string to, needed("vm_store_move", "folder", folder));
            return in.move(which, to);
        });
}

int vm_store_delete(vm_store* store, const char* id, vm_store_error* error) {
    return change_message(__func__, store, id, error,
                          [](Store& in, const std::string& which) { return in.remove(which); });
}

int vm_store_restore(vm_store* store, const char* id, vm_store_error* error) {
    return change_message(__func__, store, id, error,
                          [](Store& in, const std::string& which) { return in.restore(which); });
}

int vm_store_retry(vm_store* store, const char* id, vm_store_error* error) {
    return change_message(
        __func__, store, id, error,
        [](Store& in, const std::string& which) { return in.retry(which); },
        agent::Request::kRetry);
}
