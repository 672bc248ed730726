#include "agent/deaths.h"

#include "base/files.h"
#include "base/text.h"

#include <vector>

namespace vm::agent {

namespace {

constexpr std::size_t kLines = 100;

std::filesystem::path file_of(const Paths& paths) {
    return paths.run() / "vmemaild.deaths";
}

std::vector<std::string> lines_of(const Paths& paths) {
    std::vector<std::string> lines = split(read_file(file_of(paths)).value_or(""), '\n');
    std::erase(lines, "");
    return lines;
}

}  // namespace

Result<> note_death(const Paths& paths, TimeMs at, const std::string& words) {
    std::vector<std::string> lines = lines_of(paths);
    lines.push_back(format_rfc3339(at) + " " + sanitize_line(words));
    if (lines.size() > kLines)
        lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(kLines));
    return write_file_atomic(file_of(paths), join(lines, "\n") + "\n", 0640);
}

RecentDeaths recent_deaths(const Paths& paths, TimeMs now) {
    RecentDeaths out;
    for (const std::string& line : lines_of(paths)) {
        const auto blank = line.find(' ');
        const auto at = parse_rfc3339(line.substr(0, blank));
        if (!at || blank == std::string::npos || *at > now || now - *at > kRecentMs) continue;
        ++out.count;
        out.last = *at;
        out.words = line.substr(blank + 1);
    }
    return out;
}

}  // namespace vm::agent
