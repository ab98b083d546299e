// Core ML's ML programs (MIL): functions of typed operations whose weights lie in a file beside the model.
#pragma once

#include "gauge/model/readers.h"

namespace thimble::gauge {

// Adds the operations of the program's main function to graph 0, those of nested blocks behind their own.
void read_coreml_program(Bytes bytes, Model& model, const ModelSource& source, Budget& budget, GraphBuilder& builder);

}  // namespace thimble::gauge
