// Reads a network's config.json as diffusers and transformers write it: keys may be absent or null and then have the
// class's default, numbers are bounded, and settings that no supported family uses are refused instead of ignored.
// Not here: Thimble's own configs (models/config.h), which have no optional keys.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace thimble::models {

inline constexpr int kMaxLevels = 8, kMaxChannels = 1 << 14;

class ForeignConfig {
 public:
  // bad_file when `json` is no object or names another class.
  ForeignConfig(const Json& json, std::string_view class_name);
  // Whatever class it names; `what` is for messages.
  static ForeignConfig of_any_class(const Json& json, std::string what);

  const std::string& what() const { return what_; }  // names the config in errors
  const Json* find(std::string_view key) const;      // null when missing or null
  bool has(std::string_view key) const { return find(key) != nullptr; }
  // bad_file when a value has another type or lies outside [low, high].
  int integer(std::string_view key, int fallback, int low, int high) const;
  double number(std::string_view key, double fallback, double low, double high) const;
  bool flag(std::string_view key, bool fallback) const;
  std::string text(std::string_view key, std::string fallback) const;
  // 1 to kMaxLevels entries.
  std::vector<int> integers(std::string_view key, std::vector<int> fallback, int low, int high) const;
  // Perhaps empty; at most 1024 entries.
  std::vector<int> indices(std::string_view key, int low, int high) const;
  std::vector<std::string> texts(std::string_view key) const;
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
  int bounded(const Json& value, std::string_view key, int low, int high) const;
  const Json& list(const Json& value, std::string_view key, std::size_t levels) const;
  struct AnyClass {};
  ForeignConfig(const Json& json, std::string what, AnyClass);
  const Json& json_;
  std::string what_;
};

struct BuildSize;

// bad_input unless the batch is positive, both sides are positive multiples of `multiple` latent cells, and the prompt
// has at least one token.
void check_build_size(const BuildSize& size, int multiple, std::string_view class_name);
// Text encoders take 1 to `longest` tokens and a batch of at least one; bad_input otherwise.
void check_text_size(int batch, int tokens, int longest);

}  // namespace thimble::models
