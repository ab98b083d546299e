#include "models/published_transformer_config.h"

#include "base/error.h"
#include "models/classes.h"

namespace thimble::models {
namespace {

constexpr int kLargestBatch = 1024;
constexpr int kLargestSide = 2048;  // latent cells: 16384 pixels at 8 per cell
constexpr int kMostTokens = 1 << 16;

template <class T>
T bounded(T value, T low, T high, std::string_view key, const std::string& what) {
  if (!(value >= low && value <= high)) {
    fail(ErrorKind::bad_file, "{}: '{}' must be between {} and {}, {} came", what, key, low, high, value);
  }
  return value;
}

}  // namespace

PublishedConfig::PublishedConfig(const Json& json, std::string_view class_name)
    : json_(json), what_(fmt::format("config of {}", class_name)) {
  if (!json.is_object()) fail(ErrorKind::bad_file, "{}: an object was wanted", what_);
}

const Json* PublishedConfig::find(std::string_view key) const {
  const auto it = json_.find(key);
  return it == json_.end() || it->is_null() ? nullptr : &*it;
}

bool PublishedConfig::has(std::string_view key) const { return find(key) != nullptr; }

int PublishedConfig::integer(std::string_view key, int fallback, int low, int high) const {
  if (!has(key)) return fallback;
  return static_cast<int>(bounded<std::int64_t>(get_int(json_, key, what_), low, high, key, what_));
}

double PublishedConfig::number(std::string_view key, double fallback, double low, double high) const {
  return has(key) ? bounded(get_double(json_, key, what_), low, high, key, what_) : fallback;
}

bool PublishedConfig::flag(std::string_view key, bool fallback) const {
  const Json* value = find(key);
  if (!value) return fallback;
  if (!value->is_boolean()) fail(ErrorKind::bad_file, "{}: '{}' must be true or false", what_, key);
  return value->get<bool>();
}

std::string PublishedConfig::text(std::string_view key, std::string_view fallback) const {
  return has(key) ? get_string(json_, key, what_) : std::string(fallback);
}

std::vector<int> PublishedConfig::integers(std::string_view key, std::vector<int> fallback, int low, int high) const {
  if (!has(key)) return fallback;
  const Json& list = get_array(json_, key, what_);
  if (list.size() > 256)
    fail(ErrorKind::bad_file, "{}: '{}' has {} entries, at most 256 were expected", what_, key, list.size());
  std::vector<int> out;
  for (const Json& v : list) {
    if (!v.is_number_integer()) fail(ErrorKind::bad_file, "{}: '{}' must hold integers", what_, key);
    out.push_back(static_cast<int>(bounded<std::int64_t>(v.get<std::int64_t>(), low, high, key, what_)));
  }
  return out;
}

void PublishedConfig::only(std::string_view key, std::string_view value) const {
  const std::string came = text(key, value);
  if (came != value) {
    fail(ErrorKind::unsupported, "{}: '{}' is '{}'; only '{}' is supported", what_, key, came, value);
  }
}

void PublishedConfig::only_flag(std::string_view key, bool value) const {
  if (flag(key, value) != value) fail(ErrorKind::unsupported, "{}: '{}' must be {}", what_, key, value);
}

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

}  // namespace thimble::models
