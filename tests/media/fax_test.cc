#include "media/fax.h"

#include "samples.h"

#include <cppunit/extensions/HelperMacros.h>
#include <rapidcheck.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstring>
#include <random>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

using vm::ErrorKind;
using vm::media::probe_fax;
using vm::media::write_pdf;
using vm::test::FaxShape;
using vm::test::make_fax;
using vm::test::read_all;
using vm::test::TestDirectory;
using vm::test::write_all_bytes;

namespace {

// One classic little-endian TIFF page written by hand, to lie in any tag.
struct RawPage {
    std::uint32_t width = 1728, rows = 10, rows_per_strip = 10;
    std::uint32_t bits = 1, samples = 1, compression = 4, strip_offset = 8, strip_bytes = 4;
    std::uint32_t photometric = 0;  // kAbsent: no such tag
    std::uint32_t next = 0;
    static constexpr std::uint32_t kAbsent = 0xFFFF;
};

std::string raw_tiff(const RawPage& page, const std::string& data = std::string("\0\0\0\0", 4)) {
    const auto le = [](std::uint32_t value, int bytes) {
        std::string out;
        for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
        return out;
    };
    const std::uint32_t directory = 8 + static_cast<std::uint32_t>(data.size());
    std::string out = std::string("II*\0", 4) + le(directory, 4) + data;
    std::vector<std::array<std::uint32_t, 2>> tags = {
        {256, page.width},       {257, page.rows},           {258, page.bits},
        {259, page.compression}, {262, page.photometric},    {273, page.strip_offset},
        {277, page.samples},     {278, page.rows_per_strip}, {279, page.strip_bytes}};
    if (page.photometric == RawPage::kAbsent) tags.erase(tags.begin() + 4);
    out += le(static_cast<std::uint32_t>(tags.size()), 2);
    for (const auto& tag : tags) {
        const bool is_short = tag[0] == 258 || tag[0] == 259 || tag[0] == 262 || tag[0] == 277;
        out += le(tag[0], 2) + le(is_short ? 3 : 4, 2) + le(1, 4) + le(tag[1], 4);
    }
    return out + le(page.next, 4);
}

class FaxTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(FaxTest);
    CPPUNIT_TEST(accepts_fax_compressions);
    CPPUNIT_TEST(refuses_what_is_no_fax);
    CPPUNIT_TEST(notices_truncation);
    CPPUNIT_TEST(bounds_hostile_directories);
    CPPUNIT_TEST(refuses_damaged_g4_and_forgives_streaks_in_g3);
    CPPUNIT_TEST(counts_at_most_a_thousand_pages);
    CPPUNIT_TEST(prints_nothing);
    CPPUNIT_TEST(survives_any_bytes);
    CPPUNIT_TEST(many_threads);
    CPPUNIT_TEST(pdf_has_the_pages);
    CPPUNIT_TEST(pdf_of_a_damaged_fax_has_all_pages);
    CPPUNIT_TEST(pdf_of_a_fax_that_says_more_lines_than_it_has);
    CPPUNIT_TEST(pdf_shows_black_as_black);
    CPPUNIT_TEST(pdf_keeps_size_and_orientation);
    CPPUNIT_TEST(what_is_accepted_can_be_converted);
    CPPUNIT_TEST(pdf_failures_say_who_is_to_blame);
    CPPUNIT_TEST_SUITE_END();

    TestDirectory dir_;

    void assert_refused(const std::string& bytes, const std::string& reason) {
        write_all_bytes(dir_ / "x.tif", bytes);
        const auto info = probe_fax(dir_ / "x.tif");
        CPPUNIT_ASSERT_MESSAGE("accepted; expected: " + reason, !info);
        CPPUNIT_ASSERT_MESSAGE(info.error().text(), info.error().kind == ErrorKind::kMessage);
        CPPUNIT_ASSERT_MESSAGE(info.error().text(),
                               info.error().reason.find(reason) != std::string::npos);
    }

    // Accepted by the check, and a PDF of `pages` pages comes of it, which is returned.
    std::string assert_converted(const std::string& bytes, int pages) {
        write_all_bytes(dir_ / "c.tif", bytes);
        const auto info = probe_fax(dir_ / "c.tif");
        CPPUNIT_ASSERT_MESSAGE(info ? "" : info.error().text(), info.has_value());
        CPPUNIT_ASSERT_EQUAL(pages, info->pages);
        const auto done = write_pdf(dir_ / "c.tif", dir_ / "c.pdf");
        CPPUNIT_ASSERT_MESSAGE(done ? "" : done.error().text(), done.has_value());
        std::string pdf = read_all(dir_ / "c.pdf");
        CPPUNIT_ASSERT_EQUAL(pages, count(pdf, "/Type /Page \n"));
        CPPUNIT_ASSERT_EQUAL(pages, count(pdf, "/CCITTFaxDecode"));
        return pdf;
    }

    static int count(const std::string& text, const std::string& needle) {
        int n = 0;
        for (std::size_t at = 0; (at = text.find(needle, at)) != std::string::npos;
             at += needle.size())
            ++n;
        return n;
    }

    struct Strip {
        std::size_t offset = 0, count = 0;
    };
    // Where the only strip of the page lies.
    static Strip strip_of(const std::filesystem::path& file, int page) {
        TIFF* tiff = TIFFOpen(file.c_str(), "r");
        TIFFSetDirectory(tiff, static_cast<tdir_t>(page));
        const Strip strip{TIFFGetStrileOffset(tiff, 0), TIFFGetStrileByteCount(tiff, 0)};
        TIFFClose(tiff);
        return strip;
    }

  public:
    void accepts_fax_compressions() {
        const struct {
            std::uint16_t compression;
            const char* name;
            std::uint32_t rows_per_strip;
        } cases[] = {{COMPRESSION_CCITTFAX4, "g4", 0}, {COMPRESSION_CCITTFAX4, "g4", 100},
                     {COMPRESSION_CCITTFAX3, "g3", 0}, {COMPRESSION_CCITTFAX3, "g3", 128},
                     {COMPRESSION_CCITTRLE, "mh", 0},  {COMPRESSION_LZW, "lzw", 64},
                     {COMPRESSION_NONE, "none", 0},    {COMPRESSION_PACKBITS, "packbits", 0}};
        for (const auto& c : cases) {
            FaxShape shape;
            shape.compression = c.compression;
            shape.rows_per_strip = c.rows_per_strip;
            make_fax(dir_ / "f.tif", shape);
            const auto info = probe_fax(dir_ / "f.tif");
            CPPUNIT_ASSERT_MESSAGE(info ? "" : info.error().text(), info.has_value());
            CPPUNIT_ASSERT_EQUAL(3, info->pages);
            CPPUNIT_ASSERT_EQUAL(1728, info->width);
            CPPUNIT_ASSERT_EQUAL(std::string(c.name), info->compression);
        }
        write_all_bytes(dir_ / "raw.tif",
                        raw_tiff({.rows = 1, .rows_per_strip = 1}, "\x80\x01\x00\x10"));
        CPPUNIT_ASSERT(probe_fax(dir_ / "raw.tif").has_value());
    }

    void refuses_what_is_no_fax() {
        assert_refused("", "empty");
        assert_refused("II", "not a TIFF");
        assert_refused("%PDF-1.4", "not a TIFF");
        assert_refused(std::string("II*\0\0\0\0\0", 8), "not a readable TIFF");
        assert_refused(std::string("II*\0\xFF\xFF\xFF\x7F", 8), "not a readable TIFF");
        FaxShape grey;
        grey.bits = 8;
        grey.compression = COMPRESSION_LZW;
        make_fax(dir_ / "grey.tif", grey);
        assert_refused(read_all(dir_ / "grey.tif"), "not black and white");
        CPPUNIT_ASSERT(probe_fax(dir_ / "absent.tif").error().kind == ErrorKind::kNoInput);
        CPPUNIT_ASSERT_EQUAL(0, ::mkfifo((dir_ / "fifo").c_str(), 0600));
        CPPUNIT_ASSERT(probe_fax(dir_ / "fifo").error().reason == "it is not a regular file");
    }

    void notices_truncation() {
        FaxShape shape;
        shape.rows = 120;
        make_fax(dir_ / "f.tif", shape);
        const std::string whole = read_all(dir_ / "f.tif");
        for (std::size_t length = 0; length < whole.size(); length += 17) {
            write_all_bytes(dir_ / "t.tif", whole.substr(0, length));
            const auto info = probe_fax(dir_ / "t.tif");
            // The very last bytes are resolution tags, without which the pages are still whole.
            CPPUNIT_ASSERT_MESSAGE(std::to_string(length),
                                   !info || (info->pages == 3 && length + 50 > whole.size()));
        }
        assert_refused(raw_tiff({.strip_bytes = 1U << 30}), "truncated");
    }

    void bounds_hostile_directories() {
        assert_refused(raw_tiff({.width = 0xFFFFFFFF}), "page 1");
        assert_refused(raw_tiff({.rows = 0xFFFFFFFF, .rows_per_strip = 0xFFFFFFFF}),
                       "pixels; allowed");
        assert_refused(raw_tiff({.rows = 0xFFFFFFFF, .rows_per_strip = 1}), "");
        assert_refused(raw_tiff({.width = 0}), "");
        assert_refused(raw_tiff({.rows = 0}), "");
        assert_refused(raw_tiff({.samples = 3}), "");
        assert_refused(raw_tiff({.compression = 65000}), "");
        assert_refused(raw_tiff({.strip_offset = 0xFFFFFFF0}), "truncated");
        assert_refused(raw_tiff({.strip_bytes = 0xFFFFFFFF}), "truncated");
        // A page that claims the data of another, here by a strip that covers the whole file.
        FaxShape two;
        two.pages = 2;
        two.rows = 16;
        make_fax(dir_ / "two.tif", two);
        std::string overlapping = read_all(dir_ / "two.tif");
        TIFF* tiff = TIFFOpen((dir_ / "two.tif").c_str(), "r");
        const std::uint64_t first_bytes = TIFFGetStrileByteCount(tiff, 0);
        TIFFClose(tiff);
        const std::string count_tag("\x17\x01\x04\x00\x01\x00\x00\x00", 8);
        const std::size_t at = overlapping.find(count_tag) + count_tag.size();
        CPPUNIT_ASSERT_EQUAL(
            static_cast<std::uint64_t>(static_cast<unsigned char>(overlapping[at])),
            first_bytes & 0xFF);
        const std::size_t rest = overlapping.size() - 8;
        overlapping[at] = static_cast<char>(rest);
        overlapping[at + 1] = static_cast<char>(rest >> 8);
        assert_refused(overlapping, "page 2: it shares its picture data");
        // The directory that names itself as the next one.
        assert_refused(raw_tiff({.rows = 1, .rows_per_strip = 1, .next = 12}, "\x80\x01\x00\x10"),
                       "page 2 cannot be found");
        assert_refused(
            raw_tiff({.rows = 1, .rows_per_strip = 1, .next = 0x7FFFFFFF}, "\x80\x01\x00\x10"),
            "page 2 cannot be found");
    }

    void refuses_damaged_g4_and_forgives_streaks_in_g3() {
        FaxShape shape;
        shape.pages = 1;
        make_fax(dir_ / "g4.tif", shape);
        std::string g4 = read_all(dir_ / "g4.tif");
        for (std::size_t i = 200; i < 300; ++i) g4[i] = '\0';
        assert_refused(g4, "cannot be unpacked, line");

        shape.compression = COMPRESSION_CCITTFAX3;
        make_fax(dir_ / "g3.tif", shape);
        std::string g3 = read_all(dir_ / "g3.tif");
        for (std::size_t i = 5000; i < 5040; ++i) g3[i] = '\x55';
        write_all_bytes(dir_ / "g3.tif", g3);
        const auto streaks = probe_fax(dir_ / "g3.tif");
        CPPUNIT_ASSERT_MESSAGE(streaks ? "" : streaks.error().text(), streaks.has_value());
        std::fill(g3.begin() + 300, g3.end() - 3000, '\x55');
        assert_refused(g3, "");
    }

    void counts_at_most_a_thousand_pages() {
        FaxShape shape;
        shape.rows = 8;
        shape.pages = 1000;
        make_fax(dir_ / "long.tif", shape);
        CPPUNIT_ASSERT_EQUAL(1000, probe_fax(dir_ / "long.tif")->pages);
        shape.pages = 1001;
        make_fax(dir_ / "long.tif", shape);
        assert_refused(read_all(dir_ / "long.tif"), "more than 1000 pages");
    }

    // libtiff's complaints belong into the error, not on the operator's terminal.
    void prints_nothing() {
        std::string bad = raw_tiff({.rows = 500, .rows_per_strip = 500, .compression = 4});
        write_all_bytes(dir_ / "bad.tif", bad);
        const int saved = ::dup(2);
        FILE* capture = ::tmpfile();
        ::dup2(::fileno(capture), 2);
        const auto info = probe_fax(dir_ / "bad.tif");
        ::dup2(saved, 2);
        ::close(saved);
        CPPUNIT_ASSERT(!info);
        std::fseek(capture, 0, SEEK_END);
        CPPUNIT_ASSERT_EQUAL(0L, std::ftell(capture));
        std::fclose(capture);
    }

    void survives_any_bytes() {
        FaxShape shape;
        shape.rows = 16;
        shape.pages = 2;
        make_fax(dir_ / "f.tif", shape);
        const std::string whole = read_all(dir_ / "f.tif");
        CPPUNIT_ASSERT(rc::check("damaged TIFF", [&] {
            std::string bytes = whole;
            const auto edits =
                *rc::gen::container<std::vector<std::pair<std::size_t, char>>>(rc::gen::pair(
                    rc::gen::inRange<std::size_t>(4, whole.size()), rc::gen::arbitrary<char>()));
            for (const auto& [at, value] : edits) bytes[at] = value;
            write_all_bytes(dir_ / "p.tif", bytes);
            const auto info = probe_fax(dir_ / "p.tif");
            if (info) RC_ASSERT(info->pages > 0 && info->width > 0 && !info->compression.empty());
            if (!info) RC_ASSERT(info.error().kind == ErrorKind::kMessage);
        }));
    }

    void many_threads() {
        make_fax(dir_ / "f.tif");
        write_all_bytes(dir_ / "bad.tif", raw_tiff({.rows = 500, .rows_per_strip = 500}));
        std::vector<std::thread> threads;
        std::atomic<int> wrong = 0;
        for (int t = 0; t < 4; ++t)
            threads.emplace_back([&] {
                for (int i = 0; i < 10; ++i) {
                    if (!probe_fax(dir_ / "f.tif")) ++wrong;
                    const auto bad = probe_fax(dir_ / "bad.tif");
                    if (bad || bad.error().reason.find("line") == std::string::npos) ++wrong;
                }
            });
        for (auto& thread : threads) thread.join();
        CPPUNIT_ASSERT_EQUAL(0, wrong.load());
    }

    void pdf_has_the_pages() {
        for (const std::uint16_t compression :
             std::vector<std::uint16_t>{COMPRESSION_CCITTFAX4, COMPRESSION_CCITTFAX3}) {
            FaxShape shape;
            shape.compression = compression;
            make_fax(dir_ / "f.tif", shape);
            const auto done = write_pdf(dir_ / "f.tif", dir_ / "f.pdf");
            CPPUNIT_ASSERT_MESSAGE(done ? "" : done.error().text(), done.has_value());
            const std::string pdf = read_all(dir_ / "f.pdf");
            CPPUNIT_ASSERT_EQUAL(3, count(pdf, "/CCITTFaxDecode"));
            CPPUNIT_ASSERT_EQUAL(3, count(pdf, "/Type /Page \n"));
            // 1728 / 204 and 1100 / 98 inches of 72 points
            CPPUNIT_ASSERT_EQUAL(3, count(pdf, "/MediaBox [0.0000 0.0000 609.882"));
            CPPUNIT_ASSERT_EQUAL(std::ptrdiff_t{2}, dir_.files());
            std::filesystem::remove(dir_ / "f.pdf");
        }
        // The G4 data of each page are in the PDF as they were.
        FaxShape one;
        one.pages = 1;
        make_fax(dir_ / "one.tif", one);
        CPPUNIT_ASSERT(write_pdf(dir_ / "one.tif", dir_ / "one.pdf").has_value());
        TIFF* tiff = TIFFOpen((dir_ / "one.tif").c_str(), "r");
        std::string strip(static_cast<std::size_t>(TIFFRawStripSize(tiff, 0)), '\0');
        TIFFReadRawStrip(tiff, 0, strip.data(), static_cast<tmsize_t>(strip.size()));
        TIFFClose(tiff);
        CPPUNIT_ASSERT(read_all(dir_ / "one.pdf").find(strip) != std::string::npos);
    }

    // One bit flipped on the line, in the last of three pages; and pages that end too early.
    void pdf_of_a_damaged_fax_has_all_pages() {
        for (const std::uint16_t compression :
             std::vector<std::uint16_t>{COMPRESSION_CCITTFAX3, COMPRESSION_CCITTRLE}) {
            FaxShape shape;
            shape.compression = compression;
            make_fax(dir_ / "f.tif", shape);
            const std::string whole = read_all(dir_ / "f.tif");
            for (int page = 0; page < shape.pages; ++page) {
                const Strip strip = strip_of(dir_ / "f.tif", page);
                std::string flipped = whole;
                flipped[strip.offset + strip.count / 3 + 11] ^= 0x10;
                assert_converted(flipped, 3);
                std::string cut = whole;
                std::fill_n(
                    cut.begin() + static_cast<std::ptrdiff_t>(strip.offset + strip.count * 9 / 10),
                    strip.count / 10, '\0');
                assert_converted(cut, 3);
            }
        }
    }

    void pdf_of_a_fax_that_says_more_lines_than_it_has() {
        FaxShape shape;
        shape.pages = 1;
        shape.compression = COMPRESSION_CCITTFAX3;
        make_fax(dir_ / "f.tif", shape);
        std::string tall = read_all(dir_ / "f.tif");
        const std::string rows("\x4C\x04\x00\x00", 4);  // 1,100
        int changed = 0;
        for (const std::string& tag : {std::string("\x01\x01", 2), std::string("\x16\x01", 2)})
            for (const char* type : {"\x03", "\x04"}) {
                const std::string entry = tag + type + std::string("\0\1\0\0\0", 5) + rows;
                const std::size_t at = tall.find(entry);
                if (at == std::string::npos) continue;
                tall[at + 8] = '\x54';
                ++changed;
            }
        CPPUNIT_ASSERT_EQUAL(2, changed);
        const std::string pdf = assert_converted(tall, 1);
        CPPUNIT_ASSERT_EQUAL(1, count(pdf, "/Height 1108"));
    }

    // Of a page with a photometric tag, without one, and inverted; what is neither black on white
    // nor white on black is no fax.
    void pdf_shows_black_as_black() {
        const std::string line("\xFF\x00\xFF\x00", 4);
        const RawPage page{.width = 32, .rows = 1, .rows_per_strip = 1, .compression = 1};
        const auto with = [&](std::uint32_t photometric) {
            RawPage changed = page;
            changed.photometric = photometric;
            return raw_tiff(changed, line);
        };
        const std::string black_on_white = assert_converted(with(0), 1);
        CPPUNIT_ASSERT_EQUAL(0, count(black_on_white, "/BlackIs1 true"));
        CPPUNIT_ASSERT_EQUAL(0,
                             count(assert_converted(with(RawPage::kAbsent), 1), "/BlackIs1 true"));
        CPPUNIT_ASSERT_EQUAL(1, count(assert_converted(with(1), 1), "/BlackIs1 true"));
        for (const std::uint32_t other : {2U, 4U, 5U, 8U, 32803U, 40000U})
            assert_refused(with(other), "page 1: it is neither black on white nor white on black");
    }

    void pdf_keeps_size_and_orientation() {
        FaxShape shape;
        shape.pages = 1;
        shape.compression = COMPRESSION_CCITTFAX3;
        make_fax(dir_ / "f.tif", shape);
        TIFF* tiff = TIFFOpen((dir_ / "f.tif").c_str(), "r+");
        TIFFSetField(tiff, TIFFTAG_RESOLUTIONUNIT, RESUNIT_CENTIMETER);
        TIFFSetField(tiff, TIFFTAG_XRESOLUTION, 204 / 2.54);
        TIFFSetField(tiff, TIFFTAG_YRESOLUTION, 196 / 2.54);
        TIFFSetField(tiff, TIFFTAG_ORIENTATION, ORIENTATION_RIGHTTOP);
        TIFFRewriteDirectory(tiff);
        TIFFClose(tiff);
        // Turned by 90 degrees: 1100 / 196 inches wide and 1728 / 204 high.
        const std::string turned = assert_converted(read_all(dir_ / "f.tif"), 1);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(turned.substr(turned.find("/MediaBox"), 60), 1,
                                     count(turned, "/MediaBox [0.0000 0.0000 404.08"));
        // A resolution that is none counts as missing.
        for (const double nonsense : {0.0, 1.0, 1e9}) {
            tiff = TIFFOpen((dir_ / "f.tif").c_str(), "r+");
            TIFFSetField(tiff, TIFFTAG_XRESOLUTION, nonsense);
            TIFFSetField(tiff, TIFFTAG_YRESOLUTION, nonsense);
            TIFFSetField(tiff, TIFFTAG_ORIENTATION, 77);
            TIFFRewriteDirectory(tiff);
            TIFFClose(tiff);
            const std::string usual = assert_converted(read_all(dir_ / "f.tif"), 1);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(usual.substr(usual.find("/MediaBox"), 60), 1,
                                         count(usual, "/MediaBox [0.0000 0.0000 404.08"));
        }
    }

    // Whatever the check lets in, however damaged, must become a PDF with all its pages.
    void what_is_accepted_can_be_converted() {
        std::mt19937 random(20261122);  // the same faxes in every run
        const auto below = [&](std::size_t limit) {
            return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random);
        };
        int converted = 0;
        for (const std::uint16_t compression : std::vector<std::uint16_t>{
                 COMPRESSION_CCITTFAX3, COMPRESSION_CCITTRLE, COMPRESSION_CCITTFAX4,
                 COMPRESSION_NONE, COMPRESSION_LZW, COMPRESSION_PACKBITS}) {
            FaxShape shape;
            shape.pages = 2;
            shape.width = 200;
            shape.rows = 64;
            shape.compression = compression;
            make_fax(dir_ / "f.tif", shape);
            const std::string whole = read_all(dir_ / "f.tif");
            const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
            for (int i = 0; i < 80 && std::chrono::steady_clock::now() < end; ++i) {
                std::string bytes = whole;
                for (std::size_t edits = 1 + below(3); edits > 0; --edits) {
                    const std::size_t at = 4 + below(bytes.size() - 4);
                    switch (below(3)) {
                        case 0:
                            bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8)));
                            break;
                        case 1:
                            bytes[at] = static_cast<char>(below(256));
                            break;
                        default:
                            bytes[at] = static_cast<char>(bytes[at] + (below(2) == 0 ? 1 : -1));
                    }
                }
                write_all_bytes(dir_ / "m.tif", bytes);
                const auto info = probe_fax(dir_ / "m.tif");
                if (!info) continue;
                ++converted;
                const auto done = write_pdf(dir_ / "m.tif", dir_ / "m.pdf");
                const std::string which =
                    std::to_string(compression) + " mutation " + std::to_string(i);
                CPPUNIT_ASSERT_MESSAGE(which + (done ? "" : ": " + done.error().text()),
                                       done.has_value());
                CPPUNIT_ASSERT_EQUAL_MESSAGE(which, info->pages,
                                             count(read_all(dir_ / "m.pdf"), "/Type /Page \n"));
            }
        }
        CPPUNIT_ASSERT_MESSAGE(std::to_string(converted), converted > 50);
    }

    void pdf_failures_say_who_is_to_blame() {
        write_all_bytes(dir_ / "bad.tif", "II*");
        CPPUNIT_ASSERT(write_pdf(dir_ / "bad.tif", dir_ / "bad.pdf").error().kind ==
                       ErrorKind::kMessage);
        make_fax(dir_ / "f.tif");
        CPPUNIT_ASSERT(write_pdf(dir_ / "f.tif", dir_ / "no/such/f.pdf").error().kind ==
                       ErrorKind::kUnavailable);
        const pid_t child = ::fork();
        if (child == 0) {
            ::setenv("PATH", "/nonexistent", 1);
            const auto done = write_pdf(dir_ / "f.tif", dir_ / "f.pdf");
            const bool good =
                !done && done.error().kind == ErrorKind::kConfig &&
                done.error().text().find("install libtiff-tools") != std::string::npos;
            ::_exit(good ? 0 : 1);
        }
        int status = -1;
        ::waitpid(child, &status, 0);
        CPPUNIT_ASSERT_EQUAL(0, status);
        const pid_t full = ::fork();
        if (full == 0) {
            // First too little for the pages; then for the PDF: inherited by tiff2pdf, which dies
            // of SIGXFSZ.
            ::signal(SIGXFSZ, SIG_IGN);
            for (const rlim_t bytes :
                 {rlim_t{300}, rlim_t{std::filesystem::file_size(dir_ / "f.tif") + 600}}) {
                const rlimit limit{bytes, RLIM_INFINITY};
                ::setrlimit(RLIMIT_FSIZE, &limit);
                const auto done = write_pdf(dir_ / "f.tif", dir_ / "f2.pdf");
                const std::string blamed = bytes == 300 ? "written" : "tiff2pdf ended";
                if (done || done.error().kind != ErrorKind::kUnavailable ||
                    done.error().reason.find(blamed) == std::string::npos)
                    ::_exit(bytes == 300 ? 1 : 2);
            }
            ::_exit(0);
        }
        ::waitpid(full, &status, 0);
        CPPUNIT_ASSERT_EQUAL(0, status);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(FaxTest);

}  // namespace
