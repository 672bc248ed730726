#include "executed.h"

#include <sqlite3.h>

#include <array>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace vm::store {

namespace fs = std::filesystem;

namespace {

std::set<std::string> g_texts;

int note(unsigned /* event */, void* /* context */, void* statement, void* /* text */) {
    g_texts.insert(::sqlite3_sql(static_cast<sqlite3_stmt*>(statement)));
    return 0;
}

int opened(sqlite3* database, char** /* error */, const sqlite3_api_routines* /* api */) {
    return ::sqlite3_trace_v2(database, SQLITE_TRACE_STMT, note, nullptr);
}

const auto g_extension = reinterpret_cast<void (*)()>(&opened);

bool is_sql(const std::string& text) {
    constexpr std::array kVerbs{"SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WITH ", "WHERE "};
    for (const char* verb : kVerbs)
        if (text.rfind(verb, 0) == 0) return true;
    return false;
}

// The string literals of C++; those that stand side by side are one.
std::vector<std::string> literals(const std::string& source) {
    std::vector<std::string> out;
    bool goes_on = false;  // nothing but blanks and comments since the last one
    for (std::size_t at = 0; at < source.size(); ++at) {
        const char c = source[at];
        if (c == '/' && source.compare(at, 2, "//") == 0) {
            at = std::min(source.find('\n', at), source.size());
        } else if (c == '\'' || c == '"') {
            std::string text;
            for (++at; at < source.size() && source[at] != c; ++at) {
                if (source[at] == '\\') ++at;
                text += source[at];
            }
            if (c == '\'') continue;
            if (goes_on)
                out.back() += text;
            else
                out.push_back(text);
            goes_on = true;
        } else if (std::isspace(static_cast<unsigned char>(c)) == 0) {
            goes_on = false;
        }
    }
    return out;
}

}  // namespace

Executed::Executed() {
    g_texts.clear();
    ::sqlite3_auto_extension(g_extension);
}

Executed::~Executed() {
    ::sqlite3_cancel_auto_extension(g_extension);
}

const std::set<std::string>& Executed::texts() {
    return g_texts;
}

std::vector<std::string> sql_in_sources(const fs::path& directory, const std::string& except) {
    std::vector<std::string> out;
    for (const fs::directory_entry& entry : fs::directory_iterator(directory)) {
        if (entry.path().filename() == except) continue;
        std::ifstream file(entry.path());
        if (!file) throw std::runtime_error("cannot read " + entry.path().string());
        const std::string source{std::istreambuf_iterator<char>(file), {}};
        for (std::string& text : literals(source))
            if (is_sql(text)) out.push_back(std::move(text));
    }
    return out;
}

}  // namespace vm::store
