// A progress bar with time left on standard error; silent when that is not a terminal.
// Libraries take a ProgressFn instead and never print.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

namespace thimble {

// done of total units; a short note ("loss 0.31"). May be empty.
using ProgressFn = std::function<void(std::int64_t done, std::int64_t total, const std::string& note)>;

class ProgressBar {
 public:
  explicit ProgressBar(std::string title);
  ~ProgressBar();  // clears the line
  void update(std::int64_t done, std::int64_t total, const std::string& note = {});
  ProgressFn fn();

 private:
  std::string title_;
  bool terminal_;
  bool drawn_ = false;
  std::int64_t first_ = -1;
  std::chrono::steady_clock::time_point start_, last_{};
};

std::string human_time(double seconds);  // "1 h 02 min", "3 min 20 s", "4.2 s", "12 ms"
std::string human_bytes(double bytes);   // "12.3 MB" (powers of ten)
std::string human_count(double count);   // "12.3 M"

}  // namespace thimble
