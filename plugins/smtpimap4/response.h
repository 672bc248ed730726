// One response of an IMAP server as this plugin sees it: what the parser found in one logical line.
// The forms are RFC 3501's, with RFC 4315 (UIDPLUS), 5161 (ENABLE), 5819 (LIST-STATUS), 6154
// (SPECIAL-USE) and 7162 (CONDSTORE, QRESYNC).
#ifndef VM_PLUGINS_SMTPIMAP4_RESPONSE_H
#define VM_PLUGINS_SMTPIMAP4_RESPONSE_H

#include "smtpimap4/syntax.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace vm::plug::imap {

// A part of a message: "HEADER", "HEADER.FIELDS", "TEXT", "1", "1.MIME".
struct BodySection {
    std::string name;
    std::string bytes;
};

struct FetchData {
    std::uint32_t uid = 0;               // 0: not told
    std::optional<std::uint32_t> flags;  // VM_FLAG_...
    std::vector<BodySection> sections;

    const std::string* section(const char* name) const {
        for (const BodySection& part : sections)
            if (part.name == name) return &part.bytes;
        return nullptr;
    }
};

struct VanishedData {
    UidRanges uids;
};
struct ExpungeData {};
struct RecentData {};
struct ExistsData {
    std::uint32_t messages = 0;
};
struct ListData {
    // Upper case, without the backslash.
    bool has(std::string_view attribute) const {
        return std::find(attributes.begin(), attributes.end(), attribute) != attributes.end();
    }

    std::vector<std::string> attributes;  // upper case, without backslash
    char delimiter = '\0';                // NUL: the server has no hierarchy
    std::string name;                     // as the server spells it
};
struct StatusData {
    std::string name;
    std::optional<std::uint32_t> messages, uid_next, uidvalidity;
    std::uint64_t modseq = 0;
};
struct SearchData {
    std::vector<std::uint32_t> uids;
};
struct CapabilityData {
    std::vector<std::string> names;  // upper case
};
struct EnabledData {
    std::vector<std::string> names;  // upper case
};
struct NamespaceData {
    struct Space {
        std::string prefix;
        char delimiter = '\0';
    };
    std::vector<Space> personal, foreign;  // other users' and shared
};

enum class Status { kOk, kNo, kBad, kBye, kPreauth };
// OK, NO, BAD, BYE or PREAUTH, tagged or not.
struct Condition {
    Status status = Status::kBad;
    std::string tag;        // "": untagged
    std::string code;       // upper case, "" when there is none
    std::string arguments;  // of the code
    std::string text;       // with the code, as the server gave it
};
struct Continuation {};
// A response nobody asked for and nobody knows.
struct Unknown {};
// A response of a kind that is asked for, which is not what it should be.
struct Malformed {};

using Response = std::variant<FetchData, VanishedData, ExpungeData, ExistsData, RecentData,
                              ListData, StatusData, SearchData, CapabilityData, EnabledData,
                              NamespaceData, Condition, Continuation, Unknown, Malformed>;

// The names of a capability list, upper case.
std::vector<std::string> capability_names(std::string_view list);

}  // namespace vm::plug::imap

#endif
