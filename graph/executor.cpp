#include "graph/executor.h"

#include "base/error.h"

namespace thimble::graph {
namespace {

bool fits(const TensorType& wanted, const TensorType& came) {
  if (wanted.shape != came.shape) return false;
  if (is_float(wanted.dtype)) return came.dtype == DType::f32 || came.dtype == DType::bf16;
  return wanted.dtype == came.dtype;
}

}  // namespace

std::string_view to_string(Precision precision) { return precision == Precision::f32 ? "f32" : "bf16"; }

Program::Program(const Graph& graph) {
  for (ValueId id : graph.inputs) {
    input_types_.push_back(graph.type(id));
    input_names_.push_back(graph.value(id).name);
  }
  for (const NamedValue& o : graph.outputs) output_types_.push_back(graph.type(o.value));
}

void Program::check_arguments(std::span<const TensorView> inputs, std::span<const MutableTensorView> outputs) const {
  if (inputs.size() != input_types_.size() || outputs.size() != output_types_.size()) {
    fail(ErrorKind::bad_input, "{} inputs and {} outputs were wanted, {} and {} came", input_types_.size(),
         output_types_.size(), inputs.size(), outputs.size());
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!fits(input_types_[i], inputs[i].type)) {
      fail(ErrorKind::bad_input, "input '{}' must be {}, {} came", input_names_[i], to_string(input_types_[i]),
           to_string(inputs[i].type));
    }
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (!fits(output_types_[i], outputs[i].type)) {
      fail(ErrorKind::bad_input, "output {} must be {}, {} came", i, to_string(output_types_[i]),
           to_string(outputs[i].type));
    }
  }
}

std::vector<Tensor> Program::operator()(const std::vector<Tensor>& inputs) {
  std::vector<TensorView> in;
  for (const Tensor& t : inputs) in.push_back(t.view());
  std::vector<Tensor> results;
  std::vector<MutableTensorView> out;
  for (const TensorType& t : output_types_)
    results.emplace_back(TensorType{is_float(t.dtype) ? DType::f32 : t.dtype, t.shape});
  for (Tensor& t : results) out.push_back(t.mutable_view());
  run(in, out);
  return results;
}

}  // namespace thimble::graph
