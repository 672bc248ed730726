// Recordings and faxes for tests, made with libsndfile and libtiff. Header-only: the tests of other
// layers use it too. Failing to make a sample throws, which fails the test.
#ifndef VM_TESTS_MEDIA_SAMPLES_H
#define VM_TESTS_MEDIA_SAMPLES_H

#include <sndfile.h>
#include <tiffio.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <stdlib.h>
#include <string>
#include <vector>

namespace vm::test {

// A directory of its own that goes with the test.
class TestDirectory {
  public:
    TestDirectory() {
        std::string name = (std::filesystem::temp_directory_path() / "vm-test.XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
        path_ = name;
    }
    ~TestDirectory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TestDirectory(const TestDirectory&) = delete;
    TestDirectory& operator=(const TestDirectory&) = delete;
    const std::filesystem::path& path() const { return path_; }
    std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
    std::ptrdiff_t files() const {
        return std::distance(std::filesystem::directory_iterator(path_), {});
    }

  private:
    std::filesystem::path path_;
};

inline std::string read_all(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

inline void write_all_bytes(const std::filesystem::path& path, const std::string& content) {
    std::ofstream(path, std::ios::binary) << content;
}

// `seconds` of a sine of `hertz` at a third of full scale, the same in all channels.
inline void make_wav(const std::filesystem::path& path, int subtype, int rate, int channels,
                     double seconds, double hertz = 440, int container = SF_FORMAT_WAV) {
    SF_INFO info{};
    info.samplerate = rate;
    info.channels = channels;
    info.format = container | subtype;
    SNDFILE* sound = sf_open(path.c_str(), SFM_WRITE, &info);
    if (sound == nullptr) throw std::runtime_error(sf_strerror(nullptr));
    const auto frames = static_cast<std::size_t>(std::llround(seconds * rate));
    std::vector<float> samples;
    for (std::size_t i = 0; i < frames; ++i)
        for (int c = 0; c < channels; ++c)
            samples.push_back(static_cast<float>(
                0.33 * std::sin(6.283185307 * hertz * static_cast<double>(i) / rate)));
    const auto wanted = static_cast<sf_count_t>(frames);
    const bool written = sf_writef_float(sound, samples.data(), wanted) == wanted;
    if (sf_close(sound) != 0 || !written) throw std::runtime_error("cannot write " + path.string());
}

struct FaxShape {
    int pages = 3;
    std::uint32_t width = 1728, rows = 1100;
    float x_dpi = 204, y_dpi = 98;
    std::uint16_t compression = COMPRESSION_CCITTFAX4;
    std::uint32_t rows_per_strip = 0;  // 0: one strip
    std::uint16_t bits = 1;
};

// Pages with different patterns, so that a mixed-up page shows.
inline void make_fax(const std::filesystem::path& path, const FaxShape& shape = {}) {
    TIFF* tiff = TIFFOpen(path.c_str(), "w");
    if (tiff == nullptr) throw std::runtime_error("cannot create " + path.string());
    for (int page = 0; page < shape.pages; ++page) {
        TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, shape.width);
        TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, shape.rows);
        TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, shape.bits);
        TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, 1);
        TIFFSetField(tiff, TIFFTAG_COMPRESSION, shape.compression);
        TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISWHITE);
        TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP,
                     shape.rows_per_strip == 0 ? shape.rows : shape.rows_per_strip);
        TIFFSetField(tiff, TIFFTAG_XRESOLUTION, static_cast<double>(shape.x_dpi));
        TIFFSetField(tiff, TIFFTAG_YRESOLUTION, static_cast<double>(shape.y_dpi));
        TIFFSetField(tiff, TIFFTAG_RESOLUTIONUNIT, RESUNIT_INCH);
        TIFFSetField(tiff, TIFFTAG_SUBFILETYPE, FILETYPE_PAGE);
        std::vector<unsigned char> line(static_cast<std::size_t>(TIFFScanlineSize(tiff)));
        for (std::uint32_t row = 0; row < shape.rows; ++row) {
            for (std::size_t i = 0; i < line.size(); ++i)
                line[i] = static_cast<unsigned char>(
                    (row / 16 + i / 4 + static_cast<std::size_t>(page)) % 3 == 0 ? 0xF0 : 0);
            if (TIFFWriteScanline(tiff, line.data(), row, 0) != 1)
                throw std::runtime_error("cannot write a line");
        }
        if (TIFFWriteDirectory(tiff) != 1) throw std::runtime_error("cannot write a page");
    }
    TIFFClose(tiff);
}

}  // namespace vm::test

#endif
