// Reads a network's config.json as diffusers writes it: keys may be absent or null and then have a default, numbers are
// bounded, and settings that no supported family uses are refused instead of ignored.
// Not here: Thimble's own configs (models/config.h), which have no optional keys.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace thimble::models {

inline constexpr int kMaxLevels = 8, kMaxChannels = 1 << 14;

class DiffusersConfig {
 public:
  // bad_file when `json` is no object or names another class.
  DiffusersConfig(const Json& json, std::string_view class_name);

  bool has(std::string_view key) const { return find(key) != nullptr; }  // there and not null
  // bad_file when a value has another type or lies outside [low, high].
  int integer(std::string_view key, int fallback, int low, int high) const;
  double number(std::string_view key, double fallback, double low, double high) const;
  bool flag(std::string_view key, bool fallback) const;
  std::string text(std::string_view key, std::string fallback) const;
  // 1 to kMaxLevels entries.
  std::vector<int> integers(std::string_view key, std::vector<int> fallback, int low, int high) const;
  // A list of `levels` entries, or one value that stands for all of them.
  std::vector<int> per_level(std::string_view key, std::size_t levels, int fallback, int low, int high) const;
  std::vector<std::string> texts_per_level(std::string_view key, std::size_t levels, std::string fallback) const;
  // Lists of lists, `levels` of them, each of at most kMaxLevels integers.
  std::vector<std::vector<int>> lists_per_level(std::string_view key, std::size_t levels,
                                                std::vector<std::vector<int>> fallback, int low, int high) const;

  // `unsupported` when the key is there with another value than `wanted`.
  void must_be(std::string_view key, const Json& wanted) const;
  [[noreturn]] void unknown(std::string_view key, std::string_view value, std::string_view known) const;
  [[noreturn]] void bad(std::string_view problem) const;

 private:
  const Json* find(std::string_view key) const;
  int bounded(const Json& value, std::string_view key, int low, int high) const;
  const Json& list(const Json& value, std::string_view key, std::size_t levels) const;
  const Json& json_;
  std::string what_;
};

}  // namespace thimble::models
