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

// A TIFF with at least one page, all of whose pages are bilevel and whose lines can be decoded, but
// for streaks in G3 and MH; anything else is kMessage with the reason. Bounded: at most 1,000
// pages.
Result<FaxInfo> probe_fax(const std::filesystem::path& file);

// Writes the pages of `tiff` as a PDF, each bit for bit as G4, at the size their resolution gives.
// A line that cannot be read is blank, so that every fax probe_fax accepts becomes a PDF. Needs
// room beside `pdf` for the pages once more. kUnavailable when the machine is to blame.
Result<> write_pdf(const std::filesystem::path& tiff, const std::filesystem::path& pdf);

}  // namespace vm::media

#endif
