// Fields of JSON that a stranger wrote: absent, null and of another type read as nothing.
#pragma once

#include <string>

#include "base/json.h"

namespace thimble::gauge {

inline const Json* member(const Json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto it = object.find(key);
  return it == object.end() || it->is_null() ? nullptr : &*it;
}

inline std::string text_in(const Json& object, const char* key) {
  const Json* v = member(object, key);
  return v != nullptr && v->is_string() ? v->get<std::string>() : std::string();
}

}  // namespace thimble::gauge
