#include "models/config.h"

#include "base/error.h"

namespace thimble::models {
namespace {

template <class T>
T bounded(T value, T low, T high, std::string_view key, const std::string& what) {
  if (!(value >= low && value <= high)) {
    fail(ErrorKind::bad_file, "{}: '{}' must be between {} and {}, {} came", what, key, low, high, value);
  }
  return value;
}

}  // namespace

ConfigReader::ConfigReader(const Json& json, std::string_view type)
    : json_(json), what_(fmt::format("{} config", type)) {
  const std::string came = get_string(json, "type", what_);
  if (came != type) fail(ErrorKind::bad_file, "{}: type '{}' was wanted, '{}' came", what_, type, came);
}

int ConfigReader::integer(std::string_view key, int low, int high) const {
  return static_cast<int>(bounded<std::int64_t>(get_int(json_, key, what_), low, high, key, what_));
}

double ConfigReader::number(std::string_view key, double low, double high) const {
  return bounded(get_double(json_, key, what_), low, high, key, what_);
}

std::vector<int> ConfigReader::integers(std::string_view key, int low, int high) const {
  const Json& list = get_array(json_, key, what_);
  if (list.size() > 64)
    fail(ErrorKind::bad_file, "{}: '{}' has {} entries, at most 64 were expected", what_, key, list.size());
  std::vector<int> out;
  for (const Json& v : list) {
    if (!v.is_number_integer()) fail(ErrorKind::bad_file, "{}: '{}' must hold integers", what_, key);
    out.push_back(static_cast<int>(bounded<std::int64_t>(v.get<std::int64_t>(), low, high, key, what_)));
  }
  return out;
}

}  // namespace thimble::models
