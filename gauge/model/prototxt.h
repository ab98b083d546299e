// Protobuf's text form, as Caffe's network descriptions use it: `key: value` and `key { … }`, in order. No schema.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace thimble::gauge {

struct TextField {
  std::string_view key;
  std::string value;               // of a scalar, quotes taken off
  std::vector<TextField> message;  // of a message
  bool is_message = false;
};

// bad_file for what is no such text, for more than 64 levels, and for more fields than `text` has characters.
std::vector<TextField> parse_prototxt(std::string_view text);

}  // namespace thimble::gauge
