#include "gauge/model/coreml_program.h"

#include <algorithm>
#include <array>
#include <bit>

#include "gauge/wire/protobuf.h"

namespace thimble::gauge {
namespace {

using Wire = Protobuf::Wire;

constexpr int kMostDepth = 24;
constexpr std::uint32_t kSentinel = 0xDEADBEEF;
constexpr std::uint64_t kRecord = 64;  // bytes that describe one blob of the weights' file

ElementType mil_element(std::uint64_t type) {
  switch (type) {
    case 1: return element_type("bool");
    case 2: return element_type("string");
    case 10: return element_type("f16");
    case 11: return element_type("f32");
    case 12: return element_type("f64");
    case 13: return element_type("bf16");
    case 21: return element_type("i8");
    case 22: return element_type("i16");
    case 23: return element_type("i32");
    case 24: return element_type("i64");
    case 25: return {"i4", 4, {}};
    case 31: return element_type("u8");
    case 32: return element_type("u16");
    case 33: return element_type("u32");
    case 34: return element_type("u64");
    case 35: return {"u4", 4, {}};
    case 36: return {"u2", 2, {}};
    case 37: return {"u1", 1, {}};
    case 38: return {"u6", 6, {}};
    case 39: return {"u3", 3, {}};
    default: return {"unknown", 0, {}};
  }
}

class ProgramReader {
 public:
  ProgramReader(Model& model, const ModelSource& source, Budget& budget, GraphBuilder& builder)
      : model_(model), source_(source), budget_(budget), builder_(builder) {}

  void run(Bytes bytes) {
    Bytes main, first;
    Protobuf p(bytes, "ML program");
    while (p.next()) {
      if (!p.is(2, Wire::kBytes)) continue;
      const auto [name, value] = entry(p.bytes());
      if (first.empty()) first = value;
      if (name == "main") main = value;
    }
    if (main.empty()) main = first;
    if (main.empty()) fail(ErrorKind::bad_file, "ML program: no function");
    Protobuf f(main, "ML function");
    std::string opset;
    Bytes block, any;
    while (f.next()) {
      if (f.is(1, Wire::kBytes)) input(f.bytes());
      if (f.is(2, Wire::kBytes)) opset = f.text();
      if (!f.is(3, Wire::kBytes)) continue;
      const auto [name, value] = entry(f.bytes());
      if (any.empty()) any = value;
      if (name == opset) block = value;
    }
    read_block(block.empty() ? any : block, 0);
  }

 private:
  static std::pair<std::string, Bytes> entry(Bytes bytes) {
    std::pair<std::string, Bytes> out;
    Protobuf p(bytes, "map entry");
    while (p.next()) {
      if (p.is(1, Wire::kBytes)) out.first = p.text();
      if (p.is(2, Wire::kBytes)) out.second = p.bytes();
    }
    return out;
  }

  void input(Bytes bytes) {
    ModelTensor t = named(bytes);
    if (!builder_.has(t.name)) {
      builder_.input(std::move(t));
      return;
    }
    ModelTensor& known = builder_.tensor(builder_.read(t.name));
    if (t.has_shape) {
      known.type = t.type;
      known.shape = t.shape;
      known.has_shape = true;
    }
  }

  void read_block(Bytes bytes, int depth) {
    if (depth > kMostDepth) fail(ErrorKind::bad_file, "ML program: blocks within blocks");
    Protobuf p(bytes, "ML block");
    std::vector<std::string> outputs;
    while (p.next()) {
      if (p.is(1, Wire::kBytes)) builder_.alias(named(p.bytes()).name, builder_.add(named(p.bytes())));
      if (p.is(2, Wire::kBytes)) outputs.emplace_back(p.text());
      if (p.is(3, Wire::kBytes)) operation(p.bytes(), depth);
    }
    if (depth > 0) return;
    for (const std::string& o : outputs) {
      if (!builder_.has(o)) fail(ErrorKind::bad_file, "ML program: nothing makes the output '{}'", printable(o));
      model_.graphs[0].outputs.push_back(builder_.read(o));
    }
  }

  ModelTensor named(Bytes bytes) {
    ModelTensor t;
    t.has_shape = false;
    std::string name;
    Protobuf p(bytes, "ML value");
    while (p.next()) {
      if (p.is(1, Wire::kBytes)) name = p.text();
      if (p.is(2, Wire::kBytes)) read_type(p.bytes(), t);
    }
    t.name = name;
    return t;
  }

  void read_type(Bytes bytes, ModelTensor& t) {
    budget_.take(1);
    Protobuf p(bytes, "ML type");
    while (p.next()) {
      if (!p.is(1, Wire::kBytes)) continue;  // lists, tuples and dictionaries stay without a type
      t.has_shape = true;
      Protobuf type(p.bytes(), "ML tensor type");
      while (type.next()) {
        if (type.is(1, Wire::kVarint)) t.type = mil_element(type.value());
        if (!type.is(3, Wire::kBytes)) continue;
        std::int64_t size = -1;
        Protobuf d(type.bytes(), "ML size");
        while (d.next()) {
          if (!d.is(1, Wire::kBytes)) continue;
          size = 0;
          Protobuf c(d.bytes(), "ML size");
          while (c.next()) {
            if (c.is(1, Wire::kVarint)) size = c.signed_value();
          }
        }
        t.shape.push_back(size);
        if (size < -1 || t.shape.size() > 16) fail(ErrorKind::bad_file, "ML program: {}", graph::to_string(t.shape));
      }
    }
  }

  // Arguments that the layers' own readers would have first stand first, the others by name.
  static int rank_of(std::string_view name) {
    static constexpr std::string_view kFirst[] = {"x", "data", "values", "input", "weight", "y", "indices", "bias"};
    const auto* it = std::ranges::find(kFirst, name);
    return static_cast<int>(it - std::begin(kFirst));
  }

  void operation(Bytes bytes, int depth) {
    std::string type;
    std::vector<std::pair<std::string, std::int32_t>> inputs;
    std::vector<ModelTensor> outputs;
    std::vector<Bytes> blocks;
    std::map<std::string, Attribute, std::less<>> attributes;
    std::optional<ModelTensor> value;
    std::vector<ModelTensor> stored;
    Protobuf p(bytes, "ML operation");
    while (p.next()) {
      budget_.take(1);
      if (p.is(1, Wire::kBytes)) type = p.text();
      if (p.is(2, Wire::kBytes)) arguments(p.bytes(), inputs);
      if (p.is(3, Wire::kBytes)) outputs.push_back(named(p.bytes()));
      if (p.is(4, Wire::kBytes)) blocks.push_back(p.bytes());
      if (p.is(5, Wire::kBytes)) {
        const auto [key, raw] = entry(p.bytes());
        if (auto t = read_value(raw)) {
          if (key == "val") {
            value = std::move(t);
          } else if (key != "name" && !t->bytes.empty()) {
            t->name = key;
            stored.push_back(std::move(*t));
          }
        }
      }
    }
    if (type.empty()) fail(ErrorKind::bad_file, "ML program: an operation without a type");
    std::ranges::stable_sort(inputs, {}, [](const auto& i) { return std::pair(rank_of(i.first), i.first); });
    std::vector<std::int32_t> list, results;
    for (const auto& [name, i] : inputs) list.push_back(i);
    for (ModelTensor& t : stored) list.push_back(builder_.add(std::move(t)));
    const std::string name = outputs.empty() ? "" : outputs[0].name;
    for (ModelTensor& t : outputs) {
      const std::string own = t.name;
      if (value && results.empty()) {
        value->name = own;
        t = std::move(*value);
        value.reset();
      }
      results.push_back(builder_.add(std::move(t)));
      builder_.alias(own, results.back());
    }
    ModelOp& op = builder_.op(type, name);
    op.inputs = std::move(list);
    op.outputs = std::move(results);
    op.attributes = std::move(attributes);
    for (const Bytes b : blocks) read_block(b, depth + 1);
  }

  void arguments(Bytes bytes, std::vector<std::pair<std::string, std::int32_t>>& to) {
    const auto [name, value] = entry(bytes);
    Protobuf a(value, "ML argument");
    while (a.next()) {
      if (!a.is(1, Wire::kBytes)) continue;
      Protobuf binding(a.bytes(), "ML binding");
      while (binding.next()) {
        budget_.take(1);
        if (binding.is(1, Wire::kBytes)) to.emplace_back(name, builder_.read(binding.text()));
        if (binding.is(2, Wire::kBytes)) {
          if (auto t = read_value(binding.bytes())) {
            t->name = name;
            to.emplace_back(name, builder_.add(std::move(*t)));
          }
        }
      }
    }
  }

  std::optional<ModelTensor> read_value(Bytes bytes) {
    ModelTensor t;
    t.has_shape = false;
    Bytes immediate;
    std::string file;
    std::uint64_t offset = 0;
    bool in_file = false;
    Protobuf p(bytes, "ML value");
    while (p.next()) {
      if (p.is(2, Wire::kBytes)) read_type(p.bytes(), t);
      if (p.is(3, Wire::kBytes)) immediate = p.bytes();
      if (!p.is(5, Wire::kBytes)) continue;
      in_file = true;
      Protobuf b(p.bytes(), "ML blob");
      while (b.next()) {
        if (b.is(1, Wire::kBytes)) file = b.text();
        if (b.is(2, Wire::kVarint)) offset = b.value();
      }
    }
    if (!t.has_shape || std::ranges::any_of(t.shape, [](std::int64_t d) { return d < 0; })) return std::nullopt;
    if (in_file) return from_file(std::move(t), file, offset);
    const Bytes content = numbers(immediate, t.type);
    if (t.type.bits == 0 || content.empty()) return std::nullopt;
    return constant_tensor("", t.type, t.shape, content);
  }

  ModelTensor from_file(ModelTensor t, std::string file, std::uint64_t offset) {
    constexpr std::string_view kHere = "@model_path/";
    if (file.starts_with(kHere)) file.erase(0, kHere.size());
    auto [at, fresh] = files_.try_emplace(file);
    if (fresh) {
      at->second = part_of(model_, source_, file);
      if (!at->second) model_.remarks.push_back(fmt::format("{} is not beside it", printable(file)));
    }
    if (!at->second) return t;
    const Bytes all = *at->second;
    Reader r(all, "ML weights");
    r.seek(offset);
    Reader record(r.take(kRecord), "ML weights");
    if (record.u32() != kSentinel) fail(ErrorKind::bad_file, "ML weights: no blob begins at {}", offset);
    record.u32();
    const std::uint64_t size = record.u64(), place = record.u64();
    if (!within(all.size(), place, size)) {
      fail_truncated("ML weights: a blob of {} bytes at {}, the file has {}", size, place, all.size());
    }
    return constant_tensor("", t.type, t.shape,
                           all.subspan(static_cast<std::size_t>(place), static_cast<std::size_t>(size)));
  }

  // Of an immediate tensor: floats 1, ints 2, bools 3, longs 5, doubles 6, bytes 7, in packed lists.
  Bytes numbers(Bytes immediate, const ElementType& type) {
    std::vector<std::byte> out;
    const auto put = [&](auto v) {
      const auto raw = std::bit_cast<std::array<std::byte, sizeof(v)>>(v);
      out.insert(out.end(), raw.begin(), raw.end());
    };
    const auto whole = [&](std::uint64_t v) {
      if (type.bits == 8) put(static_cast<std::uint8_t>(v));
      if (type.bits == 16) put(static_cast<std::uint16_t>(v));
      if (type.bits == 32) put(static_cast<std::uint32_t>(v));
      if (type.bits == 64) put(v);
    };
    Protobuf p(immediate, "ML immediate");
    while (p.next()) {
      if (!p.is(1, Wire::kBytes)) continue;
      Protobuf t(p.bytes(), "ML immediate");
      while (t.next()) {
        const std::uint32_t kind = t.field();
        if (t.wire() != Wire::kBytes) continue;
        Protobuf list(t.bytes(), "ML list");
        while (list.next()) {
          if (list.field() != 1) continue;
          if (kind == 7 && list.wire() == Wire::kBytes) return list.bytes();
          if ((kind == 1 || kind == 6) && list.wire() == Wire::kBytes) {
            out.insert(out.end(), list.bytes().begin(), list.bytes().end());
          }
          if (list.wire() == Wire::kFixed32) put(list.float_value());
          if (kind != 2 && kind != 3 && kind != 5) continue;
          if (list.wire() == Wire::kVarint) whole(list.value());
          if (list.wire() == Wire::kBytes) {
            Reader r(list.bytes(), "ML list");
            while (!r.done()) whole(r.varint());
          }
        }
      }
    }
    if (out.empty()) return {};
    model_.storage.push_back(std::move(out));
    return model_.storage.back();
  }

  Model& model_;
  const ModelSource& source_;
  Budget& budget_;
  GraphBuilder& builder_;
  std::map<std::string, std::optional<Bytes>> files_;
};

}  // namespace

void read_coreml_program(Bytes bytes, Model& model, const ModelSource& source, Budget& budget, GraphBuilder& builder) {
  ProgramReader(model, source, budget, builder).run(bytes);
}

}  // namespace thimble::gauge
