// Reads a model's config from JSON with bounds, so that a hostile file cannot ask for absurd sizes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace thimble::models {

class ConfigReader {
 public:
  // Refuses a config whose "type" is not `type`.
  ConfigReader(const Json& json, std::string_view type);

  int integer(std::string_view key, int low, int high) const;
  double number(std::string_view key, double low, double high) const;
  std::vector<int> integers(std::string_view key, int low, int high) const;  // at most 64

 private:
  const Json& json_;
  std::string what_;
};

}  // namespace thimble::models
