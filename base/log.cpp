#include "base/log.h"

#include <atomic>
#include <cstdio>

namespace thimble {
namespace {
std::atomic<LogLevel> g_level{LogLevel::warning};
}

void set_log_level(LogLevel level) { g_level.store(level); }

void log_line(LogLevel level, const std::string& line) {
  if (level < g_level.load()) return;
  fmt::print(stderr, "{}{}\n", level == LogLevel::warning ? "warning: " : "", line);
}

}  // namespace thimble
