// INI files: as a document that is edited, as misc.ini and as a mailbox's options, and sealed
// passwords in it. The first line of an input is an edit, SECTION|KEY|VALUE; the rest is the file.
#include "../config/temp_root.h"
#include "base/paths.h"
#include "config/config.h"
#include "config/ini_document.h"
#include "config/mailbox_options.h"
#include "config/seal.h"
#include "fuzz.h"

#include <string>
#include <vector>

namespace {

using namespace vm::fuzz;
namespace config = vm::config;

// The lines of `text`, each with its end.
std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> out;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size() - 1) + 1;
        out.push_back(text.substr(at, end - at));
        at = end;
    }
    return out;
}

// `after` is `before` with one line changed; or with lines added in one place, of which the one in
// front of them may have been the last one and had no end.
bool is_one_edit(const std::string& before, const std::string& after) {
    const auto old_lines = lines_of(before), new_lines = lines_of(after);
    std::size_t same = 0, tail = 0;
    while (same < old_lines.size() && same < new_lines.size() && old_lines[same] == new_lines[same])
        ++same;
    while (tail < old_lines.size() - same && tail < new_lines.size() - same &&
           old_lines[old_lines.size() - 1 - tail] == new_lines[new_lines.size() - 1 - tail])
        ++tail;
    const std::size_t gone = old_lines.size() - same - tail, came = new_lines.size() - same - tail;
    if (gone == 0) return came <= 3;  // a blank line, a section, the key
    if (gone > 1) return false;
    const bool had_no_end = same + 1 == old_lines.size() && !old_lines[same].ends_with('\n');
    return came == 1 || (had_no_end && came <= 4 && new_lines[same].starts_with(old_lines[same]));
}

void check_entries(const config::IniDocument& document) {
    std::size_t line = 0;
    for (const config::IniEntry& entry : document.entries()) {
        FUZZ_REQUIRE(entry.line > line);
        line = entry.line;
        FUZZ_REQUIRE(!entry.section.empty() && !entry.key.empty());
        const config::IniEntry* found = document.find(entry.section, entry.key);
        FUZZ_REQUIRE(found == &entry);
        for (const std::string* text : {&entry.section, &entry.key, &entry.value})
            FUZZ_REQUIRE(text->find_first_of(std::string_view("\n\0", 2)) == std::string::npos);
    }
}

void check_edit(const config::IniDocument& before, const std::vector<std::string>& edit) {
    const std::string &section = edit[0], &key = edit[1], &value = edit[2];
    config::IniDocument after = before;
    if (!after.set(section, key, value)) {
        FUZZ_REQUIRE(after.text() == before.text());
        return;
    }
    FUZZ_REQUIRE(is_one_edit(before.text(), after.text()));
    const config::IniEntry* now = after.find(section, key);
    FUZZ_REQUIRE(now != nullptr && now->value == value);
    const std::size_t added = before.find(section, key) == nullptr ? 1 : 0;
    FUZZ_REQUIRE(after.entries().size() == before.entries().size() + added);
    for (const config::IniEntry& old : before.entries()) {
        const config::IniEntry* kept = after.find(old.section, old.key);
        FUZZ_REQUIRE(kept != nullptr && (kept == now || kept->value == old.value));
    }
    // Once more changes nothing.
    config::IniDocument again = after;
    FUZZ_REQUIRE(again.set(section, key, value) && again.text() == after.text());
}

void check_server(const config::Server& server) {
    FUZZ_REQUIRE(is_one_line(server.host) && server.host.find(' ') == std::string::npos);
    FUZZ_REQUIRE(server.port != 0);
}

void check_mailbox(const config::MailboxOptions& mailbox) {
    check_server(mailbox.smtp);
    check_server(mailbox.imap4);
    check_server(mailbox.pop3);
    const std::string sender = mailbox.sender_address();
    FUZZ_REQUIRE(is_one_line(sender) && sender.find('@') != std::string::npos);
    FUZZ_REQUIRE(sender.find_first_of("<> \t") == std::string::npos);
    FUZZ_REQUIRE(!mailbox.message_id_domain().empty());
    FUZZ_REQUIRE(mailbox.email_name.find_first_of("<> \r\n") == std::string::npos);
    FUZZ_REQUIRE(mailbox.network_timeout_s > 0 && mailbox.deleted_retention_days >= 0);
}

// As the agent loads them. What is wrong is said in one line that names the file.
template <class Options>
void check_result(const vm::Result<Options>& loaded) {
    if (!loaded) FUZZ_REQUIRE(!loaded.error().object.empty() && !loaded.error().reason.empty());
}

void check_files(const std::string& text) {
    static const vm::TempRoot root;
    std::FILE* const file = std::fopen(root.paths.misc_ini().c_str(), "w");
    FUZZ_REQUIRE(file != nullptr);
    FUZZ_REQUIRE(std::fwrite(text.data(), 1, text.size(), file) == text.size());
    FUZZ_REQUIRE(std::fclose(file) == 0);
    const auto misc = config::load_misc(root.paths);
    check_result(misc);
    if (!misc) return;
    FUZZ_REQUIRE(misc->email_dll_path.is_absolute() && misc->max_trace_file_size > 0);
    FUZZ_REQUIRE(misc->seats >= 0 && misc->retry_timeout_min > 0);
    FUZZ_REQUIRE(misc->speech_command.empty() || misc->speech_command.starts_with('/'));
}

void check_seal(const std::string& sealed) {
    static const vm::Secret key(std::string(32, 'k'));
    const config::SealContext context{"101", "Smtp Password"};
    // Nobody without the key makes one that opens.
    FUZZ_REQUIRE(!config::unseal(sealed, key, context));
    const auto good = config::seal(vm::Secret(sealed), key, context);
    FUZZ_REQUIRE(good.has_value());
    const auto back = config::unseal(*good, key, context);
    FUZZ_REQUIRE(back && back->reveal() == sealed);
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view input = view(data, size);
    const std::vector<std::string> edit = vm::split(take_line(input), '|');
    const std::string text(input);
    check_files(text);
    const auto document = config::IniDocument::parse(text, "fuzz.ini");
    check_result(document);
    if (!document) return 0;
    FUZZ_REQUIRE(document->text() == text);
    check_entries(*document);
    if (edit.size() == 3) check_edit(*document, edit);
    const auto mailbox =
        config::interpret_mailbox(*document, "101", vm::Paths(std::filesystem::path("/nowhere")));
    check_result(mailbox);
    if (mailbox) check_mailbox(*mailbox);
    for (const config::IniEntry& entry : document->entries())
        if (config::is_sealed(entry.value)) check_seal(entry.value);
    return 0;
}
