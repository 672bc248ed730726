#include "store/database.h"

#include "base/crash_point.h"
#include "base/files.h"
#include "base/own_process.h"
#include "store/statement_cache.h"

#include <soci/sqlite3/soci-sqlite3.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <fcntl.h>
#include <optional>
#include <thread>
#include <unistd.h>

namespace vm::store {

namespace fs = std::filesystem;

namespace {

constexpr const char* kOpen = "open the store";

// Creates an empty database file with mode 0600 unless there is one. It is linked into place when
// already closed: closing any descriptor of a database file would drop the locks that another
// connection of this process holds on it (POSIX).
Result<> create_file(const fs::path& file) {
    if (::access(file.c_str(), F_OK) == 0) return {};
    std::string temporary = file.string() + ".XXXXXX";
    if (!UniqueFd(::mkostemp(temporary.data(), O_CLOEXEC)))
        return fail_errno(errno, kOpen, file.string());
    const bool linked = ::link(temporary.c_str(), file.c_str()) == 0 || errno == EEXIST;
    const int code = errno;
    ::unlink(temporary.c_str());
    if (!linked) return fail_errno(code, kOpen, file.string());
    return fsync_directory(file.parent_path());
}

// Turning WAL on (once, after that it is a property of the file) needs the file alone, and SQLite
// does not wait for that: when several programs open a fresh root at once, all but one are told
// "busy".
void use_wal(soci::session& sql) {
    const auto deadline = std::chrono::steady_clock::now() + kBusyTimeout;
    for (;;) {
        std::string mode;
        try {
            sql << "PRAGMA journal_mode = WAL", soci::into(mode);
        } catch (const soci::soci_error& error) {
            if (!is_busy(error) || std::chrono::steady_clock::now() >= deadline) throw;
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
            continue;
        }
        if (mode == "wal") return;
        throw soci::soci_error("the file system does not support SQLite's WAL mode");
    }
}

// Until when this thread waits for the lock it asks for; by itself for kBusyTimeout.
thread_local std::optional<std::chrono::steady_clock::time_point> g_until;

// Asked by SQLite whether to go on waiting for a lock. Its own answer comes to look ten times a
// second at last; where another process has much to write, its lock is free for a tenth of a
// millisecond between two transactions, and who looks so seldom may not get it within the time.
int wait_for_lock(void* /* context */, int times) {
    thread_local std::chrono::steady_clock::time_point deadline;
    const auto now = std::chrono::steady_clock::now();
    if (times == 0) deadline = g_until.value_or(now + kBusyTimeout);
    if (now >= deadline) return 0;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return 1;
}

void set_up(soci::session& sql) {
    set_busy_handler(sql, wait_for_lock);
    use_wal(sql);
    sql << "PRAGMA synchronous = FULL";
    sql << "PRAGMA foreign_keys = ON";
    // In KiB. A mailbox of a hundred messages lies in some 700 pages of 4 KiB, each in another
    // place of a large store, and a pass reads it several times: SQLite's 2 MiB forget it
    // meanwhile.
    sql << "PRAGMA cache_size = -4000";
}

// A path alone where that will do: when memory is used up while SOCI takes another apart, it does
// so for ever.
std::string connection_string(const fs::path& file) {
    const std::string path = file.string();
    return path.find('=') == std::string::npos ? path : "dbname=\"" + path + "\"";
}

// Its own locks cost a tenth of a query, and a session belongs to one thread anyway; to count its
// memory, which nobody asks for, it takes one that all threads share. To be said before the first
// use of SQLite; who was there before keeps the locks. Not where others of the process use SQLite.
void without_locks() {
    if (!owns_process()) return;
    [[maybe_unused]] static const int done = sqlite_api::sqlite3_config(SQLITE_CONFIG_MULTITHREAD) +
                                             sqlite_api::sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

}  // namespace

Result<std::unique_ptr<soci::session>> open_database(const Paths& paths) {
    const fs::path file = paths.database();
    if (::access(paths.var().c_str(), F_OK) != 0) {
        const int code = errno;
        return fail_errno(code, kOpen, paths.var().string(),
                          code == ENOENT ? "create the root with vmconfig init" : "");
    }
    // SOCI's connection string knows no escape for this one character.
    if (file.string().find('"') != std::string::npos)
        return fail(ErrorKind::kConfig, kOpen, file.string(), "the path contains a double quote",
                    "use a root without one");
    VM_TRY(create_file(file));
    if (::faccessat(AT_FDCWD, file.c_str(), R_OK | W_OK, AT_EACCESS) != 0)
        return fail_errno(errno, kOpen, file.string());
    return guarded(kOpen, file.string(), [&]() -> Result<std::unique_ptr<soci::session>> {
        without_locks();
        auto sql = std::make_unique<soci::session>(caching_sqlite3(), connection_string(file));
        // What is to be run is put together by a stream: one that could not be must not be run.
        sql->get_query_stream().exceptions(std::ios::badbit);
        set_up(*sql);
        return sql;
    });
}

Transaction::Transaction(soci::session& sql, const char* name, Durable durable)
    : Transaction(sql, durable, std::chrono::steady_clock::now() + kBusyTimeout) {
    join(name);
}

Transaction::Transaction(soci::session& sql, Durable durable,
                         std::chrono::steady_clock::time_point deadline)
    : sql_(sql), durable_(durable) {
    sql_.get_query_stream().clear();
    try {
        if (durable_ == Durable::kSoon) sql_ << "PRAGMA synchronous = NORMAL";
        g_until = deadline;
        sql_ << "BEGIN IMMEDIATE";
        g_until.reset();
    } catch (...) {
        g_until.reset();
        close();
        throw;
    }
}

Transaction::~Transaction() {
    close();
}

// By SQLite itself, as it must not fail for want of memory. Where there is nothing to be rolled
// back, as after a commit, or where a full disk or an I/O error has done so already, that is
// refused.
void Transaction::close() noexcept {
    if (open_) run_plain(sql_, "ROLLBACK");
    if (durable_ == Durable::kSoon) run_plain(sql_, "PRAGMA synchronous = FULL");
}

void Transaction::commit() {
    for ([[maybe_unused]] const char* name : names_) VM_CRASH_POINT(std::string("commit ") + name);
    try {
        sql_ << "COMMIT";
    } catch (const std::bad_alloc&) {
        if (in_transaction(sql_)) throw;  // else it was done before memory was used up
    }
    open_ = false;
    for ([[maybe_unused]] const char* name : names_)
        VM_CRASH_POINT(std::string("committed ") + name);
}

bool is_busy(const soci::soci_error& error) {
    const auto* sqlite = dynamic_cast<const soci::sqlite3_soci_error*>(&error);
    return sqlite != nullptr && (sqlite->result() & 0xFF) == SQLITE_BUSY;
}

Error database_error(std::string operation, std::string object, const soci::soci_error& error) {
    // Without the statement and its parameters, which what() appends.
    std::string reason = error.get_error_message();
    if (reason.rfind("sqlite3_statement_backend::", 0) == 0) reason.erase(0, reason.find(": ") + 2);
    ErrorKind kind = ErrorKind::kUnavailable;
    std::string hint;
    if (const auto* sqlite = dynamic_cast<const soci::sqlite3_soci_error*>(&error)) {
        switch (sqlite->result() & 0xFF) {
            case SQLITE_FULL:
                reason = "the disk is full";
                hint = "free disk space and try again";
                break;
            case SQLITE_BUSY:
            case SQLITE_LOCKED:
                reason = "another process has kept the database locked for " +
                         std::to_string(kBusyTimeout.count()) + " s";
                hint = "try again";
                break;
            case SQLITE_READONLY:
            case SQLITE_PERM:
                kind = ErrorKind::kPermission;
                hint =
                    "it must belong to the unit's user, on a file system that is mounted "
                    "read-write";
                break;
            case SQLITE_CANTOPEN:
                hint =
                    "its directory must belong to the unit's user, on a file system that is "
                    "mounted read-write";
                break;
            case SQLITE_CORRUPT:
            case SQLITE_NOTADB:
                hint = "restore the database from a backup";
                break;
            case SQLITE_IOERR:
                hint = "check the disk and its free space";
                break;
            default:
                break;
        }
    }
    return {kind, std::move(operation), std::move(object), std::move(reason), std::move(hint)};
}

}  // namespace vm::store
