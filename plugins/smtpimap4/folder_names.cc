#include "smtpimap4/folder_names.h"

#include "common/text.h"
#include "smtpimap4/mutf7.h"
#include "vm_transport.h"

#include <algorithm>

namespace vm::plug::imap {

namespace {

constexpr std::string_view kInbox = "INBOX";
constexpr std::string_view kDivisionSlash = "\xE2\x88\x95";  // U+2215
constexpr std::size_t kLongest = 1000;                       // vm_change_result.folder holds it

void replace_all(std::string& text, std::string_view from, std::string_view to) {
    for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
        text.replace(at, from.size(), to);
}

// Lower case as far as the usual names need it: ASCII and Latin-1.
std::string fold(std::string_view text) {
    std::string out(text);
    for (std::size_t i = 0; i < out.size(); ++i) {
        const auto byte = static_cast<unsigned char>(out[i]);
        const bool upper_ascii = byte >= 'A' && byte <= 'Z';
        const bool upper_latin =
            i > 0 && out[i - 1] == '\xC3' && byte >= 0x80 && byte <= 0x9E && byte != 0x97;
        if (upper_ascii || upper_latin) out[i] = static_cast<char>(byte + 0x20);
    }
    return out;
}

struct UsualName {
    const char* name;  // folded
    std::uint32_t use;
};
constexpr UsualName kUsualNames[] = {
    {"trash", VM_USE_TRASH},
    {"bin", VM_USE_TRASH},
    {"deleted", VM_USE_TRASH},
    {"deleted items", VM_USE_TRASH},
    {"deleted messages", VM_USE_TRASH},
    {"papierkorb", VM_USE_TRASH},
    {"gelöscht", VM_USE_TRASH},
    {"gelöschte elemente", VM_USE_TRASH},
    {"gelöschte objekte", VM_USE_TRASH},
    {"corbeille", VM_USE_TRASH},
    {"éléments supprimés", VM_USE_TRASH},
    {"papelera", VM_USE_TRASH},
    {"elementos eliminados", VM_USE_TRASH},
    {"cestino", VM_USE_TRASH},
    {"posta eliminata", VM_USE_TRASH},
    {"prullenbak", VM_USE_TRASH},
    {"verwijderde items", VM_USE_TRASH},
    {"papperskorgen", VM_USE_TRASH},
    {"lixeira", VM_USE_TRASH},
    {"kosz", VM_USE_TRASH},
    {"junk", VM_USE_JUNK},
    {"junk e-mail", VM_USE_JUNK},
    {"junk email", VM_USE_JUNK},
    {"junk mail", VM_USE_JUNK},
    {"spam", VM_USE_JUNK},
    {"bulk mail", VM_USE_JUNK},
    {"unerwünscht", VM_USE_JUNK},
    {"werbung", VM_USE_JUNK},
    {"spamverdacht", VM_USE_JUNK},
    {"courrier indésirable", VM_USE_JUNK},
    {"correo no deseado", VM_USE_JUNK},
    {"posta indesiderata", VM_USE_JUNK},
    {"ongewenste e-mail", VM_USE_JUNK},
    {"drafts", VM_USE_DRAFTS},
    {"draft", VM_USE_DRAFTS},
    {"entwürfe", VM_USE_DRAFTS},
    {"brouillons", VM_USE_DRAFTS},
    {"borradores", VM_USE_DRAFTS},
    {"bozze", VM_USE_DRAFTS},
    {"concepten", VM_USE_DRAFTS},
    {"utkast", VM_USE_DRAFTS},
    {"rascunhos", VM_USE_DRAFTS},
    {"sent", VM_USE_SENT},
    {"sent items", VM_USE_SENT},
    {"sent messages", VM_USE_SENT},
    {"sent mail", VM_USE_SENT},
    {"gesendet", VM_USE_SENT},
    {"gesendete elemente", VM_USE_SENT},
    {"gesendete objekte", VM_USE_SENT},
    {"envoyés", VM_USE_SENT},
    {"éléments envoyés", VM_USE_SENT},
    {"messages envoyés", VM_USE_SENT},
    {"enviados", VM_USE_SENT},
    {"elementos enviados", VM_USE_SENT},
    {"inviati", VM_USE_SENT},
    {"posta inviata", VM_USE_SENT},
    {"verzonden", VM_USE_SENT},
    {"verzonden items", VM_USE_SENT},
    {"skickat", VM_USE_SENT},
};

}  // namespace

bool same_mailbox(std::string_view a, std::string_view b) {
    return a == b || (iequals(a, kInbox) && iequals(b, kInbox));
}

std::optional<std::string> FolderNames::display(std::string_view name) const {
    if (iequals(name, kInbox)) return std::string(kInbox);
    if (!name.starts_with(prefix_) || name.size() == prefix_.size()) return std::nullopt;
    auto out = decode_mutf7(name.substr(prefix_.size()));
    if (!out || has_control(*out) || out->size() > kLongest) return std::nullopt;
    if (delimiter_ == '/') return out;
    replace_all(*out, "/", kDivisionSlash);
    if (delimiter_ != '\0') std::replace(out->begin(), out->end(), delimiter_, '/');
    return out;
}

std::optional<std::string> FolderNames::from_server(std::string_view name) const {
    auto out = display(name);
    if (!out) return std::nullopt;
    const auto back = to_server(*out);
    return back && same_mailbox(*back, name) ? out : std::nullopt;
}

std::optional<std::string> FolderNames::to_server(std::string_view name) const {
    if (name.empty() || has_control(name) || name.size() > kLongest) return std::nullopt;
    if (iequals(name, kInbox)) return std::string(kInbox);
    std::string out(name);
    if (delimiter_ != '/') {
        if (delimiter_ != '\0') std::replace(out.begin(), out.end(), '/', delimiter_);
        replace_all(out, kDivisionSlash, "/");
    }
    auto encoded = encode_mutf7(out);
    if (!encoded) return std::nullopt;
    return prefix_ + *encoded;
}

std::uint32_t use_of_attribute(std::string_view attribute) {
    if (attribute == "TRASH") return VM_USE_TRASH;
    if (attribute == "JUNK") return VM_USE_JUNK;
    if (attribute == "DRAFTS") return VM_USE_DRAFTS;
    if (attribute == "SENT") return VM_USE_SENT;
    if (attribute == "ALL" || attribute == "FLAGGED" || attribute == "IMPORTANT")
        return VM_USE_VIRTUAL;
    return 0;
}

std::uint32_t use_of_name(std::string_view name) {
    const std::string folded = fold(name);
    for (const UsualName& usual : kUsualNames)
        if (folded == usual.name) return usual.use;
    return 0;
}

}  // namespace vm::plug::imap
