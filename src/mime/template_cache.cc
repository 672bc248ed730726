#include "mime/template_cache.h"

#include "base/clock.h"

#include <algorithm>

namespace vm::mime {

namespace {

// So long after a change its stamp tells of the next one for sure.
constexpr std::int64_t kSettledMs = 2000;

}  // namespace

Result<std::shared_ptr<const Template>> TemplateCache::get(const std::filesystem::path& directory,
                                                           std::string_view language) {
    const std::pair key(directory, std::string(language));
    Known now;
    now.directory = file_stamp(directory);
    {
        const std::lock_guard lock(mutex_);
        if (const auto found = known_.find(key); found != known_.end()) {
            const Known& known = found->second;
            if (known.directory == now.directory &&
                (known.file.empty() || known.stamp == file_stamp(known.file)))
                return known.wording;
            known_.erase(found);
        }
    }
    now.file = Template::file_for(directory, language);
    if (!now.file.empty()) now.stamp = file_stamp(now.file);
    VM_ASSIGN(Template wording, Template::load(directory, language));
    now.wording = std::make_shared<const Template>(std::move(wording));
    const auto changed = std::max(now.directory.changed_ns, now.stamp.changed_ns) / 1'000'000;
    if (system_clock().now() - changed <= kSettledMs) return now.wording;
    const std::lock_guard lock(mutex_);
    return known_.insert_or_assign(key, std::move(now)).first->second.wording;
}

}  // namespace vm::mime
