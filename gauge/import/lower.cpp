#include "gauge/import/lower.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "gauge/model/readers.h"

namespace thimble::gauge {

Lowering::Lowering(const Model& native, std::string_view dialect) : native_(native) {
  Model& m = result_.model;
  m.format = dialect;
  m.opsets[""] = 13;
  m.owner = native.owner;
  m.content = native.content;
  const ModelGraph& from = native.graphs.at(0);
  ModelGraph& g = m.graphs.emplace_back();
  g.name = from.name;
  g.tensors = from.tensors;
  g.outer.assign(g.tensors.size(), -1);
  g.inputs = from.inputs;
  g.outputs = from.outputs;
}

std::int32_t Lowering::resolved(std::int32_t t) const {
  for (auto it = alias_.find(t); it != alias_.end(); it = alias_.find(t)) t = it->second;
  return t;
}

std::int32_t Lowering::in(std::size_t i) const { return has(i) ? resolved(op_->inputs[i]) : -1; }

std::int32_t Lowering::out(std::size_t i) const {
  if (i >= op_->outputs.size()) fail(ErrorKind::bad_file, "{} '{}' has no result {}", op_->type, op_->name, i);
  return op_->outputs[i];
}

Lowering::Inputs Lowering::all(std::size_t from, std::size_t count) const {
  Inputs out;
  for (std::size_t i = from; i < from + count; ++i) out.push_back(in(i));
  return out;
}

const ModelTensor& Lowering::tensor(std::int32_t i) const {
  static const ModelTensor none;
  return i < 0 ? none : result_.model.graphs[0].tensors[static_cast<std::size_t>(i)];
}

std::optional<std::vector<std::int64_t>> Lowering::known(std::int32_t i) const {
  const ModelTensor& t = tensor(i);
  const bool narrow = t.type.name == "i32", wide = t.type.name == "i64";
  if (!t.constant || (!narrow && !wide)) return std::nullopt;
  std::vector<std::int64_t> out;
  const auto n = static_cast<std::size_t>(t.elements());
  for (std::size_t k = 0; k < n; ++k) {
    out.push_back(narrow ? std::int64_t{load<std::int32_t>(t.bytes, 4 * k)} : load<std::int64_t>(t.bytes, 8 * k));
  }
  return out;
}

void Lowering::emit(std::string type, Inputs inputs, Inputs outputs, Attributes attributes) {
  ModelOp& op = graph().ops.emplace_back();
  op.type = std::move(type);
  op.name = op_->name;
  op.inputs = std::move(inputs);
  op.outputs = std::move(outputs);
  op.attributes = std::move(attributes);
  result_.origin.push_back(number_);
}

std::int32_t Lowering::make(std::string type, Inputs inputs, Attributes attributes) {
  const std::int32_t t = temporary();
  emit(std::move(type), std::move(inputs), {t}, std::move(attributes));
  return t;
}

void Lowering::alias(std::int32_t result, std::int32_t same_as) {
  if (same_as < 0 || resolved(same_as) == result)
    fail(ErrorKind::bad_file, "{} '{}' reads nothing", op_->type, op_->name);
  alias_[result] = resolved(same_as);
}

std::int32_t Lowering::temporary() {
  ModelTensor t;
  t.has_shape = false;
  graph().tensors.push_back(std::move(t));
  graph().outer.push_back(-1);
  return static_cast<std::int32_t>(graph().tensors.size()) - 1;
}

std::int32_t Lowering::integers(const std::vector<std::int64_t>& values) {
  auto& bytes = result_.model.storage.emplace_back(values.size() * sizeof(std::int64_t));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  graph().tensors.push_back(
      constant_tensor("", element_type("i64"), {static_cast<std::int64_t>(values.size())}, bytes));
  graph().outer.push_back(-1);
  return static_cast<std::int32_t>(graph().tensors.size()) - 1;
}

std::int32_t Lowering::number(double value) {
  graph().tensors.push_back(stored_tensor(result_.model, "", {}, {static_cast<float>(value)}));
  graph().outer.push_back(-1);
  return static_cast<std::int32_t>(graph().tensors.size()) - 1;
}

std::int32_t Lowering::reshaped(std::int32_t t, const std::vector<std::int64_t>& shape) {
  return make(result_.model.format == "onnx" ? "Reshape" : "RESHAPE", {t, integers(shape)});
}

std::int32_t Lowering::real(std::int32_t i) {
  const ModelTensor t = tensor(i);
  if (i < 0 || !t.constant || t.quantisation.empty() ||
      (t.type.name != "u8" && t.type.name != "u16" && t.type.name != "i32"))
    return i;
  std::vector<float> values;
  const auto n = static_cast<std::size_t>(t.elements());
  const double scale = t.quantisation.scales[0];
  for (std::size_t k = 0; k < n; ++k) {
    const std::int64_t stored = t.type.bits == 16  ? load<std::uint16_t>(t.bytes, 2 * k)
                                : t.type.bits == 8 ? load<std::uint8_t>(t.bytes, k)
                                                   : load<std::int32_t>(t.bytes, 4 * k);
    const double v = static_cast<double>(stored) * scale + t.quantisation.offset;
    values.push_back(static_cast<float>(t.quantisation.integer ? std::round(v) : v));
  }
  ModelTensor out = stored_tensor(result_.model, t.name, t.shape, values);
  if (t.quantisation.integer) {  // whole numbers, in the same four bytes each
    auto& bytes = result_.model.storage.back();
    for (std::size_t k = 0; k < n; ++k) {
      const auto whole = static_cast<std::int32_t>(values[k]);
      std::memcpy(bytes.data() + 4 * k, &whole, 4);
    }
    out.type = element_type("i32");
  }
  graph().tensors[static_cast<std::size_t>(i)] = std::move(out);
  return i;
}

void Lowering::begin(std::size_t op) {
  op_ = &native_.graphs[0].ops[op];
  number_ = static_cast<std::int32_t>(op);
}

void Lowering::unknown() {
  ++result_.unknown[op_->type];
  Inputs inputs;
  for (std::size_t i = 0; i < count(); ++i) inputs.push_back(in(i));
  emit(native_.format + ":" + op_->type, std::move(inputs), op_->outputs);
}

Lowered Lowering::finish() {
  for (std::int32_t& o : graph().outputs) {
    const std::int32_t t = resolved(o);
    // An output keeps its name when it is another tensor that was meant.
    if (t != o && tensor(t).name.empty()) graph().tensors[static_cast<std::size_t>(t)].name = tensor(o).name;
    o = t;
  }
  return std::move(result_);
}

bool lowers(std::string_view format) {
  return format == "caffe" || format == "ncnn-param" || format == "mnn" || format == "tensorflow" ||
         format == "savedmodel" || format == "tfjs";
}

Lowered lower(const Model& native) {
  const std::string& f = native.format;
  if (f == "caffe") return Lowering(native, "onnx").run(lower_caffe);
  if (f == "ncnn-param") {
    Lowering l(native, "onnx");
    for (const std::int32_t i : l.graph().inputs) {  // pictures (C, H, W) without their batch of one
      ModelTensor& t = l.graph().tensors[static_cast<std::size_t>(i)];
      if (t.has_shape && t.shape.size() == 3) t.shape.insert(t.shape.begin(), 1);
      if (t.has_shape) continue;
      t.has_shape = true;
      t.shape = {1, -1, -1, -1};
      for (const ModelOp& op : native.graphs[0].ops) {  // the first convolution of it, or of a copy, tells its channels
        if (op.type != "Convolution" || op.inputs.size() < 2 || op.inputs[1] < 0) continue;
        const ModelTensor& w = native.graphs[0].tensors[static_cast<std::size_t>(op.inputs[1])];
        if (w.shape.size() == 4) t.shape[1] = w.shape[1];
        break;
      }
    }
    return l.run(lower_ncnn);
  }
  if (f == "mnn") return Lowering(native, "onnx").run(lower_mnn);
  const bool keras =
      f == "tfjs" && std::ranges::any_of(native.graphs.at(0).ops, [](const ModelOp& op) { return op.has("bottoms"); });
  return keras ? Lowering(native, "tflite").run(lower_keras) : Lowering(native, "tflite").run(lower_tensorflow);
}

std::vector<std::int64_t> numbers_in(const ModelOp& op, std::string_view key) {
  const auto it = op.attributes.find(key);
  if (it == op.attributes.end()) return {};
  if (const auto* one = std::get_if<std::int64_t>(&it->second)) return {*one};
  if (const auto* list = std::get_if<std::vector<std::int64_t>>(&it->second)) return *list;
  return {};
}

}  // namespace thimble::gauge
