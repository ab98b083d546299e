// Shapes, tensor types, and tensors that own or borrow their bytes. Row-major and dense, always.
// Images are channels-last: (B, H, W, C); token sequences are (B, T, C).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/dtype.h"

namespace thimble::graph {

using Shape = std::vector<std::int64_t>;

std::int64_t element_count(std::span<const std::int64_t> shape);  // 1 for a scalar; refuses overflow
std::string to_string(const Shape& shape);                        // "[1,64,32]"
std::vector<std::int64_t> strides_of(const Shape& shape);         // row-major, in elements

// NumPy's rule; throws bad_input when the two do not broadcast.
Shape broadcast_shapes(const Shape& a, const Shape& b);

struct TensorType {
  DType dtype = DType::f32;
  Shape shape;
  bool operator==(const TensorType&) const = default;
  std::int64_t elements() const { return element_count(shape); }
  std::size_t bytes() const { return static_cast<std::size_t>(elements()) * size_of(dtype); }
};

std::string to_string(const TensorType& type);  // "f32[1,64,32]"

// A window on someone else's bytes.
struct TensorView {
  TensorType type;
  const std::byte* data = nullptr;

  template <class T>
  std::span<const T> as() const {
    return {reinterpret_cast<const T*>(data), type.bytes() / sizeof(T)};
  }
};

struct MutableTensorView {
  TensorType type;
  std::byte* data = nullptr;
  operator TensorView() const { return {type, data}; }
};

// Bytes plus whatever keeps them alive: an own buffer or a memory map. Copying shares.
class Tensor {
 public:
  Tensor() = default;
  explicit Tensor(TensorType type);                                                   // owned, zeroed
  Tensor(TensorType type, std::shared_ptr<const void> owner, const std::byte* data);  // borrowed, read-only
  static Tensor of(Shape shape, std::span<const float> values);
  static Tensor of(Shape shape, std::span<const std::int32_t> values);
  static Tensor filled(Shape shape, float value);

  const TensorType& type() const { return type_; }
  const Shape& shape() const { return type_.shape; }
  const std::byte* data() const { return data_; }
  bool owned() const { return mutable_data_ != nullptr; }
  const std::shared_ptr<const void>& owner() const { return owner_; }  // identity of the bytes, for caches
  std::byte* mutable_data();  // copies first when the bytes are borrowed or shared

  TensorView view() const { return {type_, data_}; }
  MutableTensorView mutable_view() { return {type_, mutable_data()}; }
  template <class T>
  std::span<const T> as() const {
    return view().as<T>();
  }
  template <class T>
  std::span<T> mutable_as() {
    return {reinterpret_cast<T*>(mutable_data()), type_.bytes() / sizeof(T)};
  }

  Tensor to(DType dtype) const;  // converted copy, or itself
  Tensor reshaped(Shape shape) const;

 private:
  TensorType type_;
  std::shared_ptr<const void> owner_;
  const std::byte* data_ = nullptr;
  std::byte* mutable_data_ = nullptr;
};

}  // namespace thimble::graph
