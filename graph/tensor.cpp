#include "graph/tensor.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/memory.h"

namespace thimble::graph {

std::int64_t element_count(std::span<const std::int64_t> shape) {
  std::int64_t n = 1;
  for (std::int64_t d : shape) {
    if (d < 0) fail(ErrorKind::bad_input, "a shape has the negative size {}", d);
    if (__builtin_mul_overflow(n, d, &n)) fail(ErrorKind::bad_input, "a shape has more elements than 64 bits count");
  }
  return n;
}

std::string to_string(const Shape& shape) { return fmt::format("[{}]", fmt::join(shape, ",")); }

std::string to_string(const TensorType& type) {
  return fmt::format("{}{}", thimble::to_string(type.dtype), to_string(type.shape));
}

std::vector<std::int64_t> strides_of(const Shape& shape) {
  std::vector<std::int64_t> strides(shape.size(), 1);
  for (std::size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  return strides;
}

Shape broadcast_shapes(const Shape& a, const Shape& b) {
  const std::size_t rank = std::max(a.size(), b.size());
  Shape out(rank);
  for (std::size_t i = 0; i < rank; ++i) {
    const std::int64_t x = i < rank - a.size() ? 1 : a[i - (rank - a.size())];
    const std::int64_t y = i < rank - b.size() ? 1 : b[i - (rank - b.size())];
    if (x != y && x != 1 && y != 1) {
      fail(ErrorKind::bad_input, "shapes {} and {} do not broadcast", to_string(a), to_string(b));
    }
    out[i] = x == 1 ? y : x;
  }
  return out;
}

Tensor::Tensor(TensorType type) : type_(std::move(type)) {
  auto buffer = std::make_shared<Buffer>(std::max<std::size_t>(type_.bytes(), 1));
  mutable_data_ = buffer->data();
  data_ = mutable_data_;
  owner_ = std::move(buffer);
}

Tensor::Tensor(TensorType type, std::shared_ptr<const void> owner, const std::byte* data)
    : type_(std::move(type)), owner_(std::move(owner)), data_(data) {}

Tensor Tensor::of(Shape shape, std::span<const float> values) {
  Tensor t(TensorType{DType::f32, std::move(shape)});
  check(t.type_.bytes() == values.size_bytes(), "Tensor::of: the values do not fill the shape");
  if (!values.empty()) std::memcpy(t.mutable_data_, values.data(), values.size_bytes());
  return t;
}

Tensor Tensor::of(Shape shape, std::span<const std::int32_t> values) {
  Tensor t(TensorType{DType::i32, std::move(shape)});
  check(t.type_.bytes() == values.size_bytes(), "Tensor::of: the values do not fill the shape");
  if (!values.empty()) std::memcpy(t.mutable_data_, values.data(), values.size_bytes());
  return t;
}

Tensor Tensor::filled(Shape shape, float value) {
  Tensor t(TensorType{DType::f32, std::move(shape)});
  std::ranges::fill(t.mutable_as<float>(), value);
  return t;
}

std::byte* Tensor::mutable_data() {
  if (mutable_data_ == nullptr || owner_.use_count() > 1) {
    Tensor copy(type_);
    if (type_.bytes() != 0) std::memcpy(copy.mutable_data_, data_, type_.bytes());
    *this = std::move(copy);
  }
  return mutable_data_;
}

Tensor Tensor::to(DType dtype) const {
  if (dtype == type_.dtype) return *this;
  Tensor out(TensorType{dtype, type_.shape});
  convert(type_.dtype, data_, dtype, out.mutable_data_, static_cast<std::size_t>(type_.elements()));
  return out;
}

Tensor Tensor::reshaped(Shape shape) const {
  check(element_count(shape) == type_.elements(), "Tensor::reshaped: element counts differ");
  Tensor out = *this;
  out.type_.shape = std::move(shape);
  return out;
}

}  // namespace thimble::graph
