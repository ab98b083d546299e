// From elements to a manifest, and the two simple forms: protobuf (aapt2's XmlNode messages) and text.
#include "gauge/apk/manifest.h"

#include "gauge/container/container.h"
#include "gauge/wire/protobuf.h"

namespace thimble::gauge {
namespace {

constexpr int kMostDepth = 64;
constexpr std::size_t kMostListed = 10'000;

// Android's fixed numbers of attributes: names in the string pool may be wiped by obfuscators, these may not.
constexpr std::uint32_t kName = 0x01010003, kValue = 0x01010024, kMinSdk = 0x0101020c, kVersionCode = 0x0101021b,
                        kVersionName = 0x0101021c, kTargetSdk = 0x01010270;

class Attributes {
 public:
  explicit Attributes(const std::vector<XmlAttribute>& all) : all_(all) {}
  std::string get(std::string_view name, std::uint32_t resource = 0) const {
    for (const XmlAttribute& a : all_) {
      if (resource != 0 && a.resource == resource) return printable(a.value);
    }
    for (const XmlAttribute& a : all_) {
      if (a.name == name) return printable(a.value);
    }
    return {};
  }

 private:
  const std::vector<XmlAttribute>& all_;
};

void proto_element(Bytes bytes, Manifest& manifest, int depth);

void proto_node(Bytes bytes, Manifest& manifest, int depth) {
  if (depth > kMostDepth)
    fail(ErrorKind::bad_file, "manifest: elements within elements, more than {} deep", kMostDepth);
  Protobuf node(bytes, "XML node");
  while (node.next()) {
    if (node.is(1, Protobuf::kBytes)) proto_element(node.bytes(), manifest, depth);
  }
}

void proto_element(Bytes bytes, Manifest& manifest, int depth) {
  std::string_view name;
  std::vector<XmlAttribute> attributes;
  std::vector<Bytes> children;
  Protobuf element(bytes, "XML element");
  while (element.next()) {
    if (element.is(3, Protobuf::kBytes)) name = element.text();
    if (element.is(5, Protobuf::kBytes)) children.push_back(element.bytes());
    if (!element.is(4, Protobuf::kBytes)) continue;
    XmlAttribute a;
    Protobuf attribute(element.bytes(), "XML attribute");
    while (attribute.next()) {
      if (attribute.is(2, Protobuf::kBytes)) a.name = attribute.text();
      if (attribute.is(3, Protobuf::kBytes)) a.value = attribute.text();
      if (attribute.is(5, Protobuf::kVarint)) a.resource = static_cast<std::uint32_t>(attribute.value());
    }
    attributes.push_back(std::move(a));
  }
  take_element(manifest, name, attributes);
  for (const Bytes child : children) proto_node(child, manifest, depth + 1);
}

// The next `<name attribute="value" ...` at or after `at`; false when there is none. Comments are passed over.
bool text_element(std::string_view text, std::size_t& at, std::string_view& name,
                  std::vector<XmlAttribute>& attributes) {
  constexpr std::string_view kBlank = " \t\r\n";
  attributes.clear();
  while ((at = text.find('<', at)) != std::string_view::npos) {
    if (text.substr(at).starts_with("<!--")) {
      at = text.find("-->", at);
      if (at == std::string_view::npos) return false;
      continue;
    }
    const std::size_t begin = ++at;
    at = std::min(text.find_first_of(" \t\r\n/>", begin), text.size());
    name = text.substr(begin, at - begin);
    if (name.empty() || name.front() == '?' || name.front() == '!') continue;
    while ((at = text.find_first_not_of(kBlank, at)) != std::string_view::npos && text[at] != '>' && text[at] != '/') {
      const std::size_t equals = text.find('=', at);
      const std::size_t open = equals == std::string_view::npos ? equals : text.find_first_of("\"'", equals);
      const std::size_t close = open == std::string_view::npos ? open : text.find(text[open], open + 1);
      if (close == std::string_view::npos) return false;
      std::string_view key = text.substr(at, equals - at);
      key.remove_prefix(key.find(':') + 1);
      key = key.substr(0, key.find_first_of(kBlank));
      attributes.push_back({key, 0, std::string(text.substr(open + 1, close - open - 1))});
      at = close + 1;
    }
    return true;
  }
  return false;
}

}  // namespace

void take_element(Manifest& m, std::string_view element, const std::vector<XmlAttribute>& attributes) {
  const Attributes a(attributes);
  const auto list = [](std::vector<std::string>& to, std::string value) {
    if (!value.empty() && to.size() < kMostListed) to.push_back(std::move(value));
  };
  if (element == "manifest") {
    m.package = a.get("package");
    m.split = a.get("split");
    m.version_code = a.get("versionCode", kVersionCode);
    m.version_name = a.get("versionName", kVersionName);
  } else if (element == "uses-sdk") {
    m.min_sdk = a.get("minSdkVersion", kMinSdk);
    m.target_sdk = a.get("targetSdkVersion", kTargetSdk);
  } else if (element == "uses-permission" || element == "uses-permission-sdk-23") {
    list(m.permissions, a.get("name", kName));
  } else if (element == "uses-native-library") {
    list(m.native_libraries, a.get("name", kName));
  } else if (element == "uses-feature") {
    list(m.features, a.get("name", kName));
  } else if (element == "meta-data" && m.meta_data.size() < kMostListed) {
    m.meta_data.emplace_back(a.get("name", kName), a.get("value", kValue));
  }
}

Manifest read_proto_manifest(Bytes bytes) {
  Manifest manifest;
  proto_node(bytes, manifest, 0);
  if (manifest.package.empty()) fail(ErrorKind::bad_file, "manifest: no package name");
  return manifest;
}

Manifest read_text_manifest(std::string_view text) {
  Manifest manifest;
  std::size_t at = 0;
  std::string_view name;
  std::vector<XmlAttribute> attributes;
  while (text_element(text, at, name, attributes)) take_element(manifest, name, attributes);
  return manifest;
}

}  // namespace thimble::gauge
