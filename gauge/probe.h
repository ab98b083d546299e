// A probe knows one model format: its names, its signature, and a full structural check within bounds. Probes look and
// do not keep: what a model computes is read by the analysis. To add a format: one file in gauge/probes/ that defines a
// ModelProbe, and one row in gauge/probes/table.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "gauge/bytes.h"
#include "gauge/container/walk.h"
#include "gauge/failure.h"

namespace thimble::gauge {

enum class ModelStatus { ok, encrypted, compressed, truncated, unsupported_version, malformed, not_a_model };

std::string_view to_string(ModelStatus status);
FailureKind failure_of(ModelStatus status);  // not for `ok`

struct ProbeResult {
  ModelStatus status = ModelStatus::not_a_model;
  std::string reason{};      // why not ok; for ok a remark, often empty
  std::uint64_t bytes = 0;   // ok: from the first byte to the last that the model's structure reaches
  std::int64_t version = 0;  // of the format, 0 where it has none
  std::uint64_t graphs = 0;  // graphs and subgraphs
  std::uint64_t operators = 0, tensors = 0;
  std::uint64_t parameters = 0;  // elements of constant tensors, small shape constants among them
};

struct ProbeInput {
  std::string_view path;  // inside the package; tells suffix and file name
  Bytes bytes;            // from the model's first byte; in a carved model anything may follow
  bool carved = false;
  const Siblings* siblings = nullptr;  // null when there are none
};

struct ModelProbe {
  std::string_view format;  // "tflite"
  // Suffixes that this format calls its own, and those it shares with much else, spaces between: ".tflite .tfl".
  std::string_view own_suffixes, shared_suffixes;
  // The first bytes (kHeadBytes or fewer) may begin such a model. Cheap; wrong now and then on the generous side.
  bool (*signature)(Bytes head);
  // Never throws on bad bytes of any kind: that is a result.
  ProbeResult (*validate)(const ProbeInput& input);
  // Carving: bytes that stand at `carve_at` of every such model. Empty: not searched for in blobs.
  std::string_view carve_magic = {};
  std::size_t carve_at = 0;
};

std::span<const ModelProbe* const> model_probes();

// Runs f(input) and turns what it throws into a result: Truncated to `truncated`, `unsupported` to
// `unsupported_version`, other Errors to `malformed`.
template <class F>
ProbeResult checked(const F& f, const ProbeInput& input) {
  try {
    return f(input);
  } catch (const Truncated& e) {
    return {.status = ModelStatus::truncated, .reason = e.message()};
  } catch (const Error& e) {
    return {.status = e.kind() == ErrorKind::unsupported ? ModelStatus::unsupported_version : ModelStatus::malformed,
            .reason = e.message()};
  }
}

}  // namespace thimble::gauge
