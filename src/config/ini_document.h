// An INI file as text lines: values are read through inih, edits touch the one line they are about,
// so comments, order, blank lines, unknown sections and keys and the line ends stay byte for byte.
//
// Promise: nothing is dropped silently. Whatever inih would skip, cut or take for something else is
// an Error (kConfig) naming file and line: a line without `=`, a section name that is not closed or
// too long, text behind `]`, a key before the first section, a key given twice, a NUL byte. Section
// and key names are case-insensitive. Indentation means nothing: inih's continuation lines are not
// used, because an indented `key = value` would vanish in the value above it. Lines may have any
// length; those beyond inih's buffer are handed to it in pieces. A ` ;` behind a value starts a
// comment, as everywhere in inih.
//
// A document is a value: no file is touched. One thread at a time per object.
#ifndef VM_CONFIG_INI_DOCUMENT_H
#define VM_CONFIG_INI_DOCUMENT_H

#include "base/error.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vm::config {

struct IniEntry {
    std::string section, key, value;
    std::size_t line = 0;    // from 1
    bool commented = false;  // a comment follows the value on its line
};

class IniDocument {
  public:
    // `name` is what errors call the document: the file's path.
    static Result<IniDocument> parse(std::string_view text, std::string name);

    const std::string& name() const { return name_; }
    // "NAME line N", the object of an Error.
    std::string at(std::size_t line) const;

    const std::vector<IniEntry>& entries() const { return entries_; }
    const IniEntry* find(std::string_view section, std::string_view key) const;
    // Names as written, in order, each once, also of sections without keys.
    std::vector<std::string> sections() const;

    // Replaces the value on its line, or adds the key behind the last one of its section, or adds
    // the section at the end. What was set reads back identical; a value for which this cannot be
    // is refused (kConfig, the reason in words, never the value) and the document is unchanged.
    Result<> set(std::string_view section, std::string_view key, std::string_view value);

    // The file's bytes.
    std::string text() const;

  private:
    struct Header {
        std::string name;
        std::size_t line = 0;
    };

    Result<> read_header(std::string_view stripped, std::size_t line);
    Result<> read_entries();
    std::string line_end() const;

    std::string name_;
    std::vector<std::string> lines_;  // each with its line end
    std::vector<Header> headers_;
    std::vector<IniEntry> entries_;
};

// Why an INI file cannot hold `value` as it stands; nullopt when it can.
std::optional<std::string> why_not_representable(std::string_view value);

}  // namespace vm::config

#endif
