#include "asterisk/reader.h"

#include "base/text.h"

#include <fmt/format.h>

#include <cerrno>
#include <unistd.h>
#include <utility>

namespace vm::asterisk {

namespace {

// Of a recording: four seconds of the form that has most bytes. All of it would take too long
// while Asterisk waits for the lock.
constexpr std::size_t kBeginning = 64U << 10;

Result<std::string> read_beginning(int fd, std::size_t limit, const std::string& path) {
    std::string out(limit, '\0');
    std::size_t size = 0;
    while (size < out.size()) {
        const ssize_t n = ::read(fd, out.data() + size, out.size() - size);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail_errno(errno, "read", path);
        if (n == 0) break;
        size += static_cast<std::size_t>(n);
    }
    out.resize(size);
    return out;
}

}  // namespace

template <class Of>
Result<Reader::Read> Reader::read(const ListedFolder& folder, int number, const std::string& rest,
                                  Of&& of) {
    const std::string path = (folder.path / file_name(number, rest)).string();
    if (const auto status = folder.look_at(number, rest)) {
        const auto last = before_.find(path);
        if (last != before_.end() && last->second.stamp == stamp_of(*status))
            return now_[path] = last->second;
    }
    VM_ASSIGN(const UniqueFd fd, folder.open(number, rest));
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) return fail_errno(errno, "read", path);
    Read out{stamp_of(status), std::nullopt, ""};
    VM_TRY(of(fd.get(), path, out));
    return now_[path] = out;
}

Result<std::optional<Envelope>> Reader::envelope(const ListedFolder& folder, int number) {
    VM_ASSIGN(
        const Read found,
        read(folder, number, ".txt", [](int fd, const std::string& path, Read& out) -> Result<> {
            VM_ASSIGN(const std::string text, read_beginning(fd, kEnvelopeLimit + 1, path));
            out.envelope = parse_envelope(text);
            return {};
        }));
    return found.envelope;
}

Result<std::string> Reader::fingerprint(const ListedFolder& folder, int number,
                                        const std::string& rest) {
    VM_ASSIGN(
        const Read found,
        read(folder, number, rest, [](int fd, const std::string& path, Read& out) -> Result<> {
            VM_ASSIGN(const std::string data, read_beginning(fd, kBeginning, path));
            out.fingerprint = fmt::format("{:016x}", fnv1a(data + std::to_string(out.stamp.size)));
            return {};
        }));
    return found.fingerprint;
}

void Reader::forget_others() {
    before_ = std::exchange(now_, {});
}

}  // namespace vm::asterisk
