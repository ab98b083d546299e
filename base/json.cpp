#include "base/json.h"

#include <set>
#include <vector>

#include "base/error.h"

namespace thimble {
namespace {

const Json& find(const Json& object, std::string_view key, std::string_view what, const char* wanted) {
  if (!object.is_object())
    fail(ErrorKind::bad_file, "{}: an object was wanted around key '{}', found {}", what, key, object.type_name());
  const auto it = object.find(std::string(key));
  if (it == object.end()) fail(ErrorKind::bad_file, "{}: key '{}' is missing, {} was wanted", what, key, wanted);
  return *it;
}

[[noreturn]] void wrong_type(const Json& value, std::string_view key, std::string_view what, const char* wanted) {
  fail(ErrorKind::bad_file, "{}: key '{}' is {}, {} was wanted", what, key, value.type_name(), wanted);
}

}  // namespace

Json parse_json(std::string_view text, std::string_view what, int max_depth) {
  std::vector<std::set<std::string>> keys;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (depth > max_depth) fail(ErrorKind::bad_file, "{}: JSON is nested deeper than {} levels", what, max_depth);
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key && !keys.back().insert(parsed.get<std::string>()).second) {
      fail(ErrorKind::bad_file, "{}: JSON key '{}' occurs twice", what, parsed.get<std::string>());
    }
    return true;
  };
  try {
    return Json::parse(text, watch);
  } catch (const Json::parse_error& e) {
    fail(ErrorKind::bad_file, "{}: not valid JSON at byte {}", what, e.byte);
  } catch (const Json::exception&) {
    fail(ErrorKind::bad_file, "{}: JSON with a value out of range", what);
  }
}

std::int64_t get_int(const Json& object, std::string_view key, std::string_view what) {
  const Json& v = find(object, key, what, "an integer");
  if (!v.is_number_integer()) wrong_type(v, key, what, "an integer");
  return v.get<std::int64_t>();
}

double get_double(const Json& object, std::string_view key, std::string_view what) {
  const Json& v = find(object, key, what, "a number");
  if (!v.is_number()) wrong_type(v, key, what, "a number");
  return v.get<double>();
}

std::string get_string(const Json& object, std::string_view key, std::string_view what) {
  const Json& v = find(object, key, what, "a string");
  if (!v.is_string()) wrong_type(v, key, what, "a string");
  return v.get<std::string>();
}

const Json& get_object(const Json& object, std::string_view key, std::string_view what) {
  const Json& v = find(object, key, what, "an object");
  if (!v.is_object()) wrong_type(v, key, what, "an object");
  return v;
}

const Json& get_array(const Json& object, std::string_view key, std::string_view what) {
  const Json& v = find(object, key, what, "an array");
  if (!v.is_array()) wrong_type(v, key, what, "an array");
  return v;
}

}  // namespace thimble
