// Reads a TensorFlow Lite model (FlatBuffers, schema version 3) into a Model. Sparse constants are made dense.
#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "gauge/model/model.h"
#include "gauge/model/sparse.h"
#include "gauge/model/tflite_schema.h"
#include "gauge/wire/flatbuffer.h"

namespace thimble::gauge {
namespace {

using graph::Shape;

template <class T>
std::vector<std::int64_t> integers(const FlatVector<T>& v) {
  std::vector<std::int64_t> out;
  for (std::uint32_t i = 0; i < v.size(); ++i) out.push_back(static_cast<std::int64_t>(v[i]));
  return out;
}

class TfliteReader {
 public:
  TfliteReader(Bytes bytes, Model& model) : buffer_(bytes), objects_left_(bytes.size()), model_(model) {}

  void run() {
    const FlatTable root = FlatTable::root(buffer_);
    model_.version = root.scalar<std::uint32_t>(4, 0);
    if (model_.version != 3) {
      fail(ErrorKind::unsupported, "TFLite schema version {}; version 3 is read", model_.version);
    }
    model_.producer = root.string(8);
    codes_ = root.vector<FlatTable>(6);
    buffers_ = root.vector<FlatTable>(12);
    const auto metadata = root.vector<FlatTable>(16);
    for (std::uint32_t i = 0; i < metadata.size(); ++i) {
      count(1);
      model_.metadata.emplace_back(metadata[i].string(4));
    }
    const auto graphs = root.vector<FlatTable>(8);
    if (graphs.empty()) fail(ErrorKind::bad_file, "the model has no graph");
    count(graphs.size());
    model_.graphs.resize(graphs.size());
    for (std::uint32_t i = 0; i < graphs.size(); ++i) read_graph(graphs[i], model_.graphs[i]);
  }

 private:
  // A table may be pointed to many times over; an honest file has fewer objects than bytes.
  void count(std::uint64_t objects) {
    if (objects > objects_left_) fail(ErrorKind::bad_file, "more objects than the file has bytes: they are used twice");
    objects_left_ -= objects;
  }

  void read_graph(const FlatTable& from, ModelGraph& to) {
    to.name = from.string(12);
    const auto tensors = from.vector<FlatTable>(4);
    count(tensors.size());
    for (std::uint32_t i = 0; i < tensors.size(); ++i) to.tensors.push_back(read_tensor(tensors[i]));
    to.outer.assign(to.tensors.size(), -1);
    const auto most = static_cast<std::int32_t>(to.tensors.size());
    to.inputs = indices(from.vector<std::int32_t>(6), 0, most);
    to.outputs = indices(from.vector<std::int32_t>(8), 0, most);
    const auto ops = from.vector<FlatTable>(10);
    count(ops.size());
    for (std::uint32_t i = 0; i < ops.size(); ++i) to.ops.push_back(read_op(ops[i], most));
  }

  std::vector<std::int32_t> indices(const FlatVector<std::int32_t>& v, std::int32_t least, std::int32_t most) {
    count(v.size());
    std::vector<std::int32_t> out;
    for (std::uint32_t i = 0; i < v.size(); ++i) {
      if (v[i] < least || v[i] >= most) fail(ErrorKind::bad_file, "tensor {} of {} is named", v[i], most);
      out.push_back(v[i]);
    }
    return out;
  }

  // Bytes of a buffer; above 2 GiB they stand behind the flatbuffer.
  Bytes data(std::uint32_t index) {
    if (index >= buffers_.size()) fail(ErrorKind::bad_file, "buffer {} of {} is named", index, buffers_.size());
    if (index == 0) return {};  // empty by agreement
    const FlatTable b = buffers_[index];
    const auto offset = b.scalar<std::uint64_t>(6, 0);
    if (offset > 1) return buffer_.range(offset, b.scalar<std::uint64_t>(8, 0));
    return b.vector<std::uint8_t>(4).bytes();
  }

  ModelTensor read_tensor(const FlatTable& t) {
    ModelTensor out;
    out.name = t.string(10);
    out.type = tflite_element(t.scalar<std::uint8_t>(6, 0));
    out.shape = integers(t.vector<std::int32_t>(4));
    out.open_shape = integers(t.vector<std::int32_t>(18));
    count(out.shape.size() + out.open_shape.size());
    if (out.shape.size() > 16) fail(ErrorKind::unsupported, "tensor '{}' has {} axes", out.name, out.shape.size());
    if (std::ranges::any_of(out.shape, [](std::int64_t d) { return d < -1; })) {
      fail(ErrorKind::bad_file, "tensor '{}' has the shape {}", out.name, graph::to_string(out.shape));
    }
    if (out.open_shape.size() != out.shape.size()) out.open_shape.clear();
    if (const auto q = t.table(12)) {
      const auto scales = q->vector<float>(8);
      count(scales.size());
      for (std::uint32_t i = 0; i < scales.size(); ++i) out.quantisation.scales.push_back(scales[i]);
      out.quantisation.zero_points = integers(q->vector<std::int64_t>(10));
      count(out.quantisation.zero_points.size());
      out.quantisation.axis = q->scalar<std::int32_t>(16, 0);
    }
    out.bytes = data(t.scalar<std::uint32_t>(8, 0));
    out.constant = !out.bytes.empty();
    if (const auto sparsity = t.table(16); sparsity && out.constant) {
      std::uint64_t stored = 0;
      model_.storage.push_back(dense_from_sparse(*sparsity, out, stored));
      out.bytes = model_.storage.back();
      out.sparse_elements = stored;
    }
    if (out.constant && out.type.bits != 0) {
      const auto wanted =
          (static_cast<std::uint64_t>(out.elements()) * static_cast<std::uint64_t>(out.type.bits) + 7) / 8;
      if (wanted != out.bytes.size()) {
        fail(ErrorKind::bad_file, "tensor '{}' {} of {} has {} bytes", out.name, graph::to_string(out.shape),
             out.type.name, out.bytes.size());
      }
    }
    return out;
  }

  ModelOp read_op(const FlatTable& t, std::int32_t tensors) {
    ModelOp out;
    const auto index = t.scalar<std::uint32_t>(4, 0);
    if (index >= codes_.size()) fail(ErrorKind::bad_file, "operator code {} of {} is named", index, codes_.size());
    const FlatTable code = codes_[index];
    const std::int32_t number =
        std::max<std::int32_t>(code.scalar<std::int8_t>(4, 0), code.scalar<std::int32_t>(10, 0));
    out.type = tflite_op_name(number);
    if (out.type.empty()) out.type = fmt::format("BUILTIN_{}", number);
    if (number == kTfliteCustom) out.type += ":" + std::string(code.string(6));
    out.inputs = indices(t.vector<std::int32_t>(6), -1, tensors);
    out.outputs = indices(t.vector<std::int32_t>(8), 0, tensors);
    if (t.scalar<std::uint8_t>(10, 0) != 0) {
      if (const auto options = t.table(12)) read_options(*options, out);
    }
    const auto custom = t.vector<std::uint8_t>(14);
    count(custom.size());
    if (!custom.empty()) out.attributes["custom"] = std::string(text_of(custom.bytes()));
    return out;
  }

  void read_options(const FlatTable& t, ModelOp& out) {
    for (const TfliteOption& o : tflite_options(out.type)) {
      Attribute& a = out.attributes[std::string(o.name)];
      switch (o.kind) {
        case TfliteOption::byte: a = std::int64_t{t.scalar<std::int8_t>(o.slot, 0)}; break;
        case TfliteOption::flag: a = std::int64_t{t.scalar<std::uint8_t>(o.slot, 0) != 0}; break;
        case TfliteOption::i32: a = std::int64_t{t.scalar<std::int32_t>(o.slot, o.fallback)}; break;
        case TfliteOption::f32: a = double{t.scalar<float>(o.slot, 0)}; break;
        case TfliteOption::ints: {
          const auto v = t.vector<std::int32_t>(o.slot);
          count(v.size());
          a = integers(v);
        }
      }
    }
  }

  FlatBuffer buffer_;
  std::uint64_t objects_left_;
  Model& model_;
  FlatVector<FlatTable> codes_, buffers_;
};

}  // namespace

Model read_tflite(Bytes bytes, std::shared_ptr<const void> owner) {
  Model model;
  model.format = "tflite";
  model.owner = std::move(owner);
  model.content = bytes;
  TfliteReader(bytes, model).run();
  return model;
}

}  // namespace thimble::gauge
