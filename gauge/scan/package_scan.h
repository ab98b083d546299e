// One package from its bytes to a record: entries, findings, models, failures. Reads only; keeps no state between
// packages, so that any number of threads may scan at the same time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/cancel.h"
#include "gauge/detect/evidence.h"
#include "gauge/probe.h"

namespace thimble::gauge {

struct EntryRecord {
  std::string path, kind;
  std::uint64_t size = 0, packed = 0;
};

struct ModelRecord {
  std::string path;              // "assets/a.tflite", "face.data@2495952"
  std::string format, found_by;  // "suffix", "signature", "content" (another format's suffix or none), "carving"
  std::string sha256;            // of its own bytes
  ProbeResult result;            // status ok
};

struct FailureRecord {
  std::string path, stage, reason;  // stage: "package", "container", "manifest", "dex", "elf", "model"
  FailureKind kind = FailureKind::malformed;
};

struct PackageRecord {
  std::string path, name, sha256, kind;  // kind: "apk", "aab", "aar", "apks", "ipa", "zip", "tar", "gzip", "file"
  std::uint64_t size = 0;
  bool has_manifest = false;
  std::string manifest_path;
  Manifest manifest;  // of the app itself, not of apps inside its assets
  std::vector<std::string> machines;
  std::vector<EntryRecord> entries;
  std::vector<Finding> findings;
  std::vector<ModelRecord> models;
  std::vector<FailureRecord> failures;
  std::uint64_t unpacked = 0;  // bytes
  double seconds = 0;
};

// `path` is what the record says of where it came from; `siblings` serve a package that is one model file.
PackageRecord scan_bytes(Bytes bytes, const std::string& path, const Limits& limits, const Siblings* siblings,
                         const CancelToken& cancel);

// The same for a file on disk, timed. `hash`: its SHA-256, or empty when nobody knows it yet. A file that cannot be
// read becomes a record with one failure.
PackageRecord scan_file(const std::string& path, std::string hash, const Limits& limits, const CancelToken& cancel);

}  // namespace thimble::gauge
