#include "base/process.h"
#include "base/text.h"
#include "media/fax.h"
#include "media/fax_pages.h"
#include "media/open.h"
#include "media/tiff_file.h"

#include <array>
#include <cerrno>
#include <fcntl.h>
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

// tiff2pdf refuses to allocate more than 256 MiB for one strip or page. A strip of G4 may be six
// times as long as the picture; of a page that is larger than this the strips are unpacked first.
constexpr std::uint64_t kMaxOneStrip = 32U << 20;
// Faxes of noise grow by G4. Far beyond any mail, and within what a TIFF and a PDF may have.
constexpr std::int64_t kMaxRewritten = 1 << 30;

// Writes the pages as G4 with the tags that tiff2pdf needs and no others. What comes in may be
// damaged, or may have tags that it does not take; it then gives up at the first such page.
class CleanFax : public FaxPageSink {
  public:
    static Result<CleanFax> create(const std::filesystem::path& path) {
        UniqueFd fd(::open(path.c_str(), O_RDWR | O_TRUNC | O_CLOEXEC));
        if (!fd) return fail(ErrorKind::kUnavailable, kOperation, path.string(), errno_text(errno));
        return CleanFax(std::move(fd), path);
    }

    Result<> begin(const FaxPage& page) override {
        const std::uint64_t size = std::uint64_t{(page.width + 7) / 8} * page.rows;
        const std::uint32_t strips = static_cast<std::uint32_t>(size / kMaxOneStrip) + 1;
        set(TIFFTAG_IMAGEWIDTH, page.width);
        set(TIFFTAG_IMAGELENGTH, page.rows);
        set(TIFFTAG_ROWSPERSTRIP, (page.rows + strips - 1) / strips);
        set(TIFFTAG_BITSPERSAMPLE, 1);
        set(TIFFTAG_SAMPLESPERPIXEL, 1);
        set(TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
        set(TIFFTAG_COMPRESSION, COMPRESSION_CCITTFAX4);
        set(TIFFTAG_PHOTOMETRIC, page.photometric);
        set(TIFFTAG_ORIENTATION, page.orientation);
        set(TIFFTAG_RESOLUTIONUNIT, RESUNIT_INCH);
        set(TIFFTAG_XRESOLUTION, double{page.x_dpi});
        set(TIFFTAG_YRESOLUTION, double{page.y_dpi});
        return checked(true);
    }
    Result<> line(std::vector<unsigned char>& bits, std::uint32_t row) override {
        return checked(TIFFWriteScanline(tiff_.get(), bits.data(), row, 0) == 1);
    }
    Result<> end() override {
        VM_TRY(checked(TIFFWriteDirectory(tiff_.get()) == 1));
        if (::lseek(TIFFFileno(tiff_.get()), 0, SEEK_END) <= kMaxRewritten) return {};
        return fail(ErrorKind::kMessage, kOperation, {},
                    "it takes more than " + std::to_string(kMaxRewritten) + " bytes as G4");
    }

  private:
    CleanFax(UniqueFd fd, const std::filesystem::path& path)
        : path_(path),
          complaints_(std::make_unique<Complaints>()),
          tiff_(open_tiff(std::move(fd), path.string(), "w", *complaints_)) {}

    template <class Value>
    void set(std::uint32_t tag, Value value) {
        if (tiff_) TIFFSetField(tiff_.get(), tag, value);
    }

    Result<> checked(bool done) const {
        if (tiff_ && done && complaints_->count == 0) return {};
        return fail(
            ErrorKind::kUnavailable, kOperation, path_.string(),
            "it cannot be written" + (complaints_->first.empty() ? "" : ": " + complaints_->first),
            "check disk space and memory");
    }

    std::filesystem::path path_;
    std::unique_ptr<Complaints> complaints_;  // stays where it is when this is moved
    Tiff tiff_;
};

// The end of what a program said, where the reason is, in whole lines.
std::string last_words(std::string_view diagnostics) {
    constexpr std::size_t kMostSaid = 300;
    diagnostics = trim(diagnostics);
    if (diagnostics.size() > kMostSaid) {
        const std::size_t cut = diagnostics.size() - kMostSaid;
        const std::size_t line = diagnostics.find('\n', cut);
        diagnostics.remove_prefix(line == std::string_view::npos ? cut : line + 1);
    }
    return sanitize_line(diagnostics, kMostSaid);
}

}  // namespace

Result<> write_pdf(const std::filesystem::path& tiff, const std::filesystem::path& pdf) {
    auto work = TemporaryFile::create(pdf.parent_path(), ".tif");
    if (!work) {
        work.error().kind = ErrorKind::kUnavailable;
        return fail(std::move(work).error());
    }
    {
        VM_ASSIGN(CleanFax clean, CleanFax::create(work->path()));
        VM_TRY(read_fax(tiff, kOperation, clean));
    }
    // G4 in one strip is passed through. Absolute paths, so none can look like an option.
    auto run = run_process({"tiff2pdf", "-o", std::filesystem::absolute(pdf).string(),
                            std::filesystem::absolute(work->path()).string()},
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
    // The pages were read and written, so it is not the fax that is to blame: it is tried again.
    return fail(ErrorKind::kUnavailable, kOperation, tiff.string(),
                "tiff2pdf ended with status " + std::to_string(run->exit_code) +
                    " and no complete PDF: " + last_words(run->diagnostics),
                "check disk space and memory");
}

}  // namespace vm::media
