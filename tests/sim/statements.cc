// SQLite's statements, kept prepared: the store prepares the same few ones anew each time, which is
// half of all the time a schedule takes. These functions stand before the library's for the whole
// program; a statement that is finalized is kept for the next who prepares its text.
#include <sqlite3.h>

#include <dlfcn.h>
#include <map>
#include <string>
#include <string_view>

namespace {

template <class Function>
Function* next(Function* /* its type */, const char* name) {
    return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

std::map<std::pair<sqlite3*, std::string>, sqlite3_stmt*> g_kept;

void finalize(sqlite3_stmt* statement) {
    static const auto function = next(&sqlite3_finalize, "sqlite3_finalize");
    function(statement);
}

void forget(sqlite3* database) {
    for (auto it = g_kept.lower_bound({database, ""});
         it != g_kept.end() && it->first.first == database; it = g_kept.erase(it))
        finalize(it->second);
}

}  // namespace

#define VM_BEFORE_SQLITE extern "C" __attribute__((visibility("default")))

VM_BEFORE_SQLITE int sqlite3_prepare_v2(sqlite3* database, const char* text, int size,
                                        sqlite3_stmt** statement, const char** rest) {
    static const auto function = next(&sqlite3_prepare_v2, "sqlite3_prepare_v2");
    const std::string_view whole(text);
    const auto kept = g_kept.find({database, std::string(whole)});
    if (kept == g_kept.end() || (size >= 0 && static_cast<std::size_t>(size) < whole.size()))
        return function(database, text, size, statement, rest);
    *statement = kept->second;
    if (rest != nullptr) *rest = text + whole.size();
    g_kept.erase(kept);
    return SQLITE_OK;
}

VM_BEFORE_SQLITE int sqlite3_finalize(sqlite3_stmt* statement) {
    if (statement == nullptr) return SQLITE_OK;
    const int result = sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    const auto [kept, fresh] =
        g_kept.try_emplace({sqlite3_db_handle(statement), sqlite3_sql(statement)}, statement);
    if (!fresh) finalize(statement);
    return result;
}

VM_BEFORE_SQLITE int sqlite3_close(sqlite3* database) {
    static const auto function = next(&sqlite3_close, "sqlite3_close");
    forget(database);
    return function(database);
}
