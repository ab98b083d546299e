#include "gauge/testing/tiny_models.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "base/dtype.h"

namespace thimble::gauge::testing {
namespace {

template <class T>
std::string raw(T v) {
  std::string out(sizeof(T), '\0');
  std::memcpy(out.data(), &v, sizeof(T));
  return out;
}

// ---- FlatBuffers: a tree of objects, written parents first so that all offsets point forwards ----

struct Object;
struct Field {
  unsigned slot = 0;
  std::string inline_bytes{};
  std::shared_ptr<Object> child{};
};

struct Object {
  enum Kind { table, bytes, list } kind = table;
  std::vector<Field> fields{};
  std::uint32_t count = 0;
  std::string data{};
  std::vector<std::shared_ptr<Object>> items{};
};
using Ref = std::shared_ptr<Object>;

Ref table(std::vector<Field> fields) {
  auto o = std::make_shared<Object>();
  o->fields = std::move(fields);
  return o;
}
Ref data_of(std::size_t count, std::string data) {
  auto o = std::make_shared<Object>();
  o->kind = Object::bytes;
  o->count = static_cast<std::uint32_t>(count);
  o->data = std::move(data);
  return o;
}
Ref text(const std::string& s) { return data_of(s.size(), s + '\0'); }
Ref list(std::vector<Ref> items) {
  auto o = std::make_shared<Object>();
  o->kind = Object::list;
  o->items = std::move(items);
  return o;
}
template <class T>
Ref numbers(const std::vector<T>& v) {
  std::string data;
  for (const T x : v) data += raw(x);
  return data_of(v.size(), data);
}

void patch(std::string& out, std::size_t at, std::size_t target) {
  const auto offset = static_cast<std::uint32_t>(target - at);
  std::memcpy(out.data() + at, &offset, 4);
}

std::size_t put(std::string& out, const Object& o) {
  while (out.size() % 8 != 4) out += '\0';  // what follows a vector's count is aligned to 8
  if (o.kind == Object::bytes) {
    const std::size_t at = out.size();
    out += raw(o.count) + o.data;
    return at;
  }
  if (o.kind == Object::list) {
    const std::size_t at = out.size();
    out += raw(static_cast<std::uint32_t>(o.items.size())) + std::string(4 * o.items.size(), '\0');
    for (std::size_t i = 0; i < o.items.size(); ++i) {
      const std::size_t child = put(out, *o.items[i]);
      patch(out, at + 4 + 4 * i, child);
    }
    return at;
  }
  unsigned slots = 4;
  for (const Field& f : o.fields) slots = std::max(slots, f.slot + 2);
  std::vector<std::uint16_t> vtable(slots / 2, 0);
  std::string body(4, '\0');
  std::vector<std::pair<std::size_t, Ref>> children;
  for (const Field& f : o.fields) {
    vtable[f.slot / 2] = static_cast<std::uint16_t>(body.size());
    if (f.child) {
      children.emplace_back(body.size(), f.child);
      body += std::string(4, '\0');
    } else {
      body += f.inline_bytes + std::string((4 - f.inline_bytes.size() % 4) % 4, '\0');
    }
  }
  vtable[0] = static_cast<std::uint16_t>(slots);
  vtable[1] = static_cast<std::uint16_t>(body.size());
  const std::size_t vtable_at = out.size();
  for (const std::uint16_t v : vtable) out += raw(v);
  while (out.size() % 4 != 0) out += '\0';
  const std::size_t at = out.size();
  out += body;
  const auto back = static_cast<std::int32_t>(at - vtable_at);
  std::memcpy(out.data() + at, &back, 4);
  for (const auto& [place, child] : children) {
    const std::size_t target = put(out, *child);
    patch(out, at + place, target);
  }
  return at;
}

// ---- protobuf ----

std::string varint(std::uint64_t v) {
  std::string out;
  for (; v >= 0x80; v >>= 7) out += static_cast<char>((v & 0x7f) | 0x80);
  return out + static_cast<char>(v);
}
std::string number(std::uint32_t field, std::int64_t v) {
  return varint(field << 3) + varint(static_cast<std::uint64_t>(v));
}
std::string message(std::uint32_t field, const std::string& v) {
  return varint((field << 3) | 2) + varint(v.size()) + v;
}

std::string value_info(const TinyValue& v) {
  std::string dims;
  for (const std::int64_t d : v.shape) dims += message(1, d < 0 ? message(2, "n") : number(1, d));
  return message(1, v.name) + message(2, message(1, number(1, v.type) + message(2, dims)));
}

std::string tensor_head(const std::string& name, const std::vector<std::int64_t>& shape, int type) {
  std::string out;
  for (const std::int64_t d : shape) out += number(1, d);
  return out + number(2, type) + (name.empty() ? "" : message(8, name));
}

}  // namespace

std::string floats(const std::vector<float>& v) {
  std::string out;
  for (const float x : v) out += raw(x);
  return out;
}
std::string halves(const std::vector<float>& v) {
  std::string out;
  for (const float x : v) out += raw(to_f16(x).bits);
  return out;
}
std::string ints(const std::vector<std::int32_t>& v) {
  std::string out;
  for (const std::int32_t x : v) out += raw(x);
  return out;
}
std::string int8s(const std::vector<int>& v) {
  std::string out;
  for (const int x : v) out += static_cast<char>(x);
  return out;
}
TinyOption option_i32(unsigned slot, std::int32_t v) { return {slot, raw(v)}; }
TinyOption option_byte(unsigned slot, int v) { return {slot, std::string(1, static_cast<char>(v))}; }
TinyOption option_f32(unsigned slot, float v) { return {slot, raw(v)}; }

std::string make_tflite(const std::vector<TinyGraph>& graphs) {
  std::vector<Ref> codes, buffers{table({})}, subgraphs;
  for (const TinyGraph& g : graphs) {
    std::vector<Ref> tensors, ops;
    for (const TinyTensor& t : g.tensors) {
      std::uint32_t buffer = 0;
      if (!t.data.empty()) {
        buffer = static_cast<std::uint32_t>(buffers.size());
        buffers.push_back(table({{4, {}, data_of(t.data.size(), t.data)}}));
      }
      std::vector<Field> fields{{4, {}, numbers(t.shape)},
                                {6, std::string(1, static_cast<char>(t.type)), {}},
                                {8, raw(buffer), {}},
                                {10, {}, text("t" + std::to_string(tensors.size()))}};
      if (!t.scales.empty()) {
        fields.push_back(
            {12, {}, table({{8, {}, numbers(t.scales)}, {10, {}, numbers(t.zero_points)}, {16, raw(t.axis), {}}})});
      }
      if (!t.open_shape.empty()) fields.push_back({18, {}, numbers(t.open_shape)});
      tensors.push_back(table(std::move(fields)));
    }
    for (const TinyOp& op : g.ops) {
      const auto code = static_cast<std::uint32_t>(codes.size());
      std::vector<Field> code_fields{{4, std::string(1, static_cast<char>(std::min(op.code, 127))), {}},
                                     {10, raw(op.code), {}}};
      if (!op.custom.empty()) code_fields.push_back({6, {}, text(op.custom)});
      codes.push_back(table(std::move(code_fields)));
      std::vector<Field> fields{{4, raw(code), {}}, {6, {}, numbers(op.inputs)}, {8, {}, numbers(op.outputs)}};
      if (!op.options.empty()) {
        std::vector<Field> options;
        for (const TinyOption& o : op.options) options.push_back({o.slot, o.raw, {}});
        fields.push_back({10, std::string(1, '\1'), {}});
        fields.push_back({12, {}, table(std::move(options))});
      }
      if (!op.custom_options.empty()) {
        fields.push_back({14, {}, data_of(op.custom_options.size(), op.custom_options)});
      }
      ops.push_back(table(std::move(fields)));
    }
    subgraphs.push_back(table({{4, {}, list(std::move(tensors))},
                               {6, {}, numbers(g.inputs)},
                               {8, {}, numbers(g.outputs)},
                               {10, {}, list(std::move(ops))}}));
  }
  std::string out = std::string(4, '\0') + "TFL3";
  const std::size_t root = put(out, *table({{4, raw(std::uint32_t{3}), {}},
                                            {6, {}, list(std::move(codes))},
                                            {8, {}, list(std::move(subgraphs))},
                                            {12, {}, list(std::move(buffers))}}));
  patch(out, 0, root);
  return out;
}

TinyAttribute attribute(const std::string& name, std::int64_t v) { return {name, number(3, v) + number(20, 2)}; }
TinyAttribute attribute(const std::string& name, float v) {
  return {name, varint((2 << 3) | 5) + raw(v) + number(20, 1)};
}
TinyAttribute attribute(const std::string& name, const std::string& v) { return {name, message(4, v) + number(20, 3)}; }
TinyAttribute attribute(const std::string& name, const std::vector<std::int64_t>& v) {
  std::string out;
  for (const std::int64_t x : v) out += number(8, x);
  return {name, out + number(20, 7)};
}
TinyAttribute graph_attribute(const std::string& name, const std::string& graph) {
  return {name, message(6, graph) + number(20, 5)};
}
TinyAttribute tensor_attribute(const std::string& name, const std::string& tensor) {
  return {name, message(5, tensor) + number(20, 4)};
}

std::string onnx_tensor(const std::string& name, const std::vector<std::int64_t>& shape, const std::vector<float>& v) {
  return tensor_head(name, shape, 1) + message(9, floats(v));
}
std::string onnx_tensor(const std::string& name, const std::vector<std::int64_t>& shape,
                        const std::vector<std::int64_t>& v) {
  std::string packed;
  for (const std::int64_t x : v) packed += varint(static_cast<std::uint64_t>(x));
  return tensor_head(name, shape, 7) + message(7, packed);
}
std::string onnx_outside(const std::string& name, const std::vector<std::int64_t>& shape, const std::string& file,
                         std::int64_t offset, std::int64_t bytes) {
  const auto entry = [](const std::string& key, const std::string& value) {
    return message(13, message(1, key) + message(2, value));
  };
  return tensor_head(name, shape, 1) + entry("location", file) + entry("offset", std::to_string(offset)) +
         entry("length", std::to_string(bytes)) + number(14, 1);
}

std::string onnx_graph(const std::vector<TinyNode>& nodes, const std::vector<std::string>& tensors,
                       const std::vector<TinyValue>& inputs, const std::vector<TinyValue>& outputs) {
  std::string out;
  for (const TinyNode& n : nodes) {
    std::string node;
    for (const std::string& i : n.inputs) node += message(1, i);
    for (const std::string& o : n.outputs) node += message(2, o);
    node += message(4, n.type);
    for (const TinyAttribute& a : n.attributes) node += message(5, message(1, a.name) + a.field);
    out += message(1, node);
  }
  out += message(2, "g");
  for (const std::string& t : tensors) out += message(5, t);
  for (const TinyValue& v : inputs) out += message(11, value_info(v));
  for (const TinyValue& v : outputs) out += message(12, value_info(v));
  return out;
}

std::string make_onnx(const std::string& graph, std::int64_t opset) {
  return number(1, 8) + message(2, "a test") + message(7, graph) + message(8, number(2, opset));
}

// ---- other formats ----

namespace {

std::vector<float> counting(std::size_t n) {
  std::vector<float> out(n);
  for (std::size_t i = 0; i < n; ++i) out[i] = static_cast<float>(i);
  return out;
}

std::string packed(std::uint32_t field, const std::vector<std::int64_t>& v) {
  std::string all;
  for (const std::int64_t x : v) all += varint(static_cast<std::uint64_t>(x));
  return message(field, all);
}
std::string text_field(std::uint32_t field, const std::string& v) { return message(field, v); }

TinyForeign tiny_caffe() {
  const std::string weights = message(7, message(7, packed(1, {4, 2, 3, 3})) + message(5, floats(counting(72))));
  const std::string bias = message(7, message(7, packed(1, {4})) + message(5, floats({1, 2, 3, 4})));
  const std::string layer = text_field(1, "conv") + text_field(2, "Convolution") + text_field(3, "data") +
                            text_field(4, "conv") + weights + bias + message(106, number(1, 4) + number(4, 3));
  const std::string prototxt =
      "name: \"tiny\"  # a comment\ninput: \"data\"\ninput_dim: 1 input_dim: 2 input_dim: 8 input_dim: 8\n"
      "layer { name: \"conv\" type: \"Convolution\" bottom: \"data\" top: \"conv\"\n"
      "  convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: 'xavier' } } }\n";
  return {"caffe", "tiny.caffemodel", text_field(1, "tiny") + message(100, layer), {{"tiny.prototxt", prototxt}}};
}

TinyForeign tiny_ncnn() {
  return {"ncnn-param",
          "tiny.param",
          "7767517\n2 2\nInput data 0 1 data 0=8 1=8 2=2\nConvolution conv 1 1 data out 0=4 1=3 5=1 6=72\n",
          {{"tiny.bin", raw(std::uint32_t{0}) + floats(counting(72)) + floats({1, 2, 3, 4})}}};
}

std::string tf_shape(const std::vector<std::int64_t>& dims) {
  std::string out;
  for (const std::int64_t d : dims) out += message(2, number(1, d));
  return out;
}
std::string tf_attribute(const std::string& key, const std::string& value) {
  return message(5, text_field(1, key) + message(2, value));
}
std::string tf_node(const std::string& name, const std::string& op, const std::vector<std::string>& inputs,
                    const std::string& attributes) {
  std::string out = text_field(1, name) + text_field(2, op);
  for (const std::string& i : inputs) out += text_field(3, i);
  return out + attributes;
}
std::string tf_constant(const std::string& name, const std::vector<std::int64_t>& shape, const std::string& bytes) {
  return tf_node(name, "Const", {},
                 tf_attribute("dtype", number(6, 1)) +
                     tf_attribute("value", message(8, number(1, 1) + message(2, tf_shape(shape)) + message(4, bytes))));
}
std::string tf_placeholder() {
  return tf_node("x", "Placeholder", {},
                 tf_attribute("dtype", number(6, 1)) + tf_attribute("shape", message(7, tf_shape({1, 8, 8, 2}))));
}
std::string tf_window() {
  return tf_attribute("strides", message(1, packed(3, {1, 1, 1, 1}))) + tf_attribute("padding", text_field(2, "VALID"));
}

TinyForeign tiny_graph_def() {
  const std::string graph = message(1, tf_placeholder()) +
                            message(1, tf_constant("w", {3, 3, 2, 4}, floats(counting(72)))) +
                            message(1, tf_constant("b", {4}, floats({1, 2, 3, 4}))) +
                            message(1, tf_node("conv", "Conv2D", {"x", "w"}, tf_window())) +
                            message(1, tf_node("y", "BiasAdd", {"conv", "b"}, ""));
  return {"tensorflow", "tiny.pb", graph, {}};
}

// A block of a sorted table: entries without shared keys, one restart, then kind and checksum.
std::string table_block(const std::vector<std::pair<std::string, std::string>>& entries) {
  std::string out;
  for (const auto& [key, value] : entries) out += varint(0) + varint(key.size()) + varint(value.size()) + key + value;
  return out + raw(std::uint32_t{0}) + raw(std::uint32_t{1});
}

TinyForeign tiny_saved_model() {
  const std::string variable = tf_attribute("dtype", number(6, 1)) +
                               tf_attribute("shared_name", text_field(2, "weights")) +
                               tf_attribute("shape", message(7, tf_shape({3, 3, 2, 4})));
  const std::string call = tf_attribute("f", message(10, text_field(1, "body")));
  const std::string body = message(1, text_field(1, "body") + message(2, text_field(1, "a")) +
                                          message(2, text_field(1, "v")) + message(3, text_field(1, "result"))) +
                           message(3, tf_node("conv", "Conv2D", {"a", "read:value:0"}, tf_window())) +
                           message(3, tf_node("read", "ReadVariableOp", {"v"}, "")) +
                           message(4, text_field(1, "result") + text_field(2, "conv:output:0"));
  const std::string graph = message(1, tf_placeholder()) + message(1, tf_node("w", "VarHandleOp", {}, variable)) +
                            message(1, tf_node("run", "StatefulPartitionedCall", {"x", "w"}, call)) +
                            message(2, message(1, body));
  const auto port = [](const std::string& name, const std::string& tensor) {
    return text_field(1, name) + message(2, text_field(1, tensor) + number(2, 1));
  };
  const std::string signature =
      text_field(1, "serving_default") + message(2, message(1, port("x", "x:0")) + message(2, port("y", "run:0")));
  const std::string entry = number(1, 1) + message(2, tf_shape({3, 3, 2, 4})) + number(5, 288);
  const std::string block = table_block({{"", number(1, 1)}, {"weights", entry}}), trailer(5, '\0');
  const std::string index = table_block({{"weights", varint(0) + varint(block.size())}});
  std::string file = block + trailer + index + trailer;
  std::string footer = varint(0) + varint(0) + varint(block.size() + 5) + varint(index.size());
  footer.resize(40, '\0');
  file += footer + raw(std::uint64_t{0xdb4775248b80fb57});
  return {"savedmodel",
          "saved_model.pb",
          number(1, 1) + message(2, message(2, graph) + message(5, signature)),
          {{"variables/variables.index", file}, {"variables/variables.data-00000-of-00001", floats(counting(72))}}};
}

TinyForeign tiny_tfjs() {
  const std::string json =
      R"({"format":"graph-model","modelTopology":{"node":[)"
      R"({"name":"x","op":"Placeholder","attr":{"dtype":{"type":"DT_FLOAT"},"shape":{"shape":{"dim":[{"size":"1"},{"size":"8"},{"size":"8"},{"size":"2"}]}}}},)"
      R"({"name":"w","op":"Const","attr":{"dtype":{"type":"DT_FLOAT"}}},{"name":"b","op":"Const","attr":{}},)"
      R"({"name":"y","op":"_FusedConv2D","input":["x","w","b"],"attr":{"padding":{"s":"VkFMSUQ="},"strides":{"list":{"i":["1","1","1","1"]}},"fused_ops":{"list":{"s":["Qmlhc0FkZA==","UmVsdQ=="]}}}}]},)"
      R"("weightsManifest":[{"paths":["tiny.bin"],"weights":[{"name":"w","shape":[3,3,2,4],"dtype":"float32","quantization":{"dtype":"uint8","scale":0.5,"min":-1.0,"original_dtype":"float32"}},)"
      R"({"name":"b","shape":[4],"dtype":"float32"}]}]})";
  std::string shard;
  for (int i = 0; i < 72; ++i) shard += static_cast<char>(i);
  return {"tfjs", "model.json", json, {{"tiny.bin", shard + floats({1, 2, 3, 4})}}};
}

TinyForeign tiny_keras() {
  const std::string json =
      R"({"format":"layers-model","modelTopology":{"keras_version":"2","model_config":{"class_name":"Functional","config":{"name":"m","layers":[)"
      R"({"class_name":"InputLayer","config":{"batch_input_shape":[null,8,8,2],"name":"x"},"name":"x","inbound_nodes":[]},)"
      R"({"class_name":"Conv2D","config":{"name":"c","filters":4,"kernel_size":[3,3],"strides":[1,1],"padding":"valid","activation":"relu"},"name":"c","inbound_nodes":[[["x",0,0,{}]]]}],)"
      R"("input_layers":[["x",0,0]],"output_layers":[["c",0,0]]}}},)"
      R"("weightsManifest":[{"paths":["tiny.bin"],"weights":[{"name":"c/bias","shape":[4],"dtype":"float32"},{"name":"c/kernel","shape":[3,3,2,4],"dtype":"float32"}]}]})";
  return {"tfjs", "model.json", json, {{"tiny.bin", floats({1, 2, 3, 4}) + floats(counting(72))}}};
}

Field child(unsigned slot, Ref r) { return {.slot = slot, .inline_bytes = {}, .child = std::move(r)}; }
Field i32_field(unsigned slot, std::int32_t v) { return {.slot = slot, .inline_bytes = raw(v), .child = {}}; }
Field byte_field(unsigned slot, int v) {
  return {.slot = slot, .inline_bytes = std::string(1, static_cast<char>(v)), .child = {}};
}

std::string flatbuffer(const Ref& root, const std::string& id) {
  std::string out(4, '\0');
  out += id.empty() ? std::string(4, '\0') : id;
  const std::size_t at = put(out, *root);
  patch(out, 0, at);
  return out;
}

TinyForeign tiny_mnn() {
  const Ref input = table({child(4, numbers<std::int32_t>({1, 2, 8, 8})), i32_field(6, 1), byte_field(8, 0)});
  const Ref common = table({i32_field(8, 3), i32_field(10, 3), i32_field(24, 4), i32_field(26, 2)});
  const Ref conv = table({child(4, common), child(6, numbers(counting(72))), child(8, numbers<float>({1, 2, 3, 4}))});
  const Ref ops = list({table({byte_field(6, 21), child(8, input), child(10, text("data")),
                               child(12, numbers<std::int32_t>({0})), i32_field(14, 34)}),
                        table({child(4, numbers<std::int32_t>({0})), byte_field(6, 9), child(8, conv),
                               child(10, text("conv")), child(12, numbers<std::int32_t>({1})), i32_field(14, 12)})});
  const Ref net = table({child(10, ops), child(12, list({text("out")})), byte_field(16, 3),
                         child(18, list({text("data"), text("out")}))});
  return {"mnn", "tiny.mnn", flatbuffer(net, ""), {}};
}

TinyForeign tiny_dlc() {
  const auto strings = [](const std::vector<std::string>& v) {
    std::vector<Ref> out;
    for (const std::string& s : v) out.push_back(text(s));
    return list(std::move(out));
  };
  const auto dims = [](const std::vector<std::int32_t>& v) {
    return list({table(
        {child(4, text("OutputDims")), child(28, list({table({child(4, text("0")), child(22, numbers(v))})}))})});
  };
  const Ref net = table({child(
      6, list({table({child(6, text("data")), child(8, text("Input")), child(12, strings({"data"})),
                      child(14, dims({1, 8, 8, 2}))}),
               table({i32_field(4, 1), child(6, text("conv")), child(8, text("Convolutional")),
                      child(10, strings({"data"})), child(12, strings({"out"})), child(14, dims({1, 6, 6, 4}))})}))});
  const auto tensor = [](const std::string& name, const std::vector<std::int32_t>& shape, const std::vector<float>& v) {
    return table(
        {child(4, text(name)), child(6, numbers(shape)), child(8, table({byte_field(4, 9), child(8, numbers(v))}))});
  };
  const Ref params =
      table({child(4, list({table({child(4, text("conv")), child(6, list({tensor("weights", {3, 3, 2, 4}, counting(72)),
                                                                          tensor("bias", {4}, {1, 2, 3, 4})}))})}))});
  const std::string head = std::string("\xd5\x0a\x03\x00\x00\x00\x00\x00", 8);
  return {
      "dlc",
      "model",
      head + flatbuffer(net, "NETD"),
      {{"model.params", head + flatbuffer(params, "NETP")}, {"dlc.metadata", "converter-command=tiny-converter -x\n"}}};
}

// ---- pickles, protocol 2 ----

std::string p_text(const std::string& s) { return "X" + raw(static_cast<std::uint32_t>(s.size())) + s; }
std::string p_int(int v) { return std::string("K") + static_cast<char>(v); }
std::string p_ints(const std::vector<int>& v) {
  std::string out = "(";
  for (const int x : v) out += p_int(x);
  return out + "t";
}
std::string p_tensor(const std::string& key, int elements, const std::vector<int>& shape,
                     const std::vector<int>& strides) {
  return "ctorch._utils\n_rebuild_tensor_v2\n((" + p_text("storage") + "ctorch\nFloatStorage\n" + p_text(key) +
         p_text("cpu") + p_int(elements) + "tQ" + p_int(0) + p_ints(shape) + p_ints(strides) + "\x89" +
         "ccollections\nOrderedDict\n)RtR";
}

TinyForeign tiny_pytorch() {
  const std::string proto("\x80\x02", 2);
  const std::string pickle = proto + "}(" + p_text("conv.weight") + p_tensor("0", 72, {4, 2, 3, 3}, {18, 9, 3, 1}) +
                             p_text("conv.bias") + p_tensor("1", 4, {4}, {1}) + "u.";
  const auto pair = [](const std::string& name, const std::string& value) { return "(" + p_text(name) + value + "t"; };
  const std::string code =
      "((" + p_text("OP") + p_int(0) + p_int(0) + "t(" + p_text("RET") + p_int(0) + p_int(0) + "tt";
  const std::string operators = "((" + p_text("aten::conv2d") + p_text("") + "tt";
  const std::string bytecode = proto + "(" + p_int(4) + "(" + p_text("__torch__.M.forward") + "(" +
                               pair("instructions", code) + pair("operators", operators) + "ttt.";
  return {"pytorch",
          "data.pkl",
          pickle,
          {{"data/0", floats(counting(72))},
           {"data/1", floats({1, 2, 3, 4})},
           {"bytecode.pkl", bytecode},
           {"version", "3\n"}}};
}

// ---- Core ML ----

std::string cm_array(const std::string& name, const std::vector<std::int64_t>& shape) {
  return text_field(1, name) + message(3, message(5, packed(1, shape) + number(2, 65568)));
}

TinyForeign tiny_coreml() {
  const std::string conv = number(1, 4) + number(2, 2) + packed(20, {3, 3}) +
                           message(90, message(1, floats(counting(72)))) +
                           message(91, message(1, floats({1, 2, 3, 4})));
  const std::string layer = text_field(1, "conv") + text_field(2, "x") + text_field(3, "y") + message(100, conv);
  return {"coreml",
          "tiny.mlmodel",
          number(1, 4) + message(2, message(1, cm_array("x", {2, 8, 8}))) + message(500, message(1, layer)),
          {}};
}

TinyForeign tiny_program() {
  const auto type = [](const std::vector<std::int64_t>& shape) {
    std::string t = number(1, 11) + number(2, static_cast<std::int64_t>(shape.size()));
    for (const std::int64_t d : shape) t += message(3, message(1, number(1, d)));
    return message(1, t);
  };
  const auto named = [&](const std::string& name, const std::vector<std::int64_t>& shape) {
    return text_field(1, name) + message(2, type(shape));
  };
  const auto blob = [&](std::int64_t at, const std::vector<std::int64_t>& shape) {
    return message(2, type(shape)) + message(5, text_field(1, "@model_path/weights/weight.bin") + number(2, at));
  };
  const auto constant = [&](const std::string& name, std::int64_t at, const std::vector<std::int64_t>& shape) {
    return message(3, text_field(1, "const") + message(3, named(name, shape)) +
                          message(5, text_field(1, "val") + message(2, blob(at, shape))));
  };
  const auto argument = [](const std::string& name, const std::string& of) {
    return message(2, text_field(1, name) + message(2, message(1, text_field(1, of))));
  };
  const std::string conv = message(3, text_field(1, "conv") + argument("bias", "b") + argument("weight", "w") +
                                          argument("x", "x") + message(3, named("y", {1, 4, 6, 6})));
  const std::string block = constant("w", 0, {4, 2, 3, 3}) + constant("b", 64 + 288, {4}) + conv + text_field(2, "y");
  const std::string function = message(1, named("x", {1, 2, 8, 8})) + text_field(2, "CoreML5") +
                               message(3, text_field(1, "CoreML5") + message(2, block));
  const auto record = [](std::uint64_t size, std::uint64_t at) {
    std::string r = raw(std::uint32_t{0xDEADBEEF}) + raw(std::uint32_t{2}) + raw(size) + raw(at);
    r.resize(64, '\0');
    return r;
  };
  const std::string weights = record(288, 64) + floats(counting(72)) + record(16, 64 + 288 + 64) + floats({1, 2, 3, 4});
  return {"coreml",
          "model.mlmodel",
          number(1, 6) + message(2, message(1, cm_array("x", {1, 2, 8, 8}))) +
              message(502, number(1, 1) + message(2, text_field(1, "main") + message(2, function))),
          {{"weights/weight.bin", weights}}};
}

}  // namespace

std::vector<TinyForeign> tiny_foreign() {
  return {tiny_caffe(), tiny_ncnn(), tiny_graph_def(), tiny_saved_model(), tiny_tfjs(),   tiny_keras(),
          tiny_mnn(),   tiny_dlc(),  tiny_pytorch(),   tiny_coreml(),      tiny_program()};
}

}  // namespace thimble::gauge::testing
