// JSON, read with bounds. The library is nlohmann-json; foreign text goes through parse_json only.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace thimble {

using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;

// Parses `text`; refuses nesting deeper than `max_depth`, duplicate keys and invalid UTF-8.
// Errors are bad_file and name `what` and the byte offset.
Json parse_json(std::string_view text, std::string_view what, int max_depth = 64);

// Typed access with a clear error: "config.json: key 'width' is missing, an integer was wanted".
std::int64_t get_int(const Json& object, std::string_view key, std::string_view what);
double get_double(const Json& object, std::string_view key, std::string_view what);
std::string get_string(const Json& object, std::string_view key, std::string_view what);
const Json& get_object(const Json& object, std::string_view key, std::string_view what);
const Json& get_array(const Json& object, std::string_view key, std::string_view what);

}  // namespace thimble
