// Keras models in JSON: a list of layers and how they follow one another, as TF.js and Keras itself write it.
#pragma once

#include <map>
#include <string>

#include "base/json.h"
#include "gauge/model/readers.h"

namespace thimble::gauge {

// Fills graph 0: one operator a layer, named by its class, with its settings as attributes and the weights called
// "<layer>/…" behind its inputs, kernel first. bad_file.
void read_keras(const Json& topology, const std::map<std::string, ModelTensor, std::less<>>& weights, Model& model);

}  // namespace thimble::gauge
