// TensorFlow Lite's sparse constants: a tree of dense and compressed axes, outermost first, possibly over blocks.
#pragma once

#include <cstddef>
#include <vector>

#include "gauge/model/model.h"
#include "gauge/wire/flatbuffer.h"

namespace thimble::gauge {

// The dense bytes of `tensor`, whose `bytes` are the stored values; absent elements are zero. `stored` becomes the
// number of stored values. bad_file when the tree contradicts itself or the values; unsupported under 8 bits.
std::vector<std::byte> dense_from_sparse(const FlatTable& sparsity, const ModelTensor& tensor, std::uint64_t& stored);

}  // namespace thimble::gauge
