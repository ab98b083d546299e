// What goes into a model and comes out of it, once as the model's own file types it (bytes for foreign runtimes) and
// once as Thimble computes it (f32, i32, bool), so that all runtimes get the same numbers and their results can be
// compared.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "gauge/import/import.h"

namespace thimble::gauge {

// In the model's type; `shape` has no open sizes.
struct BenchPort {
  std::string name;
  ElementType type;
  graph::Shape shape;
  Quantisation quantisation;  // of the stored numbers
  std::vector<std::byte> bytes;
};

// The model's inputs that are not constants: in [-1, 1), integers 0 or 1, from a fixed seed; `options.values` where
// named there. On the grid of their quantisation when they are quantised. Sizes as the import bound them, else as the
// file has them; bad_input naming an input whose size nobody knows.
std::vector<BenchPort> draw_inputs(const Model& model, const ImportOptions& options, const Import* import);

std::vector<std::string> output_names(const Model& model);

graph::Tensor to_tensor(const BenchPort& port);  // f32, i32 or bool: the real numbers of quantised ports
BenchPort output_port(const ModelTensor& tensor, graph::Shape shape, std::vector<std::byte> bytes);

// How far two results are apart.
struct Difference {
  double relative = 0;  // largest |a - b| over the largest |b| of its output, or 1e-3 if that is more; infinite for NaN
                        // against a number
  double apart_share = 0;  // of the numbers of an output, those more than `tolerance` apart; the worst output
  std::string output;      // where `relative` was found
};
Difference difference(const std::vector<graph::Tensor>& a, const std::vector<graph::Tensor>& b, double tolerance);

}  // namespace thimble::gauge
