// Recordings and faxes as somebody hands them in: checked, and what the check accepts is converted.
#include "../media/samples.h"
#include "fuzz.h"
#include "media/audio.h"
#include "media/fax.h"
#include "media/fax_pages.h"

#include <cstdio>
#include <string>
#include <string_view>

namespace {

using namespace vm::fuzz;
namespace media = vm::media;

// So long a recording is converted: the encoder's time goes with it, and the header alone says how
// long it is where the codec packs well.
constexpr std::int64_t kLongestConverted = 20'000;

const std::filesystem::path& directory() {
    static const vm::test::TestDirectory own;
    return own.path();
}

void check_refusal(const vm::Error& error) {
    FUZZ_REQUIRE(error.kind == vm::ErrorKind::kMessage);
    FUZZ_REQUIRE(!error.reason.empty() && is_one_line(error.reason));
}

void check_audio(const std::filesystem::path& file, std::size_t size) {
    const auto audio = media::probe_audio(file);
    if (!audio) return check_refusal(audio.error());
    FUZZ_REQUIRE(audio->channels == 1 || audio->channels == 2);
    FUZZ_REQUIRE(audio->sample_rate >= 4000 && audio->sample_rate <= 192'000);
    // GSM 6.10 packs 320 samples into 65 bytes; nothing packs better.
    FUZZ_REQUIRE(audio->duration_ms > 0);
    FUZZ_REQUIRE(audio->duration_ms * audio->sample_rate / 1000 <=
                 static_cast<std::int64_t>(5 * size + 1000));
    if (audio->duration_ms > kLongestConverted) return;
    const std::filesystem::path mp3 = directory() / "out.mp3";
    // Sound that cannot be decoded to its end is refused here at the latest.
    if (const auto written = media::write_mp3(file, mp3); !written)
        check_refusal(written.error());
    else
        FUZZ_REQUIRE(std::filesystem::file_size(mp3) > 0);
}

// What the conversion would get, line by line.
class Lines : public media::FaxPageSink {
  public:
    vm::Result<> begin(const media::FaxPage& page) override {
        FUZZ_REQUIRE(left_ == 0 && page.width > 0 && page.rows > 0 && page.width <= 20'000);
        FUZZ_REQUIRE(page.x_dpi > 0 && page.y_dpi > 0);
        page_ = page;
        left_ = page.rows;
        ++pages;
        return {};
    }
    vm::Result<> line(std::vector<unsigned char>& bits, std::uint32_t row) override {
        FUZZ_REQUIRE(left_ > 0 && row == page_.rows - left_--);
        FUZZ_REQUIRE(bits.size() >= (page_.width + 7) / 8 && bits.size() <= 2600);
        return {};
    }
    vm::Result<> end() override {
        FUZZ_REQUIRE(left_ == 0);
        return {};
    }
    int pages = 0;

  private:
    media::FaxPage page_;
    std::uint32_t left_ = 0;
};

void check_fax(const std::filesystem::path& file) {
    const auto fax = media::probe_fax(file);
    if (!fax) return check_refusal(fax.error());
    FUZZ_REQUIRE(fax->pages >= 1 && fax->pages <= 1000 && fax->width > 0);
    Lines lines;
    const auto again = media::read_fax(file, "convert", lines);
    FUZZ_REQUIRE(again && again->pages == fax->pages && lines.pages == fax->pages);
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::filesystem::path path = directory() / "in";
    std::FILE* const file = std::fopen(path.c_str(), "w");
    FUZZ_REQUIRE(file != nullptr);
    FUZZ_REQUIRE(std::fwrite(data, 1, size, file) == size && std::fclose(file) == 0);
    check_audio(path, size);
    check_fax(path);
    return 0;
}
