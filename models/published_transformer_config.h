// Reads the config.json of a published diffusion transformer: a key that is missing or null means the class's default,
// keys that change nothing about the graph (dropout, versions) are passed over. Bounded, because the file is foreign.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace thimble::models {

struct BuildSize;

class PublishedConfig {
 public:
  // bad_file when `json` is no object. `class_name` is for messages.
  PublishedConfig(const Json& json, std::string_view class_name);

  bool has(std::string_view key) const;  // there, and not null
  // bad_file when the value has another type or lies outside [low, high].
  int integer(std::string_view key, int fallback, int low, int high) const;
  double number(std::string_view key, double fallback, double low, double high) const;
  bool flag(std::string_view key, bool fallback) const;
  std::string text(std::string_view key, std::string_view fallback) const;
  std::vector<int> integers(std::string_view key, std::vector<int> fallback, int low, int high) const;  // at most 256

  // `unsupported` when the key is there with another value: a branch of the class that no published model takes.
  void only(std::string_view key, std::string_view value) const;
  void only_flag(std::string_view key, bool value) const;

 private:
  const Json* find(std::string_view key) const;
  const Json& json_;
  std::string what_;
};

// bad_input unless the batch is positive, both sides are positive multiples of `multiple` latent cells, and the prompt
// has at least one token.
void check_build_size(const BuildSize& size, int multiple, std::string_view class_name);

}  // namespace thimble::models
