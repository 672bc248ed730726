// g_szMetricsFile: the metrics as a file for node_exporter's textfile collector, replaced every 15
// seconds as a whole, mode 0644. The master's thread.
//
// It is not made durable: after a crash of the machine the agent writes it anew. When it stops, and
// when another file or none is configured, it is removed: figures that nobody renews are none.
#ifndef VM_AGENT_METRICS_FILE_H
#define VM_AGENT_METRICS_FILE_H

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

namespace vm::agent {

class MetricsFile {
  public:
    static constexpr std::int64_t kPeriodMs = 15'000;

    // Writes it when it is time; `now`: steady_ms(), `path`: "" for none. Trouble goes to the
    // trace, once for each: one that is there and no agent wrote stays as it is.
    void keep(std::int64_t now, const std::filesystem::path& path,
              const std::function<std::string()>& text);
    // Removes it.
    void remove();

  private:
    std::filesystem::path path_;
    bool written_ = false;
    std::int64_t next_ = 0;
    std::string trouble_;
};

}  // namespace vm::agent

#endif
