// Reads the config.json of a published text encoder with bounds: a key that is missing or null has the default of the
// class. Not here: Thimble's own configs, in which every key is wanted (models/config.h).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace thimble::models {

class TextConfigReader {
 public:
  TextConfigReader(const Json& json, std::string_view class_name);  // bad_file unless `json` is an object

  int integer(std::string_view key, int low, int high, int otherwise) const;
  double number(std::string_view key, double low, double high, double otherwise) const;
  bool boolean(std::string_view key, bool otherwise) const;
  std::string text(std::string_view key, std::string_view otherwise) const;
  std::vector<std::string> texts(std::string_view key) const;  // empty when missing; at most 1024
  const Json* find(std::string_view key) const;                // nullptr when missing or null

  const std::string& what() const { return what_; }  // names the config in errors

 private:
  const Json& json_;
  std::string what_;
};

// Text encoders take 1 to `longest` tokens and a batch of at least one; bad_input otherwise.
void check_text_size(int batch, int tokens, int longest);

}  // namespace thimble::models
