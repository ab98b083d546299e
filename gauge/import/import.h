// Foreign models as graphs of Thimble: (Graph, Weights) that every executor runs. Knows TFLite and ONNX, and by way of
// these (lower.h) Caffe, ncnn, MNN, TensorFlow and TF.js.
//
//   Import in = import_model(open_model("pose.tflite"), {});
//   if (in.stopped) ... else executor.compile(in.graph, in.weights, {});
//
// What it does to a model, each time said in `notes`:
//  - open sizes are bound (ImportOptions::shapes, else: first axis 1; of four axes the third and fourth 320 (of
//    pictures with their colours last the second and third), the second 1; of three axes 1; of two axes the second
//    512);
//  - inputs named in ImportOptions::values become constants, and what depends on them is computed at once;
//  - 64-bit integers become 32-bit ones, other floats f32;
//  - quantised tensors hold the real numbers they stand for, in f32: weights carry the rounding of the file,
//  activations
//    are not rounded again, so results differ from integer arithmetic by about a step of the output's scale;
//  - both branches of an If that depends on data are computed, and one is chosen.
// Pictures of channels-first models keep that order at inputs and outputs and are channels-last between.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gauge/model/model.h"
#include "graph/graph.h"
#include "graph/weights.h"

namespace thimble::gauge {

struct ImportOptions {
  std::map<std::string, graph::Shape> shapes{};  // by input name
  std::map<std::string, double> values{};        // by input name; fills the whole input
  std::optional<std::int64_t> batch{};           // of the first axis, where the file leaves it open
  // Behind an operator that cannot be taken goes on with what does not depend on it, for the layers' shapes alone.
  bool keep_going = false;
};

// One operator as it was met, with the shapes that it was met with; those of subgraphs included.
struct ImportedLayer {
  std::int32_t graph = 0, op = 0;                   // in the Model, of a lowered one too
  std::vector<std::optional<graph::Shape>> inputs;  // none where left out
  std::vector<graph::Shape> outputs;
  bool folded = false;  // known before the run: shape arithmetic, dequantised weights
};

struct Import {
  graph::Graph graph;
  graph::Weights weights;
  std::vector<ImportedLayer> layers;  // up to where it stopped; unless it kept going
  std::vector<std::string> notes;
  // Why there is no graph: the first operator that could not be taken, and all kinds that are not known with how often
  // they occur.
  std::optional<std::string> stopped;
  std::map<std::string, int> unknown;
};

// Kinds that are not known, counted over all graphs.
std::map<std::string, int> unknown_operators(const Model& model);

// Bad models throw bad_file; what is understood and not served is `stopped`.
Import import_model(const Model& model, const ImportOptions& options);

}  // namespace thimble::gauge
