// The one header through which train/ sees LibTorch (1.13 up to 2.x): ATen, autograd, and conversions between Thimble's
// tensors and Torch's. Include it from few files; it is slow to compile. Not for public headers of this folder.
#pragma once

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/grad_mode.h>
#include <torch/csrc/autograd/variable.h>
#include <torch/version.h>

#include <string>
#include <unordered_map>
#include <vector>

#include "base/cancel.h"
#include "graph/executor.h"
#include "graph/graph.h"

namespace thimble::train {

at::ScalarType scalar_type(DType dtype);
DType dtype_of(at::ScalarType type);

// "cpu", "cuda" or "cuda:1". Fails with `unsupported` when this LibTorch cannot use it.
at::Device torch_device(const std::string& name);

// Threads of ATen's CPU kernels; 0: all usable processors.
void set_torch_threads(int threads);

// Tells the C library to keep freed memory: training asks for the same tensors at every step, and getting fresh pages
// from the system costs up to a tenth of it. Holds for the whole process.
void keep_freed_memory();

// Shares the bytes: valid while `view` is.
at::Tensor borrow(const graph::TensorView& view);
// Own copies.
at::Tensor to_torch(const graph::TensorView& view);
graph::Tensor from_torch(const at::Tensor& tensor);

// A graph's parameters (f32) by name.
using Parameters = std::unordered_map<std::string, at::Tensor>;
Parameters load_parameters(const graph::Graph& graph, const graph::Weights& weights, const at::Device& device);

// Evaluates `graph`; with autograd when a parameter or input requires gradients and grad mode is on. `inputs` are in
// the order of graph.inputs and of its shapes; outputs are f32 or integers. Values are dropped after their last use.
// bf16: matrices and activations are bf16, every sum inside norms, softmax and products is f32; a parameter that is
// still f32 is cast on the way, so that gradients reach the f32 master.
std::vector<at::Tensor> run_graph(const graph::Graph& graph, const Parameters& parameters,
                                  const std::vector<at::Tensor>& inputs, graph::Precision precision,
                                  const CancelToken* cancel = nullptr);

}  // namespace thimble::train
