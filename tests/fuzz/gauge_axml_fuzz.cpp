// Target: manifests in all three forms.
#include "gauge/apk/manifest.h"
#include "gauge/testing/material.h"
#include "tests/fuzz/target.h"

namespace thimble::fuzz {

std::vector<std::string> seeds() {
  gauge::testing::ManifestText text;
  text.permissions = {"android.permission.CAMERA"};
  text.meta_data = {{"name", "value"}};
  std::vector<std::string> out{gauge::testing::make_axml(text), gauge::testing::make_proto_manifest(text)};
  text.utf8 = false;
  text.split = "config.x86";
  out.push_back(gauge::testing::make_axml(text));
  out.emplace_back(
      "<!-- c --><manifest package='a.b' android:versionCode=\"3\"><uses-sdk android:minSdkVersion=\"1\"/></manifest>");
  return out;
}

}  // namespace thimble::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace thimble;
  const auto bytes = fuzz::bytes_of(fuzz::text_of(data, size));
  return fuzz::survives([&] {
    const bool binary = size >= 4 && data[0] == 3 && data[1] == 0;
    const bool text = size >= 1 && data[0] == '<';
    const gauge::Manifest m = binary ? gauge::read_axml_manifest(bytes)
                              : text ? gauge::read_text_manifest(fuzz::text_of(data, size))
                                     : gauge::read_proto_manifest(bytes);
    fuzz::require(text || !m.package.empty());
  });
}
