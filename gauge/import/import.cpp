// Walks the operators of a model in order and calls the handler of each. Control flow calls back into the walk.
#include "gauge/import/import.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "gauge/import/context.h"
#include "gauge/import/lower.h"

namespace thimble::gauge {

using namespace graph;

namespace {

constexpr int kMostDepth = 16;

std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

const HandlerTable& handlers(const Model& model) {
  return model.format == "tflite" ? tflite_handlers() : onnx_handlers();
}

// Real values of a quantised constant: scale (stored - zero point), per tensor or along one axis.
Tensor dequantised(const Tensor& stored, const Quantisation& q) {
  Tensor out(TensorType{DType::f32, stored.shape()});
  const std::int64_t n = stored.type().elements();
  std::int64_t inner = 1, channels = 1;
  if (q.scales.size() > 1) {
    if (q.axis < 0 || q.axis >= static_cast<std::int64_t>(stored.shape().size()) ||
        stored.shape()[index(q.axis)] != static_cast<std::int64_t>(q.scales.size())) {
      fail(ErrorKind::bad_file, "{} scales along axis {} of {}", q.scales.size(), q.axis, to_string(stored.shape()));
    }
    channels = static_cast<std::int64_t>(q.scales.size());
    for (std::size_t a = index(q.axis) + 1; a < stored.shape().size(); ++a) inner *= stored.shape()[a];
  }
  const auto to = out.mutable_as<float>();
  const auto value = [&](std::int64_t i) -> std::int64_t {
    switch (stored.type().dtype) {
      case DType::i8: return stored.as<std::int8_t>()[index(i)];
      case DType::u8: return stored.as<std::uint8_t>()[index(i)];
      case DType::i32: return stored.as<std::int32_t>()[index(i)];
      case DType::i64: return stored.as<std::int64_t>()[index(i)];
      default: fail(ErrorKind::unsupported, "quantised {}", to_string(stored.type()));
    }
  };
  for (std::int64_t i = 0; i < n; ++i) {
    const std::size_t c = index(channels > 1 ? i / inner % channels : 0);
    const std::int64_t zero = q.zero_points.empty() ? 0 : q.zero_points[std::min(c, q.zero_points.size() - 1)];
    to[index(i)] = static_cast<float>(double{q.scales[c]} * static_cast<double>(value(i) - zero));
  }
  return out;
}

// Nibbles of i4, low one first, as i8.
Tensor unpacked_nibbles(const ModelTensor& t) {
  Tensor out(TensorType{DType::i8, t.shape});
  const auto to = out.mutable_as<std::int8_t>();
  for (std::size_t i = 0; i < to.size(); ++i) {
    const auto byte = std::to_integer<unsigned>(t.bytes[i / 2]);
    const auto nibble = static_cast<int>(i % 2 == 0 ? byte & 15u : byte >> 4);
    to[i] = static_cast<std::int8_t>(nibble > 7 ? nibble - 16 : nibble);
  }
  return out;
}

bool is_quantised(const ModelTensor& t) {
  return !t.quantisation.empty() && t.type.dtype.has_value() && !is_float(*t.type.dtype);
}

class Importer {
 public:
  Importer(const Model& model, const ImportOptions& options)
      : model_(model),
        options_(options),
        emitter_(model.graphs.at(0).name.empty() ? model.format : model.graphs[0].name) {
    branch_ = [this](std::int64_t graph, const std::vector<Value>& arguments) { return run_branch(graph, arguments); };
  }

  Import run() {
    result_.unknown = unknown_operators(model_);
    for (const auto& [kind, count] : result_.unknown) {
      unknown_ += fmt::format("{}{} {}", unknown_.empty() ? "" : ", ", count, kind);
    }
    try {
      const ModelGraph& main = model_.graphs[0];
      Frame frame(0, main, nullptr);
      for (const std::int32_t i : main.inputs) frame.values[index(i)] = bind_input(main.tensors[index(i)]);
      run_ops(frame);
      if (stopped_) fail(ErrorKind::unsupported, "{}", *stopped_);
      for (std::size_t i = 0; i < main.outputs.size(); ++i) {
        emitter_.output(main.tensors[index(main.outputs[i])].name, value_of(frame, main.outputs[i]));
      }
      if (main.outputs.empty()) fail(ErrorKind::bad_file, "the model has no output");
      std::tie(result_.graph, result_.weights) = emitter_.finish();
    } catch (const Error& e) {
      if (e.kind() != ErrorKind::unsupported) throw;
      result_.stopped = e.what();
      for (const std::string& name : open_numbers_) {
        *result_.stopped += fmt::format("; '{}' is one number that is open: fix it and branches may be decided", name);
      }
    }
    return std::move(result_);
  }

 private:
  struct Frame {
    Frame(std::int32_t number, const ModelGraph& g, Frame* parent)
        : number(number), graph(g), parent(parent), values(g.tensors.size()), readers(g.tensors.size(), 0) {
      for (const ModelOp& op : g.ops) {
        for (const std::int32_t i : op.inputs) readers[index(i)] += i >= 0 ? 1 : 0;
      }
      for (const std::int32_t o : g.outputs) ++readers[index(o)];
    }
    std::int32_t number;
    const ModelGraph& graph;
    Frame* parent;
    std::vector<std::optional<Value>> values;
    std::vector<int> readers;
    std::set<std::int32_t> lost;  // what could not be computed
  };

  void note(std::string text) {
    if (std::ranges::find(result_.notes, text) == result_.notes.end()) result_.notes.push_back(std::move(text));
  }

  // The shape an input is bound to.
  Shape bind_shape(const ModelTensor& t) {
    if (const auto it = options_.shapes.find(t.name); it != options_.shapes.end()) {
      for (const std::int64_t d : it->second) {
        if (d < 1) fail(ErrorKind::bad_input, "input '{}' cannot have the shape {}", t.name, to_string(it->second));
      }
      return it->second;
    }
    if (!t.has_shape) fail(ErrorKind::unsupported, "input '{}' has no shape: give one", t.name);
    Shape shape = t.shape;
    const auto open = [&](std::size_t a) {
      // A file that gives a size to start with means it, unless it is the 1 that stands for any.
      return shape[a] < 0 || (!t.open_shape.empty() && t.open_shape[a] < 0 && shape[a] <= 1);
    };
    // Pictures with their colours last.
    const bool last = shape.size() == 4 && open(1) && open(2) && (shape[3] == 1 || shape[3] == 3 || shape[3] == 4);
    bool bound = false;
    for (std::size_t a = 0; a < shape.size(); ++a) {
      if (!open(a)) continue;
      bound = true;
      if (a == 0) {
        shape[a] = options_.batch.value_or(1);
      } else if (shape.size() == 4 && (a >= 2 || last)) {
        shape[a] = 320;
      } else {
        shape[a] = shape.size() == 2 ? 512 : 1;
      }
    }
    if (bound) note(fmt::format("input '{}' bound to {}", t.name, to_string(shape)));
    return shape;
  }

  Value bind_input(const ModelTensor& t) {
    if (t.constant) return constant_of(t);
    if (!t.type.dtype) fail(ErrorKind::unsupported, "input '{}' holds {}", t.name, t.type.name);
    const Shape shape = bind_shape(t);
    rebound_ = rebound_ || shape != t.shape;
    if (element_count(shape) > (std::int64_t{1} << 31)) {
      fail(ErrorKind::unsupported, "input '{}' of shape {}", t.name, to_string(shape));
    }
    DType type = is_quantised(t) ? DType::f32 : *t.type.dtype;
    if (is_quantised(t)) note("quantised tensors hold real numbers in f32");
    if (const auto it = options_.values.find(t.name); it != options_.values.end()) {
      note(fmt::format("input '{}' fixed to {}", t.name, it->second));
      const DType as = is_float(type) ? DType::f32 : type == DType::boolean ? type : DType::i32;
      return emitter_.broadcast(emitter_.scalar(it->second, as), shape);
    }
    if (shape.empty() && !is_float(type)) open_numbers_.push_back(t.name);
    if (type == DType::i64) note("64-bit integers are 32-bit ones");
    return emitter_.input(t.name.empty() ? "input" : t.name, shape, type);
  }

  Value constant_of(const ModelTensor& t) {
    Tensor tensor;
    if (t.type.name == "i4") {
      tensor = unpacked_nibbles(t);
    } else {
      if (!t.type.dtype) fail(ErrorKind::unsupported, "constant '{}' holds {}", t.name, t.type.name);
      // FlatBuffers and protobuf do not align what they hold, so unaligned bytes are copied, and so is what was
      // unpacked.
      const TensorType type{*t.type.dtype, t.shape};
      const bool aligned = reinterpret_cast<std::uintptr_t>(t.bytes.data()) % size_of(type.dtype) == 0;
      const std::byte* const first = model_.content.data();
      const bool in_file = t.bytes.data() >= first && t.bytes.data() + t.bytes.size() <= first + model_.content.size();
      if (aligned && in_file && model_.owner) {
        tensor = Tensor(type, model_.owner, t.bytes.data());
      } else {
        tensor = Tensor(type);
        std::copy(t.bytes.begin(), t.bytes.end(), tensor.mutable_data());
      }
    }
    if (!t.quantisation.empty() && !is_float(tensor.type().dtype)) {
      note("quantised tensors hold real numbers in f32");
      tensor = dequantised(tensor, t.quantisation);
    }
    return emitter_.constant(std::move(tensor), t.name);
  }

  Value value_of(Frame& f, std::int32_t i) {
    std::optional<Value>& v = f.values[index(i)];
    if (v) return *v;
    const ModelTensor& t = f.graph.tensors[index(i)];
    if (f.graph.outer[index(i)] >= 0 && f.parent != nullptr) {
      v = value_of(*f.parent, f.graph.outer[index(i)]);
    } else if (t.constant) {
      v = constant_of(t);
    } else if (t.has_shape && t.elements() == 0 && t.type.dtype) {
      v = emitter_.constant(Tensor(TensorType{*t.type.dtype, t.shape}));
    } else {
      fail(ErrorKind::bad_file, "'{}' is read before anything makes it", t.name);
    }
    return *v;
  }

  std::vector<Value> run_branch(std::int64_t number, const std::vector<Value>& arguments) {
    if (number < 1 || number >= static_cast<std::int64_t>(model_.graphs.size())) {
      fail(ErrorKind::bad_file, "graph {} of {} is called", number, model_.graphs.size());
    }
    if (++depth_ > kMostDepth) fail(ErrorKind::unsupported, "graphs call one another more than {} deep", kMostDepth);
    const ModelGraph& g = model_.graphs[index(number)];
    Frame frame(static_cast<std::int32_t>(number), g, frame_);
    if (model_.format == "tflite" && arguments.size() != g.inputs.size()) {
      fail(ErrorKind::bad_file, "graph '{}' takes {} inputs, {} came", g.name, g.inputs.size(), arguments.size());
    }
    for (std::size_t i = 0; i < std::min(arguments.size(), g.inputs.size()); ++i) {
      frame.values[index(g.inputs[i])] = arguments[i];
    }
    run_ops(frame);
    std::vector<Value> out;
    for (const std::int32_t o : g.outputs) out.push_back(value_of(frame, o));
    --depth_;
    return out;
  }

  void run_ops(Frame& frame) {
    Frame* const before = frame_;
    frame_ = &frame;
    for (std::size_t i = 0; i < frame.graph.ops.size(); ++i) {
      const ModelOp& op = frame.graph.ops[i];
      if (stopped_ && std::ranges::any_of(op.inputs, [&](std::int32_t t) { return frame.lost.contains(t); })) {
        frame.lost.insert(op.outputs.begin(), op.outputs.end());
        continue;
      }
      try {
        run_op(frame, op, static_cast<std::int32_t>(i));
      } catch (const Error& e) {
        if (options_.keep_going && frame.number == 0 && e.kind() != ErrorKind::cancelled) {
          if (!stopped_)
            stopped_ =
                fmt::format("operator {} ({}{}{}): {}", i, op.type, op.name.empty() ? "" : " ", op.name, e.what());
          frame.lost.insert(op.outputs.begin(), op.outputs.end());
          frame_ = &frame;
          depth_ = 0;
          continue;
        }
        frame_ = before;
        if (std::string_view(e.what()).starts_with("operator ")) throw;
        throw Error(e.kind() == ErrorKind::bad_input ? ErrorKind::unsupported : e.kind(),
                    fmt::format("operator {} ({}{}{}): {}", i, op.type, op.name.empty() ? "" : " ", op.name, e.what()));
      }
    }
    frame_ = before;
  }

  void run_op(Frame& frame, const ModelOp& op, std::int32_t number) {
    if (op.type == "Constant" && !op.outputs.empty() && op.outputs[0] >= 0 &&
        frame.graph.tensors[index(op.outputs[0])].constant) {
      return;
    }
    const auto handler = handlers(model_).find(op.type);
    if (handler == handlers(model_).end()) {
      fail(ErrorKind::unsupported, "not known (of all operators: {})", unknown_);
    }
    std::vector<Value> values(op.inputs.size());
    std::vector<bool> present(op.inputs.size());
    ImportedLayer layer{frame.number, number, {}, {}, false};
    for (std::size_t i = 0; i < op.inputs.size(); ++i) {
      present[i] = op.inputs[i] >= 0;
      if (present[i]) values[i] = value_of(frame, op.inputs[i]);
      layer.inputs.push_back(present[i] ? std::optional(values[i].shape()) : std::nullopt);
    }
    Context c(emitter_, model_, frame.graph, op, std::move(values), std::move(present), frame.readers, branch_);
    handler->second(c);
    layer.folded = !op.outputs.empty();
    for (std::size_t i = 0; i < op.outputs.size(); ++i) {
      if (op.outputs[i] < 0) continue;
      std::optional<Value>& v = c.results()[i];
      if (!v) {
        if (frame.readers[index(op.outputs[i])] == 0) continue;
        fail(ErrorKind::unsupported, "its output {} is not computed", i);
      }
      check_shape(frame.graph.tensors[index(op.outputs[i])], *v);
      layer.outputs.push_back(v->shape());
      layer.folded = layer.folded && v->constant.has_value();
      frame.values[index(op.outputs[i])] = std::move(*v);
    }
    result_.layers.push_back(std::move(layer));
  }

  // TFLite files say every shape; one that comes out otherwise is an operator misread.
  void check_shape(const ModelTensor& t, const Value& v) const {
    if (model_.format != "tflite" || rebound_ || t.shape.empty() || !t.open_shape.empty()) return;
    if (std::ranges::any_of(t.shape, [](std::int64_t d) { return d < 0; }) || t.shape == v.shape()) return;
    fail(ErrorKind::unsupported, "'{}' comes out as {}, the file says {}", t.name, to_string(v.shape()),
         to_string(t.shape));
  }

  const Model& model_;
  const ImportOptions& options_;
  std::vector<std::string> open_numbers_;  // inputs of one integer
  bool rebound_ = false;                   // some input has another shape than the file says
  Emitter emitter_;
  Context::Branch branch_;
  Import result_;
  std::string unknown_;                 // all kinds that are not known, with how often they occur
  std::optional<std::string> stopped_;  // the first operator that could not be taken, when it keeps going
  Frame* frame_ = nullptr;
  int depth_ = 0;
};

}  // namespace

std::map<std::string, int> unknown_operators(const Model& model) {
  if (lowers(model.format)) return lower(model).unknown;
  std::map<std::string, int> out;
  if (model.format != "tflite" && model.format != "onnx") return out;
  for (const ModelGraph& g : model.graphs) {
    for (const ModelOp& op : g.ops) {
      if (op.type != "Constant" && !handlers(model).contains(op.type)) ++out[op.type];
    }
  }
  return out;
}

Import import_model(const Model& model, const ImportOptions& options) {
  if (model.format == "tflite" || model.format == "onnx") return Importer(model, options).run();
  Import out;
  if (!lowers(model.format) || model.graphs.at(0).ops.empty()) {
    out.stopped = model.graphs.at(0).ops.empty() ? "tensors alone: there is no network"
                                                 : fmt::format("networks of format {} are not imported", model.format);
    return out;
  }
  const Lowered low = lower(model);
  out = Importer(low.model, options).run();
  for (ImportedLayer& l : out.layers) l.op = low.origin[index(l.op)];
  out.unknown = low.unknown;
  return out;
}

}  // namespace thimble::gauge
