#include "base/process.h"
#include "base/text.h"
#include "media/fax.h"
#include "media/open.h"

#include <array>
#include <string_view>
#include <unistd.h>

namespace vm::media {

namespace {

constexpr const char* kOperation = "convert to PDF";
// 1,000 pages take tiff2pdf a few seconds; the limit is for a machine in trouble.
constexpr std::chrono::minutes kLimit{5};

// tiff2pdf does not notice every failed write; a complete PDF ends with its marker.
bool is_complete(const std::filesystem::path& pdf) {
    constexpr std::string_view kMarker = "%%EOF";
    auto file = open_media(pdf, kOperation);
    std::array<char, 16> tail{};
    if (!file || file->size < static_cast<std::int64_t>(tail.size())) return false;
    if (::pread(file->fd.get(), tail.data(), tail.size(), file->size - 16) != 16) return false;
    return std::string_view(tail.data(), tail.size()).find(kMarker) != std::string_view::npos;
}

}  // namespace

Result<> write_pdf(const std::filesystem::path& tiff, const std::filesystem::path& pdf) {
    // G4 in one strip is passed through, every other bilevel page becomes G4. -x and -y: what a fax
    // without resolution tags most likely has. Absolute paths, so none can look like an option.
    auto run = run_process(
        {"tiff2pdf", "-x", "204", "-y", "196", "-o", std::filesystem::absolute(pdf).string(),
         std::filesystem::absolute(tiff).string()},
        kLimit);
    if (!run) {
        Error error = run.error();
        error.operation = kOperation;
        error.object = tiff.string();
        error.reason = "tiff2pdf: " + error.reason;
        if (error.kind == ErrorKind::kConfig)
            error.hint = "install libtiff-tools or set Fax Format = tiff";
        return fail(error);
    }
    if (run->exit_code == 0 && is_complete(pdf)) return {};
    // Either the fax is damaged, or the machine is in trouble (disk, memory): then it is tried
    // again.
    if (auto fax = probe_fax(tiff); !fax) return fail(fax.error());
    return fail(ErrorKind::kUnavailable, kOperation, tiff.string(),
                "tiff2pdf ended with status " + std::to_string(run->exit_code) +
                    " and no complete PDF: " + sanitize_line(trim(run->diagnostics), 300),
                "check disk space and memory");
}

}  // namespace vm::media
