// The LibTorch executor: runs graphs with ATen on the CPU or a GPU. Inference only; training uses the same evaluation
// with gradients (train/torch.h).
#pragma once

#include <memory>
#include <string>

#include "graph/executor.h"

namespace thimble::train {

// device: "cpu", "cuda" or "cuda:1"; `unsupported` when this LibTorch cannot use it. threads 0: all processors.
// The thread count is LibTorch's and holds for the whole process.
std::unique_ptr<graph::Executor> make_torch_executor(const std::string& device = "cpu", int threads = 0);

// What to try for "cuda": whether this LibTorch sees a GPU.
bool torch_has_cuda();

}  // namespace thimble::train
