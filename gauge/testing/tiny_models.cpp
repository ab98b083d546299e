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

}  // namespace thimble::gauge::testing
