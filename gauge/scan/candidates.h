// Models among bytes: by name, by signature, and at any byte of a blob (carving). Every candidate is settled by a
// probe.
#pragma once

#include <functional>
#include <vector>

#include "gauge/scan/package_scan.h"

namespace thimble::gauge {

class Candidates {
 public:
  // `taken`, if given, sees the bytes of every model that is found; they are valid during the call.
  using Taken = std::function<void(const ModelRecord&, Bytes)>;
  Candidates(std::vector<ModelRecord>& models, std::vector<FailureRecord>& failures, Taken taken = {})
      : models_(models), failures_(failures), taken_(std::move(taken)) {}

  // Whether the file is worth reading for its name or its first bytes alone.
  static bool likely(const Item& item);

  // Looks at the file as a whole and then, if it is a blob or native code, at what lies inside it outside `covered`.
  void look(const Item& item, Bytes bytes, const std::vector<Range>& covered);

 private:
  bool whole(const Item& item, Bytes bytes, std::uint64_t& end);
  std::size_t carve(const Item& item, Bytes bytes, std::vector<Range> taken);
  void unsettled(const Item& item, Bytes bytes);
  void add(const std::string& path, const ModelProbe& probe, const ProbeResult& result, const char* found_by,
           Bytes bytes);

  std::vector<ModelRecord>& models_;
  std::vector<FailureRecord>& failures_;
  Taken taken_;
  ProbeResult best_failure_;
  const ModelProbe* best_probe_ = nullptr;
};

}  // namespace thimble::gauge
