#include "models/classes.h"

#include <vector>

#include "base/error.h"

namespace thimble::models {
std::string_view to_string(Role role) {
  switch (role) {
    case Role::denoiser: return "denoiser";
    case Role::text: return "text encoder";
    case Role::encoder: return "encoder";
    case Role::decoder: return "decoder";
  }
  return "";
}

std::span<const NetworkClass> network_classes() {
  static const std::vector<NetworkClass> all = [] {
    std::vector<NetworkClass> rows;
    for (const auto part : {convolutional_classes(), transformer_classes(), text_classes()}) {
      rows.insert(rows.end(), part.begin(), part.end());
    }
    return rows;
  }();
  return all;
}

graph::Graph build_network(std::string_view class_name, Role role, const Json& config, const BuildSize& size) {
  std::string known;
  for (const NetworkClass& c : network_classes()) {
    if (c.role != role) continue;
    if (c.name == class_name) return c.build(config, size);
    known += (known.empty() ? "" : ", ") + std::string(c.name);
  }
  fail(ErrorKind::unsupported, "no {} can be built for the class '{}'; known are {}", to_string(role), class_name,
       known);
}

}  // namespace thimble::models
