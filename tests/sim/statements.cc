// SQLite's statements, kept prepared, and its connections, kept open: each schedule opens the
// store, and prepares the same few statements anew, which is most of the time one takes. These
// functions stand before the library's for the whole program. A statement that is finalized is kept
// for the next who prepares its text; a connection that is closed for the next who opens its file,
// after what was not committed was rolled back.
#include <sqlite3.h>

#include <dlfcn.h>
#include <map>
#include <string>
#include <string_view>
#include <utility>

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

// The connection that was closed last.
struct Connection {
    sqlite3* database = nullptr;
    std::string file;
    int flags = 0;
    bool again = false;  // it was opened before
} g_closed;
std::map<sqlite3*, Connection> g_opened;

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
    // Said once more to the same connection it changes nothing, but has every statement prepared
    // anew.
    const auto opened = g_opened.find(database);
    if (opened != g_opened.end() && opened->second.again &&
        std::string_view(text) == "PRAGMA foreign_keys = ON") {
        text = "SELECT 1";
        size = -1;
    }
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

VM_BEFORE_SQLITE int sqlite3_open_v2(const char* file, sqlite3** database, int flags,
                                     const char* vfs) {
    static const auto function = next(&sqlite3_open_v2, "sqlite3_open_v2");
    static const auto close = next(&sqlite3_close, "sqlite3_close");
    const Connection kept = std::exchange(g_closed, {});
    if (kept.database != nullptr && kept.file == file && kept.flags == flags) {
        *database = kept.database;
        g_opened[*database].again = true;
        return SQLITE_OK;
    }
    if (kept.database != nullptr) {
        forget(kept.database);
        g_opened.erase(kept.database);
        close(kept.database);
    }
    const int result = function(file, database, flags, vfs);
    if (result == SQLITE_OK) g_opened[*database] = {*database, file, flags, false};
    return result;
}

VM_BEFORE_SQLITE int sqlite3_close(sqlite3* database) {
    static const auto function = next(&sqlite3_close, "sqlite3_close");
    const auto opened = g_opened.find(database);
    const bool clean = sqlite3_get_autocommit(database) != 0 ||
                       sqlite3_exec(database, "ROLLBACK", nullptr, nullptr, nullptr) == SQLITE_OK;
    if (clean && opened != g_opened.end() && g_closed.database == nullptr) {
        g_closed = opened->second;
        return SQLITE_OK;
    }
    forget(database);
    if (opened != g_opened.end()) g_opened.erase(opened);
    return function(database);
}
