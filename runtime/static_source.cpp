// Fetching static operands from the weight store.
#include "base/error.h"
#include "kernels/reduce/copy.h"
#include "runtime/plan.h"

namespace thimble::runtime {

using graph::Tensor;

std::string StaticSource::key() const {
  if (whole) return name;
  return fmt::format("{}{}/{}+{}", name, graph::to_string(view.shape), fmt::join(view.strides, ","), view.offset);
}

Tensor StaticSource::fetch(const graph::Weights& weights) const {
  Tensor source;
  if (literal) {
    source = Tensor({literal->dtype, literal->shape});
    const auto n = static_cast<std::size_t>(source.type().elements());
    std::vector<double> values = literal->values;
    if (values.size() == 1) values.assign(n, values[0]);
    convert(DType::f64, values.data(), literal->dtype, source.mutable_data(), n);
  } else {
    source = weights.at(name);
  }
  if (whole) return source;
  Tensor out(graph::TensorType{source.type().dtype, view.shape});
  const std::size_t size = size_of(source.type().dtype);
  kernels::CopyArgs copy{.rank = static_cast<int>(view.shape.size()), .element_size = size};
  const Strides dense = graph::strides_of(view.shape);
  for (std::size_t i = 0; i < view.shape.size(); ++i) {
    copy.shape[i] = view.shape[i];
    copy.src_strides[i] = view.strides[i];
    copy.dst_strides[i] = dense[i];
  }
  copy.src = source.data() + static_cast<std::size_t>(view.offset) * size;
  copy.dst = out.mutable_data();
  ThreadPool alone(1);
  kernels::copy_strided(copy, alone);
  return out;
}

}  // namespace thimble::runtime
