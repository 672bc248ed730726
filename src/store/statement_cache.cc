// SOCI hides all of its SQLite backend but the factory: a session and a statement of ours stand
// before those of the library and hand on what they are asked. Between the two, statements change
// hands.
#include "store/statement_cache.h"

#include <soci/sqlite3/soci-sqlite3.h>

#include <exception>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>

namespace vm::store {

namespace {

using soci::sqlite3_statement_backend;
using sqlite_api::sqlite3_stmt;

// Statements of one connection that nobody runs, by their text.
class StatementCache {
  public:
    StatementCache() = default;
    StatementCache(const StatementCache&) = delete;
    StatementCache& operator=(const StatementCache&) = delete;
    ~StatementCache() {
        for (const auto& [text, statement] : kept_) sqlite_api::sqlite3_finalize(statement);
    }

    // Where the statement of a text is kept, for as long as the cache lives. nullptr there: it was
    // not prepared yet, or is in use; one may run within another of the same text.
    sqlite3_stmt*& place_of(const std::string& text) { return kept_[text]; }

    static void give_back(sqlite3_stmt* statement, sqlite3_stmt*& place) noexcept {
        // It repeats the error of the last run, which was reported then.
        (void)sqlite_api::sqlite3_reset(statement);
        // They point into variables that end now.
        (void)sqlite_api::sqlite3_clear_bindings(statement);
        // (Of two of one text, one is enough.)
        sqlite_api::sqlite3_finalize(std::exchange(place, statement));
    }

  private:
    std::unordered_map<std::string, sqlite3_stmt*> kept_;
};

class CachedStatement : public soci::details::statement_backend {
  public:
    CachedStatement(StatementCache& cache, std::unique_ptr<statement_backend> inner)
        : cache_(cache), inner_(static_cast<sqlite3_statement_backend*>(inner.release())) {}
    CachedStatement(const CachedStatement&) = delete;
    CachedStatement& operator=(const CachedStatement&) = delete;
    ~CachedStatement() override { give_back(); }

    void prepare(const std::string& text, soci::details::statement_type type) override {
        give_back();
        place_ = &cache_.place_of(text);  // now: what gives back must not fail
        inner_->stmt_ = std::exchange(*place_, nullptr);
        if (inner_->stmt_ == nullptr)
            inner_->prepare(text, type);
        else
            inner_->databaseReady_ = true;
    }
    void clean_up() override {
        give_back();
        inner_->clean_up();
    }

    void alloc() override { inner_->alloc(); }
    // SOCI runs a statement in the destructor of what puts it together, also when an exception ends
    // that half way: with some of its values missing, it would fail and end the process.
    exec_fetch_result execute(int number) override {
        return std::uncaught_exceptions() > uncaught_ ? ef_no_data : inner_->execute(number);
    }
    exec_fetch_result fetch(int number) override { return inner_->fetch(number); }
    long long get_affected_rows() override { return inner_->get_affected_rows(); }
    int get_number_of_rows() override { return inner_->get_number_of_rows(); }
    std::string get_parameter_name(int index) const override {
        return inner_->get_parameter_name(index);
    }
    std::string rewrite_for_procedure_call(const std::string& query) override {
        return inner_->rewrite_for_procedure_call(query);
    }
    int prepare_for_describe() override { return inner_->prepare_for_describe(); }
    void describe_column(int column, soci::data_type& type, std::string& name) override {
        inner_->describe_column(column, type, name);
    }
    soci::details::standard_into_type_backend* make_into_type_backend() override {
        return inner_->make_into_type_backend();
    }
    soci::details::standard_use_type_backend* make_use_type_backend() override {
        return inner_->make_use_type_backend();
    }
    soci::details::vector_into_type_backend* make_vector_into_type_backend() override {
        return inner_->make_vector_into_type_backend();
    }
    soci::details::vector_use_type_backend* make_vector_use_type_backend() override {
        return inner_->make_vector_use_type_backend();
    }

  private:
    void give_back() noexcept {
        if (inner_->stmt_ != nullptr)
            StatementCache::give_back(std::exchange(inner_->stmt_, nullptr), *place_);
    }

    StatementCache& cache_;
    const std::unique_ptr<sqlite3_statement_backend> inner_;
    sqlite3_stmt** place_ = nullptr;  // of the text that was prepared
    const int uncaught_ = std::uncaught_exceptions();
};

class CachingSession : public soci::details::session_backend {
  public:
    explicit CachingSession(std::unique_ptr<session_backend> inner)
        : inner_(static_cast<soci::sqlite3_session_backend*>(inner.release())) {}

    sqlite_api::sqlite3* connection() const { return inner_->conn_; }

    soci::details::statement_backend* make_statement_backend() override {
        return new CachedStatement(cache_, std::unique_ptr<soci::details::statement_backend>(
                                               inner_->make_statement_backend()));
    }

    bool is_connected() override { return inner_->is_connected(); }
    void begin() override { inner_->begin(); }
    void commit() override { inner_->commit(); }
    void rollback() override { inner_->rollback(); }
    std::string get_table_names_query() const override { return inner_->get_table_names_query(); }
    std::string get_dummy_from_table() const override { return inner_->get_dummy_from_table(); }
    std::string get_backend_name() const override { return inner_->get_backend_name(); }
    soci::details::rowid_backend* make_rowid_backend() override {
        return inner_->make_rowid_backend();
    }
    soci::details::blob_backend* make_blob_backend() override {
        return inner_->make_blob_backend();
    }

  private:
    const std::unique_ptr<soci::sqlite3_session_backend> inner_;
    StatementCache cache_;  // after it: a connection that has statements cannot be closed
};

class Factory : public soci::backend_factory {
  public:
    soci::details::session_backend* make_session(
        const soci::connection_parameters& parameters) const override {
        return new CachingSession(std::unique_ptr<soci::details::session_backend>(
            soci::factory_sqlite3()->make_session(parameters)));
    }
};

}  // namespace

const soci::backend_factory& caching_sqlite3() {
    static const Factory factory;
    return factory;
}

namespace {

sqlite_api::sqlite3* connection_of(soci::session& sql) {
    return static_cast<CachingSession*>(sql.get_backend())->connection();
}

}  // namespace

void set_busy_handler(soci::session& sql, int (*handler)(void* context, int times)) {
    sqlite_api::sqlite3_busy_handler(connection_of(sql), handler, nullptr);
}

bool in_transaction(soci::session& sql) noexcept {
    return sqlite_api::sqlite3_get_autocommit(connection_of(sql)) == 0;
}

void run_plain(soci::session& sql, const char* statement) noexcept {
    (void)sqlite_api::sqlite3_exec(connection_of(sql), statement, nullptr, nullptr, nullptr);
}

}  // namespace vm::store
