#include "base/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace thimble {
namespace {

std::string scaled(double v, double step, const char* const* units, int count) {
  int i = 0;
  while (v >= step && i + 1 < count) {
    v /= step;
    ++i;
  }
  return fmt::format("{:.{}f} {}", v, v < 10 && i > 0 ? 2 : v < 100 && i > 0 ? 1 : 0, units[i]);
}

}  // namespace

ProgressBar::ProgressBar(std::string title)
    : title_(std::move(title)), terminal_(::isatty(2) == 1), start_(std::chrono::steady_clock::now()) {}

ProgressBar::~ProgressBar() {
  if (drawn_) std::fputs("\r\033[K", stderr);
}

void ProgressBar::update(std::int64_t done, std::int64_t total, const std::string& note) {
  if (!terminal_) return;
  const auto now = std::chrono::steady_clock::now();
  if (first_ < 0) first_ = done;
  if (done < total && now - last_ < std::chrono::milliseconds(100)) return;
  last_ = now;
  const double fraction = total > 0 ? std::clamp(static_cast<double>(done) / static_cast<double>(total), 0.0, 1.0) : 0;
  const double elapsed = std::chrono::duration<double>(now - start_).count();
  const double rate = done > first_ ? static_cast<double>(done - first_) / elapsed : 0;
  constexpr int kWidth = 24;
  std::string bar;
  for (int i = 0; i < kWidth; ++i) bar += i < fraction * kWidth ? '#' : '.';
  const std::string left =
      rate > 0 && done < total ? human_time(static_cast<double>(total - done) / rate) + " left" : "";
  fmt::print(stderr, "\r\033[K{} [{}] {}/{} {} {}", title_, bar, done, total, left, note);
  std::fflush(stderr);
  drawn_ = true;
}

ProgressFn ProgressBar::fn() {
  return [this](std::int64_t done, std::int64_t total, const std::string& note) { update(done, total, note); };
}

std::string human_time(double s) {
  if (s < 1) return fmt::format("{:.0f} ms", s * 1e3);
  if (s < 60) return fmt::format("{:.1f} s", s);
  const auto whole = static_cast<long>(s + 0.5);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
}

std::string human_bytes(double bytes) {
  static const char* const kUnits[] = {"B", "kB", "MB", "GB", "TB"};
  return scaled(bytes, 1000, kUnits, 5);
}

std::string human_count(double count) {
  static const char* const kUnits[] = {"", "k", "M", "G", "T"};
  return scaled(count, 1000, kUnits, 5);
}

}  // namespace thimble
