// The pages of a fax, line by line: what the check and the conversion have in common, so that
// whatever the check accepts can be converted. Any thread.
#ifndef VM_MEDIA_FAX_PAGES_H
#define VM_MEDIA_FAX_PAGES_H

#include "base/error.h"
#include "media/fax.h"

#include <cstdint>
#include <filesystem>
#include <vector>

namespace vm::media {

struct FaxPage {
    std::uint32_t width = 0, rows = 0;
    std::uint16_t compression = 0;  // libtiff's numbers, here and below
    std::uint16_t photometric = 0;  // MINISWHITE, which a file without the tag means, or MINISBLACK
    std::uint16_t orientation = 0;
    float x_dpi = 0, y_dpi = 0;
};

// Gets the pages in their order: begin, then `rows` lines, then end. An error ends the reading.
class FaxPageSink {
  public:
    virtual ~FaxPageSink() = default;
    virtual Result<> begin(const FaxPage& page) = 0;
    // One bit a pixel, the first one in the highest bit. A line that could not be read is blank.
    virtual Result<> line(std::vector<unsigned char>& bits, std::uint32_t row) = 0;
    virtual Result<> end() = 0;
};

// Reads `file` to its end and decodes every line; what is no fax is kMessage with the reason.
Result<FaxInfo> read_fax(const std::filesystem::path& file, const char* operation,
                         FaxPageSink& sink);

}  // namespace vm::media

#endif
