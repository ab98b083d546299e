// Walks a package and everything packed inside it: containers are opened by signature, at any depth within the limits;
// tars and zips are also found inside blobs, at any byte. What is met goes to a visitor.
//
// Paths inside a package: "base.apk!/assets/a.bin" is a member of a container, "a.bin@1089575" what begins at a byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/cancel.h"
#include "gauge/container/container.h"
#include "gauge/container/signature.h"

namespace thimble::gauge {

// Files beside one file: a model's second half (ncnn's .param and .bin).
class Siblings {
 public:
  virtual ~Siblings() = default;
  // The file of that plain name in the same folder; none when absent, refused or over the limits.
  virtual std::optional<Content> find(const std::string& name) const = 0;
};

struct Item {
  std::string path;  // inside the package
  FileKind kind{};
  std::uint64_t size = 0, packed = 0;
  std::uint64_t offset = 0;  // of its first byte in `path`: not 0 for what follows a container's end
  int depth = 0;             // containers around it
  bool is_package = false;   // the package itself, or what its gzip wraps: paths of members begin here
  Bytes head{};              // the first kHeadBytes or fewer; valid during the call
  const Siblings* siblings = nullptr;

  // The path of what begins at byte `at` of this item.
  std::string path_at(std::size_t at) const { return path + "@" + std::to_string(offset + at); }
};

struct Range {
  std::size_t begin = 0, end = 0;
};

class Visitor {
 public:
  virtual ~Visitor() = default;
  // Every file. True asks for the whole of it. Containers are opened whatever the answer, and not given whole.
  virtual bool meet(const Item& item) = 0;
  // `covered`: parts that are containers of their own and are walked too.
  virtual void whole(const Item& item, Bytes bytes, const std::vector<Range>& covered) = 0;
  virtual void failure(const std::string& path, FailureKind kind, const std::string& reason) = 0;
};

struct WalkTotals {
  std::size_t entries = 0;
  std::uint64_t unpacked = 0;  // bytes
};

// `bytes` is the package; `name` its file name, used when it is no container itself, or a gzip. Bad content becomes
// failures; only cancellation and lack of memory throw.
WalkTotals walk(Bytes bytes, const std::string& name, const Limits& limits, const Siblings* siblings, Visitor& visitor,
                const CancelToken& cancel);

}  // namespace thimble::gauge
