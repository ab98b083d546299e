#include "models/conv_config.h"

#include "base/error.h"

namespace thimble::models {

DiffusersConfig::DiffusersConfig(const Json& json, std::string_view class_name)
    : json_(json), what_(fmt::format("{} config", class_name)) {
  if (!json.is_object()) fail(ErrorKind::bad_file, "{}: a JSON object was wanted", what_);
  if (!has("_class_name")) return;
  const std::string came = text("_class_name", "");
  if (came != class_name) fail(ErrorKind::bad_file, "{}: the file is for the class '{}'", what_, came);
}

const Json* DiffusersConfig::find(std::string_view key) const {
  const auto it = json_.find(key);
  return it == json_.end() || it->is_null() ? nullptr : &*it;
}

int DiffusersConfig::bounded(const Json& value, std::string_view key, int low, int high) const {
  if (!value.is_number_integer()) fail(ErrorKind::bad_file, "{}: '{}' must be an integer", what_, key);
  // Unsigned values beyond the signed range wrap to negative ones, which every bound here refuses.
  const auto v = value.get<std::int64_t>();
  if (v < low || v > high) {
    fail(ErrorKind::bad_file, "{}: '{}' must be between {} and {}, {} came", what_, key, low, high, v);
  }
  return static_cast<int>(v);
}

const Json& DiffusersConfig::list(const Json& value, std::string_view key, std::size_t levels) const {
  if (!value.is_array() || value.size() != levels) {
    fail(ErrorKind::bad_file, "{}: '{}' must be a list with one entry for each of the {} levels", what_, key, levels);
  }
  return value;
}

int DiffusersConfig::integer(std::string_view key, int fallback, int low, int high) const {
  const Json* v = find(key);
  return v == nullptr ? fallback : bounded(*v, key, low, high);
}

double DiffusersConfig::number(std::string_view key, double fallback, double low, double high) const {
  const Json* v = find(key);
  if (v == nullptr) return fallback;
  if (!v->is_number()) fail(ErrorKind::bad_file, "{}: '{}' must be a number", what_, key);
  const double d = v->get<double>();
  if (!(d >= low && d <= high)) {
    fail(ErrorKind::bad_file, "{}: '{}' must be between {} and {}, {} came", what_, key, low, high, d);
  }
  return d;
}

bool DiffusersConfig::flag(std::string_view key, bool fallback) const {
  const Json* v = find(key);
  if (v == nullptr) return fallback;
  if (!v->is_boolean()) fail(ErrorKind::bad_file, "{}: '{}' must be true or false", what_, key);
  return v->get<bool>();
}

std::string DiffusersConfig::text(std::string_view key, std::string fallback) const {
  const Json* v = find(key);
  if (v == nullptr) return fallback;
  if (!v->is_string()) fail(ErrorKind::bad_file, "{}: '{}' must be a string", what_, key);
  return v->get<std::string>();
}

std::vector<int> DiffusersConfig::integers(std::string_view key, std::vector<int> fallback, int low, int high) const {
  const Json* v = find(key);
  if (v == nullptr) return fallback;
  if (!v->is_array() || v->empty() || v->size() > kMaxLevels) {
    fail(ErrorKind::bad_file, "{}: '{}' must be a list of 1 to {} integers", what_, key, kMaxLevels);
  }
  std::vector<int> out;
  for (const Json& entry : *v) out.push_back(bounded(entry, key, low, high));
  return out;
}

std::vector<int> DiffusersConfig::per_level(std::string_view key, std::size_t levels, int fallback, int low,
                                            int high) const {
  const Json* v = find(key);
  if (v == nullptr) return std::vector<int>(levels, fallback);
  if (!v->is_array()) return std::vector<int>(levels, bounded(*v, key, low, high));
  std::vector<int> out;
  for (const Json& entry : list(*v, key, levels)) out.push_back(bounded(entry, key, low, high));
  return out;
}

std::vector<std::string> DiffusersConfig::texts_per_level(std::string_view key, std::size_t levels,
                                                          std::string fallback) const {
  const Json* v = find(key);
  if (v == nullptr || v->is_string()) return std::vector<std::string>(levels, text(key, std::move(fallback)));
  std::vector<std::string> out;
  for (const Json& entry : list(*v, key, levels)) {
    if (!entry.is_string()) fail(ErrorKind::bad_file, "{}: '{}' must hold strings", what_, key);
    out.push_back(entry.get<std::string>());
  }
  return out;
}

std::vector<std::vector<int>> DiffusersConfig::lists_per_level(std::string_view key, std::size_t levels,
                                                               std::vector<std::vector<int>> fallback, int low,
                                                               int high) const {
  const Json* v = find(key);
  if (v == nullptr) {
    fallback.resize(levels);
    return fallback;
  }
  std::vector<std::vector<int>> out;
  for (const Json& entry : list(*v, key, levels)) {
    if (!entry.is_array() || entry.size() > kMaxLevels) {
      fail(ErrorKind::bad_file, "{}: '{}' must hold lists of at most {} integers", what_, key, kMaxLevels);
    }
    auto& row = out.emplace_back();
    for (const Json& value : entry) row.push_back(bounded(value, key, low, high));
  }
  return out;
}

void DiffusersConfig::must_be(std::string_view key, const Json& wanted) const {
  const Json* v = find(key);
  if (v == nullptr || *v == wanted) return;
  fail(ErrorKind::unsupported, "{}: '{}' must be {}; {} is not supported", what_, key,
       wanted.is_null() ? "absent" : wanted.dump(), v->is_primitive() ? v->dump() : "what came");
}

void DiffusersConfig::unknown(std::string_view key, std::string_view value, std::string_view known) const {
  fail(ErrorKind::unsupported, "{}: '{}' is '{}'; supported are {}", what_, key, value.substr(0, 80), known);
}

void DiffusersConfig::bad(std::string_view problem) const { fail(ErrorKind::bad_file, "{}: {}", what_, problem); }

}  // namespace thimble::models
