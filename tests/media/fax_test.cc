#include "media/fax.h"

#include "samples.h"

#include <cppunit/extensions/HelperMacros.h>
#include <rapidcheck.h>

#include <csignal>
#include <cstring>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

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
    std::uint32_t next = 0;
};

std::string raw_tiff(const RawPage& page, const std::string& data = std::string("\0\0\0\0", 4)) {
    const auto le = [](std::uint32_t value, int bytes) {
        std::string out;
        for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
        return out;
    };
    const std::uint32_t directory = 8 + static_cast<std::uint32_t>(data.size());
    std::string out = std::string("II*\0", 4) + le(directory, 4) + data;
    const std::uint32_t tags[][2] = {{256, page.width},
                                     {257, page.rows},
                                     {258, page.bits},
                                     {259, page.compression},
                                     {262, 0},
                                     {273, page.strip_offset},
                                     {277, page.samples},
                                     {278, page.rows_per_strip},
                                     {279, page.strip_bytes}};
    out += le(std::size(tags), 2);
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
        CPPUNIT_ASSERT(probe_fax(dir_ / "fifo").error().reason == "not a regular file");
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
            const auto count = [&](const std::string& needle) {
                int n = 0;
                for (std::size_t at = 0; (at = pdf.find(needle, at)) != std::string::npos;
                     at += needle.size())
                    ++n;
                return n;
            };
            CPPUNIT_ASSERT_EQUAL(3, count("/CCITTFaxDecode"));
            CPPUNIT_ASSERT_EQUAL(3, count("/Type /Page \n"));
            // 1728 / 204 and 1100 / 98 inches of 72 points
            CPPUNIT_ASSERT_EQUAL(3, count("/MediaBox [0.0000 0.0000 609.882"));
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
            const rlimit limit{300, 300};  // inherited by tiff2pdf, which dies of SIGXFSZ
            ::setrlimit(RLIMIT_FSIZE, &limit);
            const auto done = write_pdf(dir_ / "f.tif", dir_ / "f2.pdf");
            ::_exit(!done && done.error().kind == ErrorKind::kUnavailable ? 0 : 1);
        }
        ::waitpid(full, &status, 0);
        CPPUNIT_ASSERT_EQUAL(0, status);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(FaxTest);

}  // namespace
