// Post-training quantisation of linear layers and convolutions to int8 or int4 weights, with activations of 16 bits or
// rounded to int8, row by row or, for convolutions of more than one pixel, picture by picture. Three steps, so that a
// file can hold the result of the first two:
//   choose_layers()   which layers become what, and why others stay
//   quantize()        rewrites the graph: `linear` and `conv2d` of one pixel become `quant_linear`, `conv2d` of more
//                     `quant_conv2d`, "w" an integer parameter beside "w.scale"
//   derive_weights()  recipes for those parameters from the floats of the original
// Preserves: a new model within the error of rounding; it need not be trained, but is judged (api/quantize.h).
//
// Which layers stay in floats, as a rule of the graph alone:
//   - what is no linear layer: norms, embeddings, products by plain matrices, convolutions in groups, strided ones of
//   one pixel
//   - convolutions of more than one pixel when activations of 16 bits are asked for
//   - the first layer behind an input of the graph and the last before an output: nothing can mend their errors. An
//     input that three layers or more read holds the states of another network, and counts as inside
//   - layers of fewer than 32 inputs or 16 outputs, or whose weight is no parameter of their own
// Layers that see one row per picture (times, pooled text, modulation) keep at least 8 bits: they move all tokens. So
// do convolutions of more than one pixel, with one scale an output.
// Inputs that come out of an activation that is positive but for a small tail are rounded asymmetrically.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "graph/graph.h"
#include "graph/weights.h"

namespace thimble::passes {

struct QuantizeOptions {
  int bits = 8;            // of weights: 8 or 4
  int activations = 8;     // 8 or 16
  std::int64_t group = 0;  // inputs that share a scale: 0 (all), 32, 64 or 128
};

// bad_input naming the option.
void check_options(const QuantizeOptions& options);

// One layer as a file tells it.
struct QuantizedLayer {
  std::string weight;  // the parameter's name
  graph::QuantLinear format;
  bool operator==(const QuantizedLayer&) const = default;
};

struct LayerChoice {
  std::string weight;
  int node = -1;
  std::optional<graph::QuantLinear> format;  // none: it stays
  std::string reason;                        // why it stays, or keeps more bits than were asked for; else empty
};

// Every linear layer, convolution and product by a parameter, in the graph's order.
std::vector<LayerChoice> choose_layers(const graph::Graph& graph, const QuantizeOptions& options);
std::vector<QuantizedLayer> chosen(std::span<const LayerChoice> choices);

// What takes the place of a layer: the op, the type of the integers, the shape of the scales. bad_input for a format
// that the layer cannot have.
struct QuantizedForm {
  graph::Op op;
  graph::TensorType numbers;
  graph::Shape scale;
};
QuantizedForm quantized_form(const graph::Graph& graph, const graph::Node& node, const graph::QuantLinear& format);

// Layers whose weight the graph does not have are passed over: a part of several graphs has one list. Errors: bad_input
// when a named weight is not one of a layer that can be quantised so.
graph::Graph quantize(const graph::Graph& graph, std::span<const QuantizedLayer> layers);

// The options of the pass "quantize" in a model file: {"layers": [{"weight", "bits", "group", "activations",
// "asymmetric"}]}. Reading fails with bad_file.
Json to_json(std::span<const QuantizedLayer> layers);
std::vector<QuantizedLayer> layers_from_json(const Json& options, const std::string& what);

// By weight: how much an error at each of its inputs counts, as the mean square of that input over calibration runs.
using Importance = std::map<std::string, std::shared_ptr<const std::vector<float>>, std::less<>>;

// How scales are found: absmax, or the one of a few clipped ranges with the least sum of importance times squared
// error.
struct ScaleSearch {
  bool search = false;
  Importance importance;  // weights that it lacks count all inputs alike
};

// Gives `to` the recipes of the layers' parameters from the same names of `from`, f32 tensors (O, I) or (O, I, kh, kw);
// all other tensors are shared. Evaluated lazily, tensor by tensor.
graph::Weights derive_weights(const graph::Weights& from, std::span<const QuantizedLayer> layers,
                              const ScaleSearch& search = {});

// The floats that a quantised weight stands for, (O, I) or (O, I, kh, kw).
graph::Tensor dequantized(const graph::Weights& quantized, const QuantizedLayer& layer);

// Multiplies a random share of each layer's inputs by `factor`: what makes rounding hard. Changes the model.
graph::Weights with_outliers(const graph::Weights& from, std::span<const QuantizedLayer> layers, double share,
                             double factor, std::uint64_t seed);

}  // namespace thimble::passes
