// A saved run of an original implementation: class, config, sizes, weights in its own layout, inputs, outputs and taps.
// tools/goldens writes the files; activations in them are channels-last already.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "graph/tensor.h"
#include "graph/weights.h"
#include "models/classes.h"

namespace thimble::zoo {

struct Golden {
  std::string file, class_name;
  models::Role role = models::Role::denoiser;
  Json config;
  models::BuildSize size;
  graph::Weights weights;
  std::map<std::string, graph::Tensor> inputs, outputs, taps;  // by the graph's names
};

std::vector<std::filesystem::path> golden_files();
Golden read_golden(const std::filesystem::path& path);

// max |a - b| / max |b| over all elements; infinity when a value is not finite or shapes differ.
double relative_error(const graph::Tensor& got, const graph::Tensor& wanted);

}  // namespace thimble::zoo
