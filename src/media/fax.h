// Faxes: checked and measured with libtiff, turned into PDF by the tiff2pdf program. Any thread.
#ifndef VM_MEDIA_FAX_H
#define VM_MEDIA_FAX_H

#include "base/error.h"

#include <filesystem>
#include <string>

namespace vm::media {

struct FaxInfo {
    int pages = 0;
    int width = 0;            // pixels of the first page
    std::string compression;  // "g3", "g4", …
};

// A TIFF with at least one page, all of whose pages are bilevel and whose strips can be decoded;
// anything else is kMessage with the reason. Bounded: at most 1,000 pages.
Result<FaxInfo> probe_fax(const std::filesystem::path& file);

// Writes `tiff` as a PDF that embeds the G3/G4 pages unchanged at the size their resolution gives.
Result<> write_pdf(const std::filesystem::path& tiff, const std::filesystem::path& pdf);

}  // namespace vm::media

#endif
