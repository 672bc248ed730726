// Folder names as the host sees them (UTF-8, "/" between the levels, no prefix) and as the server
// spells them (modified UTF-7, its delimiter, below the personal namespace's prefix). Pure.
#ifndef VM_PLUGINS_SMTPIMAP4_FOLDER_NAMES_H
#define VM_PLUGINS_SMTPIMAP4_FOLDER_NAMES_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vm::plug::imap {

class FolderNames {
  public:
    FolderNames() = default;
    FolderNames(std::string prefix, char delimiter)
        : prefix_(std::move(prefix)), delimiter_(delimiter) {}

    // As the server spells them, with the delimiter at its end; "" for most.
    const std::string& prefix() const { return prefix_; }

    // Nothing for names that the host cannot be given or could not give back: control characters,
    // no modified UTF-7, outside the prefix.
    std::optional<std::string> from_server(std::string_view name) const;
    // Nothing when `name` is none: empty, no UTF-8, control characters.
    std::optional<std::string> to_server(std::string_view name) const;

  private:
    std::optional<std::string> display(std::string_view name) const;

    std::string prefix_;
    char delimiter_ = '/';  // NUL: the server has no levels
};

// The same mailbox: INBOX is it in any case (RFC 3501 section 5.1).
bool same_mailbox(std::string_view a, std::string_view b);

// VM_USE_... that a LIST attribute (upper case, without backslash) stands for; 0: none.
std::uint32_t use_of_attribute(std::string_view attribute);
// VM_USE_... that a folder's name usually has, where `name` is the last level; 0: none.
std::uint32_t use_of_name(std::string_view name);

}  // namespace vm::plug::imap

#endif
