#include "models/foreign_config.h"

#include "base/error.h"
#include "models/classes.h"

namespace thimble::models {
namespace {

constexpr std::size_t kMaxList = 1024;
constexpr int kLargestBatch = 1024;
constexpr int kLargestSide = 2048;  // latent cells: 16384 pixels at 8 per cell
constexpr int kMostTokens = 1 << 16;

}  // namespace

ForeignConfig::ForeignConfig(const Json& json, std::string what, AnyClass) : json_(json), what_(std::move(what)) {
  if (!json.is_object()) fail(ErrorKind::bad_file, "{}: a JSON object was wanted, {} came", what_, json.type_name());
}

ForeignConfig ForeignConfig::of_any_class(const Json& json, std::string what) { return {json, std::move(what), {}}; }

ForeignConfig::ForeignConfig(const Json& json, std::string_view class_name)
    : ForeignConfig(json, fmt::format("{} config", class_name), AnyClass{}) {
  if (!has("_class_name")) return;
  const std::string came = text("_class_name", "");
  if (came != class_name) fail(ErrorKind::bad_file, "{}: the file is for the class '{}'", what_, came);
}

const Json* ForeignConfig::find(std::string_view key) const {
  const auto it = json_.find(key);
  return it == json_.end() || it->is_null() ? nullptr : &*it;
}

int ForeignConfig::bounded(const Json& value, std::string_view key, int low, int high) const {
  if (!value.is_number_integer()) fail(ErrorKind::bad_file, "{}: '{}' must be an integer", what_, key);
  // Unsigned values beyond the signed range wrap to negative ones, which every bound here refuses.
  const auto v = value.get<std::int64_t>();
  if (v < low || v > high) {
    fail(ErrorKind::bad_file, "{}: '{}' must be between {} and {}, {} came", what_, key, low, high, v);
  }
  return static_cast<int>(v);
}

const Json& ForeignConfig::list(const Json& value, std::string_view key, std::size_t levels) const {
  if (!value.is_array() || value.size() != levels) {
    fail(ErrorKind::bad_file, "{}: '{}' must be a list with one entry for each of the {} levels", what_, key, levels);
  }
  return value;
}

int ForeignConfig::integer(std::string_view key, int fallback, int low, int high) const {
  const Json* v = find(key);
  return v == nullptr ? fallback : bounded(*v, key, low, high);
}

double ForeignConfig::number(std::string_view key, double fallback, double low, double high) const {
  const Json* v = find(key);
  if (v == nullptr) return fallback;
  if (!v->is_number()) fail(ErrorKind::bad_file, "{}: '{}' must be a number", what_, key);
  const double d = v->get<double>();
  if (!(d >= low && d <= high)) {
    fail(ErrorKind::bad_file, "{}: '{}' must be between {} and {}, {} came", what_, key, low, high, d);
  }
  return d;
}

bool ForeignConfig::flag(std::string_view key, bool fallback) const {
  const Json* v = find(key);
  if (v == nullptr) return fallback;
  if (!v->is_boolean()) fail(ErrorKind::bad_file, "{}: '{}' must be true or false", what_, key);
  return v->get<bool>();
}

std::string ForeignConfig::text(std::string_view key, std::string fallback) const {
  const Json* v = find(key);
  if (v == nullptr) return fallback;
  if (!v->is_string()) fail(ErrorKind::bad_file, "{}: '{}' must be a string", what_, key);
  return v->get<std::string>();
}

std::vector<int> ForeignConfig::integers(std::string_view key, std::vector<int> fallback, int low, int high) const {
  const Json* v = find(key);
  if (v == nullptr) return fallback;
  if (!v->is_array() || v->empty() || v->size() > kMaxLevels) {
    fail(ErrorKind::bad_file, "{}: '{}' must be a list of 1 to {} integers", what_, key, kMaxLevels);
  }
  std::vector<int> out;
  for (const Json& entry : *v) out.push_back(bounded(entry, key, low, high));
  return out;
}

std::vector<int> ForeignConfig::indices(std::string_view key, int low, int high) const {
  std::vector<int> out;
  if (find(key) == nullptr) return out;
  const Json& list = get_array(json_, key, what_);
  if (list.size() > kMaxList) {
    fail(ErrorKind::bad_file, "{}: '{}' has {} entries, at most {} were expected", what_, key, list.size(), kMaxList);
  }
  for (const Json& v : list) out.push_back(bounded(v, key, low, high));
  return out;
}

std::vector<std::string> ForeignConfig::texts(std::string_view key) const {
  std::vector<std::string> out;
  if (find(key) == nullptr) return out;
  const Json& list = get_array(json_, key, what_);
  if (list.size() > kMaxList) {
    fail(ErrorKind::bad_file, "{}: '{}' has {} entries, at most {} were expected", what_, key, list.size(), kMaxList);
  }
  for (const Json& v : list) {
    if (!v.is_string()) fail(ErrorKind::bad_file, "{}: '{}' must hold texts", what_, key);
    out.push_back(v.get<std::string>());
  }
  return out;
}

std::vector<int> ForeignConfig::per_level(std::string_view key, std::size_t levels, int fallback, int low,
                                          int high) const {
  const Json* v = find(key);
  if (v == nullptr) return std::vector<int>(levels, fallback);
  if (!v->is_array()) return std::vector<int>(levels, bounded(*v, key, low, high));
  std::vector<int> out;
  for (const Json& entry : list(*v, key, levels)) out.push_back(bounded(entry, key, low, high));
  return out;
}

std::vector<std::string> ForeignConfig::texts_per_level(std::string_view key, std::size_t levels,
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

std::vector<std::vector<int>> ForeignConfig::lists_per_level(std::string_view key, std::size_t levels,
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

void ForeignConfig::must_be(std::string_view key, const Json& wanted) const {
  const Json* v = find(key);
  if (v == nullptr || *v == wanted) return;
  fail(ErrorKind::unsupported, "{}: '{}' must be {}; {} is not supported", what_, key,
       wanted.is_null() ? "absent" : wanted.dump(), v->is_primitive() ? v->dump() : "what came");
}

void ForeignConfig::unknown(std::string_view key, std::string_view value, std::string_view known) const {
  fail(ErrorKind::unsupported, "{}: '{}' is '{}'; supported are {}", what_, key, value.substr(0, 80), known);
}

void ForeignConfig::bad(std::string_view problem) const { fail(ErrorKind::bad_file, "{}: {}", what_, problem); }

void check_build_size(const BuildSize& s, int multiple, std::string_view class_name) {
  if (s.batch < 1 || s.batch > kLargestBatch) {
    fail(ErrorKind::bad_input, "{}: a batch of 1 to {} was wanted, {} came", class_name, kLargestBatch, s.batch);
  }
  for (const int side : {s.height, s.width}) {
    if (side < multiple || side > kLargestSide || side % multiple != 0) {
      fail(ErrorKind::bad_input, "{}: {} by {} latent cells came; both must be multiples of {}, up to {}", class_name,
           s.height, s.width, multiple, kLargestSide);
    }
  }
  if (s.tokens < 1 || s.tokens > kMostTokens) {
    fail(ErrorKind::bad_input, "{}: a prompt of 1 to {} tokens was wanted, {} came", class_name, kMostTokens, s.tokens);
  }
}

void check_text_size(int batch, int tokens, int longest) {
  if (batch < 1 || tokens < 1 || tokens > longest) {
    fail(ErrorKind::bad_input, "the text encoder takes 1 to {} tokens and a batch of 1 or more; {} and {} came",
         longest, tokens, batch);
  }
}

}  // namespace thimble::models
