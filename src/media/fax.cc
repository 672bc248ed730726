#include "media/fax.h"

#include "media/fax_pages.h"
#include "media/open.h"
#include "media/tiff_file.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <unistd.h>

namespace vm::media {

namespace {

constexpr const char* kWanted = "a fax is a TIFF with black and white pages (G3 or G4)";

constexpr int kMaxPages = 1000;
// The widest fax (A3 at 400 dpi) has 4,864 pixels; libtiff's buffers grow with the width.
constexpr std::uint32_t kMaxWidth = 20000;
// Six metres of paper at the finest fax resolution.
constexpr std::uint32_t kMaxRows = 100000;
// Bytes all pages may have unpacked: 1,000 pages of A4 at 300 dpi. With kMaxRows it bounds the time
// that a file of a few bytes can take.
constexpr std::uint64_t kMaxUnpacked = 1ULL << 30;

// What a fax without resolution tags most likely has, and between what a resolution is believed.
constexpr float kUsualXDpi = 204, kUsualYDpi = 196;
constexpr float kLeastDpi = 20, kMostDpi = 5000;

const char* compression_name(std::uint16_t compression) {
    switch (compression) {
        case COMPRESSION_NONE:
            return "none";
        case COMPRESSION_CCITTRLE:
            return "mh";
        case COMPRESSION_CCITTFAX3:
            return "g3";
        case COMPRESSION_CCITTFAX4:
            return "g4";
        case COMPRESSION_LZW:
            return "lzw";
        case COMPRESSION_PACKBITS:
            return "packbits";
        case COMPRESSION_ADOBE_DEFLATE:
        case COMPRESSION_DEFLATE:
            return "deflate";
        default:
            return "other";
    }
}

// Whether the current page's directory, with the pointer to the next page, lies within the file.
// libtiff takes a pointer that is cut off for the end of the fax: pages would be lost unnoticed.
bool directory_is_whole(TIFF* tiff, std::int64_t file_size) {
    const auto offset = static_cast<std::int64_t>(TIFFCurrentDirOffset(tiff));
    std::array<unsigned char, 2> count{};
    if (::pread(TIFFFileno(tiff), count.data(), count.size(), offset) != 2) return false;
    const int entries =
        TIFFIsBigEndian(tiff) != 0 ? count[0] << 8 | count[1] : count[1] << 8 | count[0];
    return offset + 2 + std::int64_t{12} * entries + 4 <= file_size;
}

float usable_dpi(TIFF* tiff, ttag_t tag, float usual) {
    float value = 0;
    std::uint16_t unit = RESUNIT_INCH;
    TIFFGetFieldDefaulted(tiff, TIFFTAG_RESOLUTIONUNIT, &unit);
    if (TIFFGetField(tiff, tag, &value) != 1) return usual;
    if (unit == RESUNIT_CENTIMETER) value *= 2.54F;
    return value >= kLeastDpi && value <= kMostDpi ? value : usual;  // not what is no number
}

// The current page's shape and how many bytes of picture data it has, or why it is no fax page.
std::optional<std::string> page_problem(TIFF* tiff, std::int64_t file_size, FaxPage& page,
                                        std::uint64_t& stored) {
    if (!directory_is_whole(tiff, file_size)) return "truncated: its directory is not complete";
    std::uint16_t bits = 1, samples = 1;
    page.photometric = PHOTOMETRIC_MINISWHITE;
    page.compression = COMPRESSION_NONE;
    TIFFGetFieldDefaulted(tiff, TIFFTAG_BITSPERSAMPLE, &bits);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLESPERPIXEL, &samples);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_COMPRESSION, &page.compression);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_ORIENTATION, &page.orientation);
    TIFFGetField(tiff, TIFFTAG_PHOTOMETRIC, &page.photometric);
    page.x_dpi = usable_dpi(tiff, TIFFTAG_XRESOLUTION, kUsualXDpi);
    page.y_dpi = usable_dpi(tiff, TIFFTAG_YRESOLUTION, kUsualYDpi);
    if (page.orientation < ORIENTATION_TOPLEFT || page.orientation > ORIENTATION_LEFTBOT)
        page.orientation = ORIENTATION_TOPLEFT;
    if (TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &page.width) != 1 || page.width == 0 ||
        TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &page.rows) != 1 || page.rows == 0)
        return "it has no width or no height";
    if (bits != 1 || samples != 1)
        return "it is not black and white: " + std::to_string(samples) + " × " +
               std::to_string(bits) + " bits a pixel";
    if (page.photometric != PHOTOMETRIC_MINISWHITE && page.photometric != PHOTOMETRIC_MINISBLACK)
        return "it is neither black on white nor white on black: its photometric interpretation "
               "is " +
               std::to_string(page.photometric);
    if (TIFFIsTiled(tiff)) return "it is made of tiles, not of strips";
    if (page.width > kMaxWidth || page.rows > kMaxRows)
        return "it has " + std::to_string(page.width) + " × " + std::to_string(page.rows) +
               " pixels; allowed: " + std::to_string(kMaxWidth) + " × " + std::to_string(kMaxRows);
    if (!TIFFIsCODECConfigured(page.compression))
        return "its compression (" + std::to_string(page.compression) + ") is not supported";
    const std::uint32_t strips = TIFFNumberOfStrips(tiff);
    const auto size = static_cast<std::uint64_t>(file_size);
    for (std::uint32_t strip = 0; strip < strips; ++strip) {
        const std::uint64_t offset = TIFFGetStrileOffset(tiff, strip);
        const std::uint64_t count = TIFFGetStrileByteCount(tiff, strip);
        if (offset == 0 || count == 0) return "it has no picture data";
        if (offset > size || count > size - offset)
            return "truncated: its picture data end beyond the file's " + std::to_string(size) +
                   " bytes";
        stored += count;
    }
    return std::nullopt;
}

// Unpacks every line for `sink`. A fax received without error correction (G3) has damaged lines,
// which are shown as far as they could be read; it is refused only when most of it is damaged.
// Every other compression came error-free, and the first error spoils all that follows.
Result<> unpack_page(TIFF* tiff, const FaxPage& page, const Complaints& complaints,
                     FaxPageSink& sink) {
    std::vector<unsigned char> line(static_cast<std::size_t>(TIFFScanlineSize(tiff)));
    const bool streaks =
        page.compression == COMPRESSION_CCITTFAX3 || page.compression == COMPRESSION_CCITTRLE;
    const std::uint32_t allowed = streaks ? page.rows / 2 : 0;
    const unsigned char white = page.photometric == PHOTOMETRIC_MINISWHITE ? 0 : 0xFF;
    std::uint32_t damaged = 0;
    VM_TRY(sink.begin(page));
    for (std::uint32_t row = 0; row < page.rows; ++row) {
        const std::uint64_t before = complaints.count;
        const bool read = TIFFReadScanline(tiff, line.data(), row, 0) == 1;
        if ((!read || complaints.count != before) && ++damaged > allowed)
            return fail(ErrorKind::kMessage, {}, {},
                        "it cannot be unpacked, line " + std::to_string(row + 1) + " of " +
                            std::to_string(page.rows) +
                            (complaints.first.empty() ? std::string() : ": " + complaints.first),
                        kWanted);
        if (!read) std::fill(line.begin(), line.end(), white);
        VM_TRY(sink.line(line, row));
    }
    return sink.end();
}

// For the check, which only wants to know whether the pages can be read.
class NoSink : public FaxPageSink {
  public:
    Result<> begin(const FaxPage&) override { return {}; }
    Result<> line(std::vector<unsigned char>&, std::uint32_t) override { return {}; }
    Result<> end() override { return {}; }
};

}  // namespace

Result<FaxInfo> probe_fax(const std::filesystem::path& path) {
    NoSink nobody;
    return read_fax(path, "check fax", nobody);
}

Result<FaxInfo> read_fax(const std::filesystem::path& path, const char* operation,
                         FaxPageSink& sink) {
    const auto refuse = [&](std::string reason) {
        return fail(ErrorKind::kMessage, operation, path.string(), std::move(reason), kWanted);
    };
    VM_ASSIGN(MediaFile file, open_media(path, operation));
    std::array<char, 4> magic{};
    if (::pread(file.fd.get(), magic.data(), magic.size(), 0) != 4 ||
        (std::memcmp(magic.data(), "II*\0", 4) != 0 && std::memcmp(magic.data(), "MM\0*", 4) != 0))
        return refuse("not a TIFF file: it begins with neither II* nor MM*");

    Complaints complaints;
    // "m": no memory map, so a file that shrinks while it is read is an error and not a SIGBUS.
    const Tiff tiff = open_tiff(std::move(file.fd), path.string(), "rm", complaints);
    if (!tiff) return refuse("not a readable TIFF file: " + complaints.first);
    FaxInfo fax;
    std::uint64_t unpacked = 0, stored = 0;
    for (;;) {
        complaints = {};
        const std::string which = "page " + std::to_string(fax.pages + 1) + ": ";
        FaxPage page;
        // Unpacking takes as long as what is stored is long, so nothing may be unpacked twice.
        if (auto problem = page_problem(tiff.get(), file.size, page, stored))
            return refuse(which + *problem);
        unpacked += static_cast<std::uint64_t>((page.width + 7) / 8) * page.rows;
        if (stored > static_cast<std::uint64_t>(file.size))
            return refuse(which + "it shares its picture data with another page");
        if (unpacked > kMaxUnpacked)
            return refuse(which + "its " + std::to_string(page.width) + " × " +
                          std::to_string(page.rows) + " pixels are too many for one fax");
        if (auto done = unpack_page(tiff.get(), page, complaints, sink); !done) {
            if (done.error().kind != ErrorKind::kMessage) return fail(std::move(done).error());
            return refuse(which + done.error().reason);
        }
        if (fax.pages++ == 0) {
            fax.width = static_cast<int>(page.width);
            fax.compression = compression_name(page.compression);
        }
        if (TIFFLastDirectory(tiff.get()) != 0) return fax;
        if (fax.pages == kMaxPages)
            return refuse("more than " + std::to_string(kMaxPages) + " pages");
        complaints = {};
        if (TIFFReadDirectory(tiff.get()) != 1)
            return refuse(
                "page " + std::to_string(fax.pages + 1) + " cannot be found: " +
                (complaints.first.empty() ? "its directory is damaged" : complaints.first));
    }
}

}  // namespace vm::media
