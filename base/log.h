// Remarks for the person at the terminal, on standard error. Libraries may warn; they never print results.
#pragma once

#include <fmt/format.h>

#include <string>
#include <utility>

namespace thimble {

enum class LogLevel { debug, info, warning, silent };

void set_log_level(LogLevel level);  // default: warning
void log_line(LogLevel level, const std::string& line);

template <class... Args>
void log_info(fmt::format_string<Args...> format, Args&&... args) {
  log_line(LogLevel::info, fmt::format(format, std::forward<Args>(args)...));
}

template <class... Args>
void log_warning(fmt::format_string<Args...> format, Args&&... args) {
  log_line(LogLevel::warning, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace thimble
