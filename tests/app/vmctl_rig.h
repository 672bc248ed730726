// vmctl run inside the test on a root of its own.
#ifndef VM_TESTS_APP_VMCTL_RIG_H
#define VM_TESTS_APP_VMCTL_RIG_H

#include "../base/temporary_directory.h"
#include "app/vmctl_commands.h"
#include "base/paths.h"
#include "store/store.h"

#include <cppunit/TestAssert.h>
#include <nlohmann/json.hpp>
#include <tiffio.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <sys/stat.h>
#include <vector>

namespace vm::app {

struct VmctlOutput {
    int status = -1;
    std::string out, err;
    nlohmann::json json() const { return nlohmann::json::parse(out); }
};

class VmctlRig {
  public:
    VmctlRig() {
        for (const auto& directory : {paths.mailboxes(), paths.media(), paths.spool(), paths.run()})
            std::filesystem::create_directories(directory);
        mailbox("101",
                "Email Integration = Yes\nEmail Name = ann@example.com\n"
                "Smtp Server = localhost\n");
        mailbox("102", "Email Integration = No\n");
    }

    void mailbox(const std::string& number, const std::string& options) const {
        const auto file = paths.mailbox_ini(number);
        std::ofstream(file) << "[Email]\n" << options;
        ::chmod(file.c_str(), 0600);
    }

    // Standard output goes to `sink` if given.
    VmctlOutput run(std::vector<std::string> arguments, std::streambuf* sink = nullptr) const {
        arguments.insert(arguments.begin(), {"vmctl", "--root", paths.root.string()});
        std::vector<char*> argv;
        for (std::string& argument : arguments) argv.push_back(argument.data());
        std::ostringstream out, err;
        std::streambuf* const old_out = std::cout.rdbuf(sink == nullptr ? out.rdbuf() : sink);
        std::streambuf* const old_err = std::cerr.rdbuf(err.rdbuf());
        const int status = run_vmctl(static_cast<int>(argv.size()), argv.data());
        std::cout.rdbuf(old_out);  // which also forgets what went wrong
        std::cerr.rdbuf(old_err);
        return {status, out.str(), err.str()};
    }

    // Runs what must succeed silently on stderr.
    VmctlOutput good(const std::vector<std::string>& arguments) const {
        VmctlOutput output = run(arguments);
        CPPUNIT_ASSERT_EQUAL(std::string(), output.err);
        CPPUNIT_ASSERT_EQUAL(0, output.status);
        return output;
    }

    // Runs what must fail with `status`, one line on stderr that contains `words`, and no output.
    void bad(int status, const std::string& words,
             const std::vector<std::string>& arguments) const {
        const VmctlOutput output = run(arguments);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(output.err, status, output.status);
        CPPUNIT_ASSERT_EQUAL(std::string("vmctl: "), output.err.substr(0, 7));
        CPPUNIT_ASSERT_EQUAL_MESSAGE(output.err, output.err.size() - 1, output.err.find('\n'));
        CPPUNIT_ASSERT_MESSAGE(output.err, output.err.find(words) != std::string::npos);
        CPPUNIT_ASSERT_EQUAL(std::string(), output.out);
    }

    // Adds a message and returns its id.
    std::string add(const std::string& mailbox = "101",
                    const std::vector<std::string>& more = {}) const {
        std::vector<std::string> arguments{"message", "add",   "--mailbox", mailbox,
                                           "--kind",  "voice", "--file",    recording().string()};
        arguments.insert(arguments.end(), more.begin(), more.end());
        std::string id = good(arguments).out;
        CPPUNIT_ASSERT(!id.empty() && id.back() == '\n');
        id.pop_back();
        return id;
    }

    std::unique_ptr<store::Store> store() const { return std::move(*store::Store::open(paths)); }

    // A recording of 1.5 s, 8 kHz mono 16 bit.
    std::filesystem::path recording() const {
        const auto file = paths.root / "recording.wav";
        const unsigned bytes = 24000;
        const auto number = [](unsigned value, int size) {
            std::string out;
            for (int i = 0; i < size; ++i) out += static_cast<char>(value >> (8 * i) & 0xFF);
            return out;
        };
        std::ofstream(file, std::ios::binary)
            << "RIFF" << number(36 + bytes, 4) << "WAVEfmt " << number(16, 4) << number(1, 2)
            << number(1, 2) << number(8000, 4) << number(16000, 4) << number(2, 2) << number(16, 2)
            << "data" << number(bytes, 4) << std::string(bytes, '\0');
        return file;
    }

    // A fax of two pages, G4.
    std::filesystem::path fax() const {
        const auto file = paths.root / "fax.tif";
        TIFF* tiff = TIFFOpen(file.c_str(), "w");
        for (int page = 0; page < 2; ++page) {
            TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, 1728);
            TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, 8);
            TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, 1);
            TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, 1);
            TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, 8);
            TIFFSetField(tiff, TIFFTAG_COMPRESSION, COMPRESSION_CCITTFAX4);
            TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISWHITE);
            TIFFSetField(tiff, TIFFTAG_XRESOLUTION, 204.0);
            TIFFSetField(tiff, TIFFTAG_YRESOLUTION, 98.0);
            TIFFSetField(tiff, TIFFTAG_RESOLUTIONUNIT, RESUNIT_INCH);
            std::string row(216, '\x0F');
            for (unsigned y = 0; y < 8; ++y) TIFFWriteScanline(tiff, row.data(), y, 0);
            TIFFWriteDirectory(tiff);
        }
        TIFFClose(tiff);
        return file;
    }

  private:
    testing::TemporaryDirectory directory_;

  public:
    Paths paths{directory_.path()};
};

}  // namespace vm::app

#endif
