// TensorFlow's checkpoints: an index (a sorted table of blocks, as LevelDB's) that says where each tensor's bytes lie
// in the shards beside it.
#pragma once

#include <map>
#include <string>

#include "gauge/model/model.h"

namespace thimble::gauge {

struct BundleEntry {
  std::uint64_t type = 0;  // TensorFlow's number of the element type
  graph::Shape shape;
  std::int64_t shard = 0;
  std::uint64_t offset = 0, size = 0;
};

struct Bundle {
  std::int64_t shards = 1;
  std::map<std::string, BundleEntry> entries;
};

// bad_file for a broken table; `unsupported` for compressed blocks and big-endian checkpoints.
Bundle read_bundle_index(Bytes bytes);

// From names of variables to keys of a checkpoint's entries, by the graph of objects (TrackableObjectGraph).
std::map<std::string, std::string> variable_keys(Bytes object_graph);

}  // namespace thimble::gauge
