// Templates that are read once, and again when their files changed. Any thread.
#ifndef VM_MIME_TEMPLATE_CACHE_H
#define VM_MIME_TEMPLATE_CACHE_H

#include "base/error.h"
#include "base/files.h"
#include "mime/template.h"

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

namespace vm::mime {

class TemplateCache {
  public:
    // As Template::load() would give it now; errors likewise, which are not kept. Costs two calls
    // of stat(2) when nothing changed.
    Result<std::shared_ptr<const Template>> get(const std::filesystem::path& directory,
                                                std::string_view language);

  private:
    // A file's stamp tells of its changes, the directory's of another file that is to be read.
    struct Known {
        FileStamp directory, stamp;
        std::filesystem::path file;
        std::shared_ptr<const Template> wording;
    };
    std::mutex mutex_;
    std::map<std::pair<std::filesystem::path, std::string>, Known> known_;  // guarded by mutex_
};

}  // namespace vm::mime

#endif
