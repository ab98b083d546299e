#include "models/text_config.h"

#include "base/error.h"

namespace thimble::models {

TextConfigReader::TextConfigReader(const Json& json, std::string_view class_name)
    : json_(json), what_(fmt::format("{} config", class_name)) {
  if (!json.is_object()) fail(ErrorKind::bad_file, "{}: an object was wanted, {} came", what_, json.type_name());
}

const Json* TextConfigReader::find(std::string_view key) const {
  const auto it = json_.find(key);
  return it == json_.end() || it->is_null() ? nullptr : &*it;
}

int TextConfigReader::integer(std::string_view key, int low, int high, int otherwise) const {
  if (find(key) == nullptr) return otherwise;
  const std::int64_t value = get_int(json_, key, what_);
  if (value < low || value > high) {
    fail(ErrorKind::bad_file, "{}: '{}' must be between {} and {}, {} came", what_, key, low, high, value);
  }
  return static_cast<int>(value);
}

double TextConfigReader::number(std::string_view key, double low, double high, double otherwise) const {
  if (find(key) == nullptr) return otherwise;
  const double value = get_double(json_, key, what_);
  if (!(value >= low && value <= high)) {
    fail(ErrorKind::bad_file, "{}: '{}' must be between {} and {}, {} came", what_, key, low, high, value);
  }
  return value;
}

bool TextConfigReader::boolean(std::string_view key, bool otherwise) const {
  const Json* value = find(key);
  if (value == nullptr) return otherwise;
  if (!value->is_boolean()) fail(ErrorKind::bad_file, "{}: '{}' must be true or false", what_, key);
  return value->get<bool>();
}

std::string TextConfigReader::text(std::string_view key, std::string_view otherwise) const {
  return find(key) == nullptr ? std::string(otherwise) : get_string(json_, key, what_);
}

std::vector<std::string> TextConfigReader::texts(std::string_view key) const {
  std::vector<std::string> out;
  if (find(key) == nullptr) return out;
  const Json& list = get_array(json_, key, what_);
  if (list.size() > 1024)
    fail(ErrorKind::bad_file, "{}: '{}' has {} entries, at most 1024 were expected", what_, key, list.size());
  for (const Json& v : list) {
    if (!v.is_string()) fail(ErrorKind::bad_file, "{}: '{}' must hold texts", what_, key);
    out.push_back(v.get<std::string>());
  }
  return out;
}

void check_text_size(int batch, int tokens, int longest) {
  if (batch < 1 || tokens < 1 || tokens > longest) {
    fail(ErrorKind::bad_input, "the text encoder takes 1 to {} tokens and a batch of 1 or more; {} and {} came",
         longest, tokens, batch);
  }
}

}  // namespace thimble::models
