// A root for the agent's tests: directories, a mailbox whose recipient scripts the transport, a
// store.
#ifndef VM_TESTS_AGENT_UNIT_ROOT_H
#define VM_TESTS_AGENT_UNIT_ROOT_H

#include "../base/temporary_directory.h"
#include "base/files.h"
#include "base/paths.h"
#include "store/store.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace vm::testing {

class UnitRoot {
  public:
    UnitRoot() : paths(directory_.path()) {
        namespace fs = std::filesystem;
        for (const auto& made :
             {paths.mailboxes(), paths.media(), paths.spool(), paths.trace(), paths.run()})
            fs::create_directories(made);
    }

    static std::filesystem::path build() {
        const char* build = std::getenv("VM_BUILD");
        return std::filesystem::absolute(build ? build : "build");
    }
    static std::filesystem::path scripted_plugin() { return build() / "test" / "libscripted.so"; }

    void write(const std::filesystem::path& file, const std::string& content) const {
        if (!write_file_atomic(file, content, 0600)) std::abort();
    }
    // Mailbox `number` whose pushes report what `script` says (tests/plugins/fixtures/scripted.cc).
    void mailbox(const std::string& number, const std::string& script,
                 const std::string& more = {}) const {
        write(paths.mailbox_ini(number),
              "[Email]\nEmail Integration = Yes\nEmail Name = " + script +
                  "@example.com\nSmtp Server = " + "smtp.example.net\n" + more);
    }
    void misc(const std::string& more = {}) const {
        write(paths.misc_ini(), "[g_szEmailDllPath]\nValue = " + scripted_plugin().string() +
                                    "\nIgnore = 0\n" + more);
    }
    // A message as `vmctl message add` leaves it, with a second of silence.
    std::string add(store::Store& store, const std::string& number,
                    std::uint32_t seconds = 1) const {
        const auto wav = paths.spool() / "silence.wav";
        std::ofstream(wav, std::ios::binary) << silence(seconds);
        store::NewMessage message;
        message.message.mailbox = number;
        message.message.received = 1'700'000'000'000;
        message.message.duration_ms = seconds * std::int64_t{1000};
        message.file = wav;
        message.extension = "wav";
        message.delivery = DeliveryState::kQueued;
        auto id = store.add(message);
        if (!id) throw std::runtime_error(id.error().text());
        return *id;
    }

  private:
    // µ-law silence, 8 kHz mono.
    static std::string silence(std::uint32_t seconds) {
        const auto le = [](std::uint32_t value, int bytes) {
            std::string out;
            for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> 8 * i & 255);
            return out;
        };
        const std::uint32_t n = 8000 * seconds;
        return "RIFF" + le(4 + 8 + 18 + 8 + n, 4) + "WAVEfmt " + le(18, 4) + le(7, 2) + le(1, 2) +
               le(8000, 4) + le(8000, 4) + le(1, 2) + le(8, 2) + le(0, 2) + "data" + le(n, 4) +
               std::string(n, '\xff');
    }

    TemporaryDirectory directory_;

  public:
    Paths paths;
};

}  // namespace vm::testing

#endif
