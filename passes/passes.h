// The list of passes: name and one line on what each does and preserves, for `thimble show --passes` and the docs.
// A pass itself is a free function in passes/<name>.h.
#pragma once

#include <span>
#include <string_view>

namespace thimble::passes {

struct PassInfo {
  std::string_view name;
  std::string_view summary;
  std::string_view preserves;  // "exact", "within tolerance", "a new model, to be trained"
};

std::span<const PassInfo> passes();

}  // namespace thimble::passes
