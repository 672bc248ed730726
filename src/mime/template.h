// The wording of the mails, and of what is spoken: one INI file a language. Those of etc/templates
// are built in, carried in the program; a file of the same form in the unit's template directory
// wins over the one of its language, and adds other languages. vm-templates.ini(5) is its manual.
//
// Promise: a Template has every entry, and every {placeholder} in it is one that the entry may use;
// what is filled in is never looked at again for placeholders. Immutable; any thread.
#ifndef VM_MIME_TEMPLATE_H
#define VM_MIME_TEMPLATE_H

#include "base/error.h"

#include <initializer_list>

#include <array>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vm::mime {

enum class Entry {
    kSender,
    kSenderUnknown,
    kSubjectVoice,
    kSubjectFax,
    kSubjectUrgent,
    kTextVoice,
    kTextFax,
    kTextUrgent,
    kTextPrivate,
    kTextCaller,
    kTextReceived,
    kTextLengthVoice,
    kTextLengthFax,
    kTextAttachedVoice,
    kTextAttachedFax,
    kTextNoticeVoice,
    kTextNoticeFax,
    kTextTranscript,
    kTextClosing,
    kCallerNameAndNumber,
    kCallerUnknown,
    kHour,
    kHours,
    kMinute,
    kMinutes,
    kSecond,
    kSeconds,
    kDurationJoin,
    kPage,
    kPages,
    kTimeFormat,
    kAm,
    kPm,
    kWeekdays,
    kMonths,
    kFileVoice,
    kFileFax,
    kSpeechSender,
    kSpeechSenderUnknown,
    kSpeechSubject,
    kSpeechSubjectNone,
    kSpeechTextNone,
    kSpeechQuoted,
    kSpeechLink,
    kSpeechLinkUnknown,
    kSpeechMore,
    kCount,
};

struct EntryRule {
    Entry entry;
    std::string_view section, key;
    std::string_view placeholders;  // separated by blanks
    int words = 0;                  // not 0: a list of so many, separated by commas
    bool may_be_empty = false;
    bool may_be_missing =
        false;  // in a file from before it was added: then the built-in wording holds
};

// Every entry with its place in the file, in the order of Entry.
const std::array<EntryRule, static_cast<std::size_t>(Entry::kCount)>& entry_rules();

class Template {
  public:
    // The wording in `language` ("de", "es-419"): directory/es-419.ini, else the built-in of that
    // tag, else the same of "es", else of English. Case does not matter. kConfig, naming file, line
    // and entry, when the file is wrong.
    static Result<Template> load(const std::filesystem::path& directory, std::string_view language);

    // The file that load() reads; "" when it takes a built-in one.
    static std::filesystem::path file_for(const std::filesystem::path& directory,
                                          std::string_view language);
    // The tag of what load() takes: "es", or "en" for a language that there is none of.
    static std::string language_for(const std::filesystem::path& directory,
                                    std::string_view language);

    // `content` of a template file; `file` is its name in errors. What may be missing is taken from
    // the built-in one of `language`, or what is nearest to it.
    static Result<Template> parse(std::string_view content, const std::string& file,
                                  std::string_view language = "en");
    static std::string_view built_in();  // the English one

    // The entry with its placeholders replaced.
    using Value = std::pair<std::string_view, std::string_view>;
    std::string fill(Entry entry, std::initializer_list<Value> values = {}) const;
    std::string fill(Entry entry, const std::vector<Value>& values) const;
    // The word at `index` of an entry that is a list.
    std::string word(Entry entry, int index) const;

  private:
    static Result<Template> parse_built_in(std::string_view language);

    std::array<std::string, static_cast<std::size_t>(Entry::kCount)> entries_;
};

}  // namespace vm::mime

#endif
