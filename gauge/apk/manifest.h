// What a package says of itself: Android's binary XML manifest (in APKs), its protobuf twin (in app bundles) and the
// plain text of library archives. Resources are not resolved: a value that lives in them is shown as "@7f010001".
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gauge/bytes.h"

namespace thimble::gauge {

struct Manifest {
  std::string package, version_name, split;  // split: the part's name when the package is only a part of an app
  std::string version_code;                  // as stored: a number, a reference, or empty
  std::string min_sdk, target_sdk;           // numbers, or a code name
  std::vector<std::string> permissions, native_libraries, features;
  std::vector<std::pair<std::string, std::string>> meta_data;  // name, value
};

// All fail with bad_file or Truncated.
Manifest read_axml_manifest(Bytes bytes);
Manifest read_proto_manifest(Bytes bytes);
Manifest read_text_manifest(
    std::string_view text);  // in source trees the package's name may be missing: it is empty then

// One element's attributes, as the readers hand them over; `name` without namespace.
struct XmlAttribute {
  std::string_view name;
  std::uint32_t resource = 0;  // Android's number of the attribute, 0 when it has none
  std::string value;
};
void take_element(Manifest& manifest, std::string_view element, const std::vector<XmlAttribute>& attributes);

}  // namespace thimble::gauge
