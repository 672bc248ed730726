#include "smtpimap4/filter.h"

#include "common/text.h"
#include "smtpimap4/syntax.h"

namespace vm::plug::imap {

namespace {

std::string literal(const std::string& bytes) {
    return "{" + std::to_string(bytes.size()) + "}\r\n" + bytes;
}

// (\Seen $Junk …): the system flags this plugin knows; keywords are the user's business.
std::optional<std::string> clean_flags(Scanner& line) {
    if (!line.take('(')) return std::nullopt;
    std::string out;
    for (bool first = true; !line.take(')'); first = false) {
        if (!first && !line.take(' ')) return std::nullopt;
        const auto flag = line.take_astring();
        if (!flag) return std::nullopt;
        for (const char* known : {"\\Seen", "\\Flagged", "\\Deleted"})
            if (iequals(*flag, known)) out += (out.empty() ? "" : " ") + std::string(known);
    }
    return "FLAGS (" + out + ")";
}

std::optional<std::string> clean_uid(Scanner& line) {
    const auto digits = line.take_digits();
    if (!digits || parse_number(*digits).value_or(0) == 0) return std::nullopt;
    return "UID " + std::string(*digits);
}

// The inside of BODY[…], of those this plugin asks for; "" for others.
std::optional<std::string> section_name(Scanner& line) {
    if (line.take_word("HEADER.FIELDS")) {
        if (!line.take(' ') || !line.skip_value()) return std::nullopt;
        return "HEADER.FIELDS (X)";
    }
    const auto atom = line.take_atom();
    if (!atom) return std::nullopt;
    const std::string name = upper(*atom);
    return name == "1" || name == "1.MIME" || name == "HEADER" || name == "TEXT" ? name : "";
}

// <0> behind the section: where the part of it begins.
bool take_origin(Scanner& line) {
    if (!line.take('<')) return true;
    const auto digits = line.take_digits();
    return digits && line.take('>');
}

std::optional<std::string> clean_body(Scanner& line) {
    const auto name = section_name(line);
    if (!name || !line.take(']') || !take_origin(line) || !line.take(' ')) return std::nullopt;
    std::string value = "NIL";
    if (!line.take_word("NIL")) {
        const auto text = line.take_string();
        if (!text) return std::nullopt;
        value = literal(*text);
    }
    return name->empty() ? "" : "BODY[" + *name + "] " + value;
}

// One item of FETCH; "" for what nobody asked for.
std::optional<std::string> clean_item(Scanner& line) {
    const auto name = line.take_atom();
    if (!name) return std::nullopt;
    if (iequals(*name, "BODY") && line.take('[')) return clean_body(line);
    if (!line.take(' ')) return std::nullopt;
    if (iequals(*name, "UID")) return clean_uid(line);
    if (iequals(*name, "FLAGS")) return clean_flags(line);
    if (!line.skip_value()) return std::nullopt;
    return "";
}

std::optional<std::string> take_ranges(Scanner& line) {
    const auto atom = line.take_atom();
    if (!atom || !parse_uid_ranges(*atom)) return std::nullopt;
    return std::string(*atom);
}

// A mailbox name; quotes only where they cannot be misread.
std::string clean_name(const std::string& name) {
    const bool plain =
        is_ascii(name) && !has_control(name) && name.find_first_of("\"\\") == std::string::npos;
    return plain ? '"' + name + '"' : literal(name);
}

bool take_attributes(Scanner& line, std::string& out) {
    if (!line.take('(')) return false;
    for (bool first = true; !line.take(')'); first = false) {
        if (!first && !line.take(' ')) return false;
        const auto attribute = line.take_atom();
        if (!attribute) return false;
        if (attribute->front() != '\\' || attribute->size() < 2 || !is_ascii(*attribute) ||
            attribute->find_first_of("\\%*", 1) != std::string_view::npos)
            continue;
        out += (out.empty() ? "" : " ") + std::string(*attribute);
    }
    return true;
}

// A hierarchy delimiter: quoted or NIL. Some servers say "" for NIL.
std::optional<std::string> take_delimiter(Scanner& line) {
    if (line.take_word("NIL")) return "NIL";
    const auto text = line.take_string();
    if (!text || text->size() > 1 || !is_ascii(*text) || has_control(*text)) return std::nullopt;
    if (text->empty()) return "NIL";
    return quoted(*text);
}

// One number of a STATUS response; "" for one nobody asked for.
std::optional<std::string> clean_status_item(Scanner& line) {
    const auto name = line.take_atom();
    if (!name || !line.take(' ')) return std::nullopt;
    const std::string keyword = upper(*name);
    const bool modseq = keyword == "HIGHESTMODSEQ";
    if (!modseq && keyword != "MESSAGES" && keyword != "UIDNEXT" && keyword != "UIDVALIDITY") {
        if (!line.skip_value()) return std::nullopt;
        return "";
    }
    const auto digits = line.take_digits();
    if (!digits || (modseq ? !parse_modseq(*digits) : !parse_number(*digits))) return std::nullopt;
    return keyword + " " + std::string(*digits);
}

// A list of what `item` makes of its elements, "" left out.
template <class Item>
std::optional<std::string> clean_list_of(Scanner& line, Item item) {
    if (!line.take('(')) return std::nullopt;
    std::string out;
    for (bool first = true; !line.take(')'); first = false) {
        if (!first && !line.take(' ')) return std::nullopt;
        const auto clean = item(line);
        if (!clean) return std::nullopt;
        if (!clean->empty()) out += (out.empty() ? "" : " ") + *clean;
    }
    return out;
}

// ("prefix" "/" …): extensions are left out.
std::optional<std::string> clean_space(Scanner& line) {
    if (!line.take('(')) return std::nullopt;
    const auto prefix = line.take_string();
    if (!prefix || has_control(*prefix) || !line.take(' ')) return std::nullopt;
    const auto delimiter = take_delimiter(line);
    if (!delimiter) return std::nullopt;
    while (line.take(' '))
        if (!line.skip_value()) return std::nullopt;
    if (!line.take(')')) return std::nullopt;
    return "(" + quoted(*prefix) + " " + *delimiter + ")";
}

// The namespaces of one kind (RFC 2342), or NIL.
std::optional<std::string> clean_spaces(Scanner& line) {
    if (line.take_word("NIL")) return "NIL";
    if (!line.take('(')) return std::nullopt;
    std::string out;
    while (!line.take(')')) {
        const auto space = clean_space(line);
        if (!space) return std::nullopt;
        out += *space;
        line.take(' ');  // some servers put one between them
    }
    return out.empty() ? "NIL" : "(" + out + ")";
}

}  // namespace

std::optional<std::string> clean_fetch(Scanner line) {
    const auto items = line.take(' ') ? clean_list_of(line, clean_item) : std::nullopt;
    if (!items || !line.at_end()) return std::nullopt;
    // What is left may be nothing; the library knows no empty list.
    return "* 1 FETCH (" + (items->empty() ? "FLAGS ()" : *items) + ")";
}

std::optional<std::string> clean_vanished(Scanner line) {
    if (!line.take(' ')) return std::nullopt;
    std::string out = "* VANISHED ";
    if (line.take('(')) {
        if (!line.take_word("EARLIER") || !line.take(')') || !line.take(' ')) return std::nullopt;
        out += "(EARLIER) ";
    }
    const auto ranges = take_ranges(line);
    if (!ranges || !line.at_end()) return std::nullopt;
    return out + *ranges;
}

std::optional<std::string> clean_list(Scanner line) {
    std::string attributes;
    if (!line.take(' ') || !take_attributes(line, attributes) || !line.take(' '))
        return std::nullopt;
    const auto delimiter = take_delimiter(line);
    if (!delimiter || !line.take(' ')) return std::nullopt;
    const auto name = line.take_astring();
    // Extended data may follow (RFC 5258 section 6).
    if (!name || (line.take(' ') && !line.skip_value()) || !line.at_end()) return std::nullopt;
    // No string has one (RFC 3501 section 9); the library would take what is before it for the
    // name.
    if (name->find('\0') != std::string::npos) return std::nullopt;
    return "* LIST (" + attributes + ") " + *delimiter + " " + clean_name(*name);
}

std::optional<std::string> clean_status(Scanner line, std::string& name) {
    if (!line.take(' ')) return std::nullopt;
    const auto mailbox = line.take_astring();
    if (!mailbox || !line.take(' ')) return std::nullopt;
    const auto items = clean_list_of(line, clean_status_item);
    line.take(' ');  // older servers end the line with one
    if (!items || !line.at_end()) return std::nullopt;
    name = *mailbox;
    return "* STATUS X (" + *items + ")";
}

std::optional<std::string> clean_search(Scanner line) {
    std::string out = "* SEARCH";
    while (line.take(' ')) {
        if (line.at_end()) break;
        if (line.take('(')) {  // (MODSEQ n), RFC 7162 section 3.1.5
            if (!line.take_word("MODSEQ") || !line.take(' ') || !line.take_digits() ||
                !line.take(')'))
                return std::nullopt;
            continue;
        }
        const auto digits = line.take_digits();
        if (!digits || parse_number(*digits).value_or(0) == 0) return std::nullopt;
        out += " " + std::string(*digits);
    }
    if (!line.at_end()) return std::nullopt;
    return out;
}

std::optional<std::string> clean_namespace(Scanner line) {
    std::string out = "* NAMESPACE";
    for (int kind = 0; kind < 3; ++kind) {
        const auto spaces = line.take(' ') ? clean_spaces(line) : std::nullopt;
        if (!spaces) return std::nullopt;
        out += " " + *spaces;
    }
    if (!line.at_end()) return std::nullopt;
    return out;
}

}  // namespace vm::plug::imap
