// What a model consists of and what it costs, from its file alone: no run, no device. Formats that are read whole
// (gauge/model) get everything; of the others the probe's counts remain.
// Not here: how long anything takes.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "gauge/import/import.h"
#include "gauge/model/model.h"

namespace thimble::gauge {

// Operations of one layer, apart by kind. FLOPs = 2 macs + comparisons + additions + divisions + exponentials.
struct Operations {
  double macs = 0;         // multiply-adds
  double comparisons = 0;  // relu, max pooling, clipping
  double additions = 0;    // element-wise sums and products, average pooling
  double divisions = 0;
  double exponentials = 0;  // exp, log, roots, powers, tanh
  double flops() const { return 2 * macs + comparisons + additions + divisions + exponentials; }
  Operations& operator+=(const Operations& o);
};

struct LayerReport {
  std::int32_t graph = 0, op = 0;
  std::string type, name;
  std::vector<graph::Shape> outputs;
  Operations operations;
  std::int64_t parameters = 0;  // elements of the constants it reads
  bool counted = true;          // false: no rule for this kind, or a shape that only a run can tell
};

struct TypeShare {
  std::int64_t tensors = 0, elements = 0;
  std::uint64_t bytes = 0;
};

struct Guess {
  std::string what = "unknown";
  double confidence = 0;              // 0 to 1: of a rule, not of a probability
  std::vector<std::string> evidence;  // each fact that spoke for it
};

// One constant of at least 64 bytes.
struct TensorPrint {
  std::string hash;  // SHA-256 of type, shape and bytes, 32 digits
  std::string name, type;
  graph::Shape shape;
  std::uint64_t bytes = 0;
  std::int32_t layer = -1;  // first operator of the main graph that reads it
};

struct Port {
  std::string name, type;
  graph::Shape shape;  // -1: open
};

struct Analysis {
  std::string path, format, producer;
  std::int64_t version = 0;
  std::map<std::string, std::int64_t> opsets;
  std::uint64_t bytes = 0;  // of all its files
  std::string sha256;       // of the file; of several, of their hashes one after another
  std::string canonical;    // of graph and weights alone: names, metadata and the order of buffers do not count
  std::vector<std::string> metadata;
  std::map<std::string, int> operators, unknown;
  std::size_t graphs = 0;
  std::vector<LayerReport> layers;
  Operations total;             // of the main graph
  Operations subgraphs;         // of the others, each counted once
  std::int64_t uncounted = 0;   // layers without a count
  std::int64_t parameters = 0;  // elements of all constants, shape constants among them
  std::map<std::string, TypeShare> weights, activations;
  std::vector<Port> inputs, outputs;
  Guess modality, task;
  std::string quantisation;  // "none", "f16 weights", "int8 weights", "int8", "dynamic int8" …
  std::vector<std::string> quantisation_evidence;
  std::int64_t near_zero = 0, weight_elements = 0;                          // |w| < 1e-9, of floating weights
  std::int64_t sparse_tensors = 0, sparse_stored = 0, sparse_elements = 0;  // of tensors in a sparse format
  std::int64_t clustered_tensors = 0,
               clustered_candidates = 0;  // at most 256 values; among float weights of 4096 or more
  std::vector<TensorPrint> tensors;
  bool imported = false;
  std::string import_note;  // why not
  std::vector<std::string> notes;
};

// Reads, imports for shapes, counts. bad_file and unsupported are thrown when the file cannot be read at all.
Analysis analyze(const Model& model, const std::string& path, Bytes file, const ImportOptions& options);

// ---- parts, apart for tests ----

// By the rules of gauge.md A4.4; `inputs` as the operator's, none where left out or unknown.
std::optional<Operations> operations_of(const ModelOp& op, const std::vector<std::optional<graph::Shape>>& inputs,
                                        const std::vector<graph::Shape>& outputs);
std::string canonical_hash(const Model& model);
std::vector<TensorPrint> fingerprints(const Model& model);
void guess(Analysis& analysis, const Model& model);
void describe_weights(Analysis& analysis, const Model& model);

// Two models' common constants: a multiset intersection.
struct Sharing {
  std::size_t a = 0, b = 0;  // indices in the list
  std::int64_t tensors = 0, of_a = 0, of_b = 0;
  std::uint64_t bytes = 0, bytes_a = 0, bytes_b = 0;
  std::int64_t layers_apart = 0;  // operators of `a` with weights that are not in `b`
  bool same_operators = false;
  double share() const;         // of the smaller model's bytes
  std::string verdict() const;  // "same file", "same network", "fine-tuned", "shares layers", "same architecture", ""
  bool same_file = false, same_network = false;
};

// Pairs that share something, or have the same list of operators.
std::vector<Sharing> sharing(const std::vector<Analysis>& models);

}  // namespace thimble::gauge
