// Reads what PyTorch saves: the data.pkl of an archive (state dicts, TorchScript, the mobile interpreter's files) with
// the storages beside it, or an old pickle with its storages behind it. Pickles are data here (pickle.h).
// Operators come from the mobile interpreter's bytecode, else from the calls in TorchScript's texts, counted as they
// are written: once a place, not once a run. State dicts have none.
#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <functional>
#include <map>
#include <set>

#include "gauge/model/pickle.h"
#include "gauge/model/readers.h"

namespace thimble::gauge {
namespace {

constexpr int kMostDepth = 64;
constexpr std::int64_t kLegacyMagic = static_cast<std::int64_t>(0xa86a20f9469cfc6cULL);  // low 64 bits
constexpr std::size_t kMostFiles = 4096;                                                 // of TorchScript's texts

ElementType storage_element(std::string_view name) {
  static constexpr std::pair<std::string_view, std::string_view> kNames[] = {
      {"FloatStorage", "f32"}, {"HalfStorage", "f16"},  {"BFloat16Storage", "bf16"}, {"DoubleStorage", "f64"},
      {"CharStorage", "i8"},   {"ByteStorage", "u8"},   {"ShortStorage", "i16"},     {"IntStorage", "i32"},
      {"LongStorage", "i64"},  {"BoolStorage", "bool"}, {"QInt8Storage", "i8"},      {"QUInt8Storage", "u8"},
      {"QInt32Storage", "i32"}};
  for (const auto& [word, type] : kNames) {
    if (name == word) return element_type(type);
  }
  return {"unknown", 0, {}};
}

struct Storage {
  ElementType type;
  std::string key;
  std::int64_t elements = 0;
};

class TensorFinder {
 public:
  TensorFinder(const Pickle& pickle, Model& model) : pickle_(pickle), model_(model) {}

  using Bring = std::function<std::optional<Bytes>(const Storage&)>;

  void run(GraphBuilder& builder, const Bring& bring) {
    builder_ = &builder;
    bring_ = &bring;
    walk(pickle_.root(), "", 0);
    if (missing_ > 0) {
      model_.remarks.push_back(fmt::format("{} tensors have no storage beside the pickle", missing_));
    }
  }

 private:
  // Values may be reached by many ways; each tensor counts once.
  void walk(PickleId id, const std::string& path, int depth) {
    if (depth > kMostDepth || !seen_.insert(id).second) return;
    const PickleValue& v = pickle_.at(id);
    switch (v.kind) {
      case PickleValue::Kind::call: call(id, v, path, depth); break;
      case PickleValue::Kind::dict:
        for (std::size_t i = 0; i + 1 < v.items.size(); i += 2) {
          walk(v.items[i + 1], joined(path, name_of(v.items[i])), depth + 1);
        }
        break;
      case PickleValue::Kind::list:
        for (std::size_t i = 0; i < v.items.size(); ++i) walk(v.items[i], joined(path, std::to_string(i)), depth + 1);
        break;
      default: break;
    }
  }

  void call(PickleId id, const PickleValue& v, const std::string& path, int depth) {
    const std::string_view what = pickle_.called(id);
    if (what.ends_with(" _rebuild_tensor_v2") || what.ends_with(" _rebuild_tensor") ||
        what.ends_with(" _rebuild_qtensor") || what.ends_with(" _rebuild_tensor_v3")) {
      tensor(pickle_.at(v.items[1]), path);
      return;
    }
    // Parameters, ordered dictionaries, modules: arguments, then states.
    for (std::size_t i = 1; i < v.items.size(); ++i) {
      const PickleValue& part = pickle_.at(v.items[i]);
      if (i == 1 && what.ends_with(" _rebuild_parameter") && !part.items.empty()) {
        walk(part.items[0], path, depth + 1);
      } else {
        walk(v.items[i], path, depth + 1);
      }
    }
    // An OrderedDict gets its entries set after the call: they stand behind the arguments, key, value …
    if (what == "collections OrderedDict") {
      for (std::size_t i = 2; i + 1 < v.items.size(); i += 2) {
        walk(v.items[i + 1], joined(path, name_of(v.items[i])), depth + 1);
      }
    }
  }

  static std::string joined(const std::string& path, const std::string& name) {
    return path.empty() ? name : path + "." + name;
  }

  std::string name_of(PickleId id) const {
    const PickleValue& k = pickle_.at(id);
    return k.kind == PickleValue::Kind::text    ? k.text
           : k.kind == PickleValue::Kind::whole ? std::to_string(k.number)
                                                : "?";
  }

  std::optional<Storage> storage(const PickleValue& v) const {
    if (v.kind != PickleValue::Kind::persistent || v.items.empty()) return std::nullopt;
    const PickleValue& parts = pickle_.at(v.items[0]);  // "storage", class, key, device, elements
    if (parts.items.size() < 5) return std::nullopt;
    Storage s;
    const std::string& type = pickle_.at(parts.items[1]).text;
    s.type = storage_element(std::string_view(type).substr(std::min(type.find_last_of(" .") + 1, type.size())));
    s.key = pickle_.at(parts.items[2]).text;
    if (s.key.empty()) s.key = std::to_string(pickle_.at(parts.items[2]).number);
    s.elements = pickle_.at(parts.items[4]).number;
    return s;
  }

  std::vector<std::int64_t> numbers(PickleId id) const {
    std::vector<std::int64_t> out;
    for (const PickleId i : pickle_.at(id).items) out.push_back(pickle_.at(i).number);
    return out;
  }

  void tensor(const PickleValue& arguments, const std::string& path) {
    if (arguments.items.size() < 4) fail(ErrorKind::bad_file, "PyTorch: tensor '{}' lacks parts", printable(path));
    const auto s = storage(pickle_.at(arguments.items[0]));
    if (!s) fail(ErrorKind::bad_file, "PyTorch: tensor '{}' names no storage", printable(path));
    const std::int64_t offset = pickle_.at(arguments.items[1]).number;
    const graph::Shape shape = numbers(arguments.items[2]);
    const std::vector<std::int64_t> strides = numbers(arguments.items[3]);
    std::uint64_t elements = 1, last = 0;
    for (std::size_t i = 0; i < shape.size(); ++i) {
      if (shape[i] < 0 || i >= strides.size() || strides[i] < 0 ||
          __builtin_mul_overflow(elements, static_cast<std::uint64_t>(shape[i]), &elements)) {
        fail(ErrorKind::bad_file, "PyTorch: tensor '{}' {}", printable(path), graph::to_string(shape));
      }
      std::uint64_t reach = 0;
      if (shape[i] > 0 && (__builtin_mul_overflow(static_cast<std::uint64_t>(shape[i] - 1),
                                                  static_cast<std::uint64_t>(strides[i]), &reach) ||
                           __builtin_add_overflow(last, reach, &last))) {
        fail(ErrorKind::bad_file, "PyTorch: tensor '{}' reaches past any storage", printable(path));
      }
    }
    const std::uint64_t width = static_cast<std::uint64_t>(s->type.bits) / 8;
    if (s->elements < 0 || s->elements > (std::int64_t{1} << 46)) {
      fail(ErrorKind::bad_file, "PyTorch: a storage of {} elements", s->elements);
    }
    ModelTensor t;
    t.name = path;
    t.type = s->type;
    t.shape = shape;
    if (elements > 0 && width > 0) {
      if (offset < 0 || last >= static_cast<std::uint64_t>(s->elements) ||
          static_cast<std::uint64_t>(offset) >= static_cast<std::uint64_t>(s->elements) - last) {
        fail(ErrorKind::bad_file, "PyTorch: tensor '{}' {} lies outside its storage of {}", printable(path),
             graph::to_string(shape), s->elements);
      }
      const auto bytes = (*bring_)(*s);
      if (!bytes) {
        ++missing_;
      } else {
        if (bytes->size() / width < static_cast<std::uint64_t>(s->elements)) {
          fail_truncated("PyTorch: storage {} has {} bytes for {} elements", printable(s->key), bytes->size(),
                         s->elements);
        }
        const bool dense = is_dense(shape, strides);
        const Bytes from = bytes->subspan(static_cast<std::size_t>(static_cast<std::uint64_t>(offset) * width));
        t = constant_tensor(path, s->type, shape,
                            dense ? from.first(static_cast<std::size_t>(elements * width))
                                  : gathered(from, shape, strides, elements, width));
      }
    }
    if (width == 0)
      model_.remarks.push_back(fmt::format("tensor '{}' is of a type that is not known", printable(path)));
    builder_->add(std::move(t));
  }

  static bool is_dense(const graph::Shape& shape, const std::vector<std::int64_t>& strides) {
    std::int64_t expected = 1;
    for (std::size_t i = shape.size(); i-- > 0;) {
      if (shape[i] != 1 && strides[i] != expected) return false;
      expected *= shape[i];
    }
    return true;
  }

  // A copy in row order. A storage repeated by strides of 0 may grow, within the size of a real one.
  Bytes gathered(Bytes from, const graph::Shape& shape, const std::vector<std::int64_t>& strides,
                 std::uint64_t elements, std::uint64_t width) {
    if (elements * width > std::max<std::uint64_t>(from.size(), 1 << 20)) {
      fail(ErrorKind::bad_file, "PyTorch: a tensor of {} elements over {} bytes", elements, from.size());
    }
    auto& out = model_.storage.emplace_back(static_cast<std::size_t>(elements * width));
    std::vector<std::int64_t> at(shape.size(), 0);
    for (std::uint64_t n = 0; n < elements; ++n) {
      std::uint64_t place = 0;
      for (std::size_t i = 0; i < shape.size(); ++i) place += static_cast<std::uint64_t>(at[i] * strides[i]);
      std::copy_n(from.data() + place * width, width, out.data() + n * width);
      for (std::size_t i = shape.size(); i-- > 0;) {
        if (++at[i] < shape[i]) break;
        at[i] = 0;
      }
    }
    return out;
  }

  const Pickle& pickle_;
  Model& model_;
  GraphBuilder* builder_ = nullptr;
  const Bring* bring_ = nullptr;
  std::set<PickleId> seen_;
  int missing_ = 0;
};

// ---- operators ----

// ("instructions", ((code, x, n) …)) and ("operators", ((name, overload …) …)) of each method: an OP runs operator x.
void bytecode_operators(const Pickle& p, GraphBuilder& b) {
  const PickleValue& root = p.at(p.root());
  for (std::size_t m = 0; m < root.items.size(); ++m) {
    const PickleValue& method = p.at(root.items[m]);
    if (method.items.size() < 2) continue;
    const PickleValue* instructions = nullptr;
    const PickleValue* operators = nullptr;
    for (const PickleId pair : p.at(method.items[1]).items) {
      const PickleValue& entry = p.at(pair);
      if (entry.items.size() < 2) continue;
      const std::string& key = p.at(entry.items[0]).text;
      if (key == "instructions") instructions = &p.at(entry.items[1]);
      if (key == "operators") operators = &p.at(entry.items[1]);
    }
    if (instructions == nullptr || operators == nullptr) continue;
    const std::string& name = p.at(method.items[0]).text;
    for (const PickleId i : instructions->items) {
      const PickleValue& instruction = p.at(i);
      if (instruction.items.size() < 2) continue;
      const std::string& code = p.at(instruction.items[0]).text;
      if (code != "OP" && code != "OPN") continue;
      const auto x = static_cast<std::uint64_t>(p.at(instruction.items[1]).number);
      if (x >= operators->items.size())
        fail(ErrorKind::bad_file, "PyTorch: operator {} of {}", x, operators->items.size());
      const PickleValue& op = p.at(operators->items[static_cast<std::size_t>(x)]);
      if (op.items.empty()) fail(ErrorKind::bad_file, "PyTorch: an operator without a name");
      const std::string overload = op.items.size() > 1 ? p.at(op.items[1]).text : "";
      b.op(p.at(op.items[0]).text + (overload.empty() ? "" : "." + overload), name);
    }
  }
}

// Calls in TorchScript's texts: "torch.conv2d(", "ops.prim.NumToTensor(".
void script_operators(std::string_view text, const std::string& file, GraphBuilder& b) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    const bool torch = text.substr(at).starts_with("torch."), ops = text.substr(at).starts_with("ops.");
    const bool start = at == 0 || (std::isalnum(static_cast<unsigned char>(text[at - 1])) == 0 && text[at - 1] != '_' &&
                                   text[at - 1] != '.');
    if (!start || (!torch && !ops)) continue;
    std::size_t end = at;
    while (end < text.size() &&
           (std::isalnum(static_cast<unsigned char>(text[end])) != 0 || text[end] == '_' || text[end] == '.')) {
      ++end;
    }
    if (end < text.size() && text[end] == '(' && end - at < 128) {
      std::string name(text.substr(at, end - at));
      if (torch) {
        name = "aten::" + name.substr(6);
      } else {
        name = name.substr(4);
        if (const auto dot = name.find('.'); dot != std::string::npos) name.replace(dot, 1, "::");
      }
      b.op(std::move(name), file);
    }
    at = end;
  }
}

// The text of a class, "__torch__.a.b.C" in code/__torch__/a/b.py: files are named by the types in the pickle.
void scripts(const Pickle& p, Model& model, const ModelSource& source, GraphBuilder& b) {
  std::set<std::string> files;
  for (PickleId i = 0; i < p.size() && files.size() < kMostFiles; ++i) {
    const PickleValue& v = p.at(i);
    if (v.kind != PickleValue::Kind::global || !v.text.starts_with("__torch__")) continue;
    std::string module = v.text.substr(0, v.text.find(' '));
    std::ranges::replace(module, '.', '/');
    files.insert("code/" + module + ".py");
  }
  for (const std::string& f : files) {
    if (const auto text = part_of(model, source, f)) script_operators(text_of(*text), f, b);
  }
}

Model read_archive(const ModelSource& source) {
  Model model = start_model("pytorch", source);
  ModelGraph& g = model.graphs.emplace_back();
  GraphBuilder b(g);
  const Pickle pickle = Pickle::read(source.bytes);
  std::map<std::string, std::optional<Bytes>> storages;
  const TensorFinder::Bring bring = [&](const Storage& s) -> std::optional<Bytes> {
    auto [at, fresh] = storages.try_emplace(s.key);
    if (fresh) {
      at->second = part_of(model, source, "data/" + s.key);
      if (!at->second) at->second = part_of(model, source, s.key);  // the mobile interpreter's full names
    }
    return at->second;
  };
  TensorFinder(pickle, model).run(b, bring);
  if (const auto version = part_of(model, source, "version")) {
    model.version = std::atoi(std::string(text_of(*version).substr(0, 8)).c_str());
  }
  if (const auto constants = part_of(model, source, "constants.pkl")) {
    const Pickle more = Pickle::read(*constants);
    const TensorFinder::Bring constants_of = [&](const Storage& s) {
      return part_of(model, source, "constants/" + s.key);
    };
    TensorFinder(more, model).run(b, constants_of);
  }
  if (const auto bytecode = part_of(model, source, "bytecode.pkl")) {
    model.producer = "PyTorch's mobile interpreter";
    bytecode_operators(Pickle::read(*bytecode), b);
  } else {
    scripts(pickle, model, source, b);
    model.producer = g.ops.empty() ? "" : "TorchScript";
  }
  if (g.ops.empty()) model.remarks.push_back("tensors alone: the layers are in a program's code");
  if (g.ops.empty() && g.tensors.empty()) fail(ErrorKind::bad_file, "PyTorch: no tensors and no operators");
  return model;
}

// Magic, protocol, system, object, keys of storages, then each storage: its count of elements and its bytes.
Model read_legacy(const ModelSource& source) {
  Model model = start_model("pytorch", source);
  GraphBuilder b(model.graphs.emplace_back());
  std::size_t at = 0;
  const auto next = [&] {
    Pickle p = Pickle::read(source.bytes.subspan(at));
    at += p.bytes();
    return p;
  };
  const Pickle magic = next(), protocol = next();
  if (magic.at(magic.root()).number != kLegacyMagic) fail(ErrorKind::bad_file, "PyTorch: a pickle of something else");
  model.version = protocol.at(protocol.root()).number;
  next();
  const Pickle object = next(), keys = next();
  // A storage's width is known from the tensors that name it.
  std::map<std::string, Storage> described;
  const TensorFinder::Bring describe = [&](const Storage& s) -> std::optional<Bytes> {
    described.emplace(s.key, s);
    return std::nullopt;
  };
  Model scratch;
  GraphBuilder throwaway(scratch.graphs.emplace_back());
  TensorFinder(object, scratch).run(throwaway, describe);
  std::map<std::string, Bytes> storages;
  Reader r(source.bytes, "PyTorch storages");
  r.seek(at);
  for (const PickleId id : keys.at(keys.root()).items) {
    const PickleValue& key = keys.at(id);
    const std::string name = key.kind == PickleValue::Kind::text ? key.text : std::to_string(key.number);
    const std::uint64_t elements = r.u64();
    const auto s = described.find(name);
    if (s == described.end() || s->second.type.bits == 0) {
      model.remarks.push_back("a storage that no tensor names ends what is read");
      break;
    }
    std::uint64_t bytes = 0;
    if (__builtin_mul_overflow(elements, static_cast<std::uint64_t>(s->second.type.bits) / 8, &bytes)) {
      fail(ErrorKind::bad_file, "PyTorch: a storage of {} elements", elements);
    }
    storages[name] = r.take(bytes);
  }
  const TensorFinder::Bring bring = [&](const Storage& s) -> std::optional<Bytes> {
    const auto it = storages.find(s.key);
    return it == storages.end() ? std::nullopt : std::optional(it->second);
  };
  TensorFinder(object, model).run(b, bring);
  if (model.graphs[0].tensors.empty()) fail(ErrorKind::bad_file, "PyTorch: no tensors");
  model.remarks.push_back("tensors alone: the layers are in a program's code");
  return model;
}

}  // namespace

Model read_pytorch(const ModelSource& source) {
  constexpr std::string_view kLegacy{"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 12};
  return starts_with(source.bytes, kLegacy, 2) ? read_legacy(source) : read_archive(source);
}

}  // namespace thimble::gauge
