// Probe: ONNX, a protobuf message without magic. Walks the model, its graphs and their subgraphs, and checks that every
// tensor has the bytes its shape and type want. Reads no attribute's meaning and infers no shapes.
#include <algorithm>

#include "gauge/probes/all.h"
#include "gauge/wire/protobuf.h"

namespace thimble::gauge {
namespace {

constexpr std::uint64_t kMostIr = 20;  // 13 is the highest published
constexpr int kMostDepth = 24;         // graphs within attributes within graphs

// Bits of one element by TensorProto.DataType; 0: undefined or string.
constexpr int kTypeBits[] = {0, 32, 8, 8, 16, 16, 32, 64, 0, 8, 16, 64, 32, 64, 64, 128, 16, 8, 8, 8, 8, 4, 4, 4};

std::uint64_t packed_varints(Bytes bytes) {
  return static_cast<std::uint64_t>(
      std::count_if(bytes.begin(), bytes.end(), [](std::byte b) { return (b & std::byte{0x80}) == std::byte{0}; }));
}

class Check {
 public:
  explicit Check(bool carved) : carved_(carved) {}

  ProbeResult run(Bytes bytes) {
    Protobuf model(bytes, "ONNX model");
    bool graph_seen = false;
    unsigned seen = 0;  // bit f: singular field f came
    while (advance(model)) {
      const std::uint32_t f = model.field();
      if (f <= 7 && (seen >> f & 1) != 0) {
        if (carved_) break;  // the next model begins
        fail(ErrorKind::bad_file, "field {} of the model comes twice", f);
      }
      seen |= f <= 7 ? 1u << f : 0u;
      if (model.is(1, Protobuf::kVarint)) {
        result_.version = model.signed_value();
        if (model.value() == 0 || model.value() > kMostIr) {
          fail(ErrorKind::unsupported, "IR version {}; 1 to {} are read", model.value(), kMostIr);
        }
      } else if (model.is(7, Protobuf::kBytes)) {
        graph(model.bytes(), 0);
        graph_seen = true;
      } else if (carved_ && !known(model)) {
        break;
      }
      result_.bytes = model.end();
    }
    if (!graph_seen || result_.operators == 0) {
      result_.reason = graph_seen ? "its graph has no nodes" : "it has no graph";
      return result_;
    }
    if (external_ != 0) result_.reason = fmt::format("{} tensors lie in other files", external_);
    result_.status = ModelStatus::ok;
    return result_;
  }

 private:
  // Behind a carved model anything may follow, so the first field that is none ends it.
  bool advance(Protobuf& model) const {
    if (!carved_ || result_.operators == 0) return model.next();
    try {
      return model.next();
    } catch (const Error&) {
      return false;
    }
  }

  static bool known(const Protobuf& m) {
    switch (m.field()) {
      case 1:
      case 5: return m.wire() == Protobuf::kVarint;
      case 2:
      case 3:
      case 4:
      case 6:
      case 7:
      case 8:
      case 14:
      case 20:
      case 25:
      case 26: return m.wire() == Protobuf::kBytes;
      default: return false;
    }
  }

  void graph(Bytes bytes, int depth) {
    if (depth > kMostDepth) fail(ErrorKind::bad_file, "graphs within graphs, more than {} deep", kMostDepth);
    ++result_.graphs;
    Protobuf g(bytes, "ONNX graph");
    while (g.next()) {
      if (g.is(1, Protobuf::kBytes)) node(g.bytes(), depth);
      if (g.is(5, Protobuf::kBytes)) tensor(g.bytes());
      if (g.is(15, Protobuf::kBytes)) sparse_tensor(g.bytes());
    }
  }

  void node(Bytes bytes, int depth) {
    Protobuf n(bytes, "ONNX node");
    bool has_type = false;
    while (n.next()) {
      if (n.is(4, Protobuf::kBytes)) has_type = !n.bytes().empty();
      if (n.is(5, Protobuf::kBytes)) attribute(n.bytes(), depth);
    }
    if (!has_type) fail(ErrorKind::bad_file, "node {} has no operator", result_.operators);
    ++result_.operators;
  }

  void attribute(Bytes bytes, int depth) {
    Protobuf a(bytes, "ONNX attribute");
    while (a.next()) {
      if (a.wire() != Protobuf::kBytes) continue;
      if (a.field() == 5 || a.field() == 10) tensor(a.bytes());
      if (a.field() == 6 || a.field() == 11) graph(a.bytes(), depth + 1);
      if (a.field() == 22 || a.field() == 23) sparse_tensor(a.bytes());
    }
  }

  void sparse_tensor(Bytes bytes) {
    Protobuf s(bytes, "ONNX sparse tensor");
    while (s.next()) {
      if (s.is(1, Protobuf::kBytes)) tensor(s.bytes());
    }
  }

  void dimension(std::uint64_t d, std::uint64_t& elements) {
    if (d >> 63 != 0) fail(ErrorKind::bad_file, "a tensor has a negative dimension");
    if (__builtin_mul_overflow(elements, d, &elements))
      fail(ErrorKind::bad_file, "a tensor has more elements than can be counted");
  }

  void tensor(Bytes bytes) {
    std::uint64_t elements = 1, type = 0, values = 0;
    bool raw = false, external = false, typed = false;
    Bytes raw_bytes;
    std::string_view name;
    Protobuf t(bytes, "ONNX tensor");
    while (t.next()) {
      const bool packed = t.wire() == Protobuf::kBytes;
      switch (t.field()) {
        case 1:
          if (packed) {
            Reader dims(t.bytes(), "ONNX dims");
            while (!dims.done()) dimension(dims.varint(), elements);
          } else {
            dimension(t.value(), elements);
          }
          break;
        case 2: type = t.value(); break;
        case 4:  // float_data
          values += packed ? t.bytes().size() / 4 : 1;
          typed = true;
          break;
        case 5:
        case 7:
        case 11:  // int32_data, int64_data, uint64_data
          values += packed ? packed_varints(t.bytes()) : 1;
          typed = true;
          break;
        case 6:
          ++values;
          typed = true;
          break;
        case 8: name = packed ? t.text() : name; break;
        case 9:
          raw = packed;
          raw_bytes = t.bytes();
          break;
        case 10:
          values += packed ? t.bytes().size() / 8 : 1;
          typed = true;
          break;
        case 14: external = t.value() == 1; break;
        default: break;
      }
    }
    check_size(name, type, elements, raw, raw_bytes.size(), typed, values, external);
    ++result_.tensors;
    result_.parameters += elements;
    external_ += external ? 1 : 0;
  }

  static void check_size(std::string_view name, std::uint64_t type, std::uint64_t elements, bool raw,
                         std::uint64_t raw_size, bool typed, std::uint64_t values, bool external) {
    const int bits = type < std::size(kTypeBits) ? kTypeBits[type] : 0;
    if (external || bits == 0 || elements == 0) return;
    if (elements > (~std::uint64_t{0} >> 8))
      fail(ErrorKind::bad_file, "tensor '{}' has {} elements", printable(name), elements);
    if (raw ? raw_size != (elements * bits + 7) / 8 : !typed) {
      fail(ErrorKind::bad_file, "tensor '{}' has {} elements of {} bits and {} bytes", printable(name), elements, bits,
           raw_size);
    }
    if (!raw && bits >= 8 && type < 14 && values != elements) {
      fail(ErrorKind::bad_file, "tensor '{}' has {} elements and {} values", printable(name), elements, values);
    }
  }

  bool carved_;
  ProbeResult result_;
  std::uint64_t external_ = 0;
};

// `08 <ir>`, then the producer's name as text, or a graph, an operator set, or the other fields in rare writers' order.
bool signature(Bytes head) {
  if (head.size() < 16 || head[0] != std::byte{8}) return false;
  const auto ir = std::to_integer<unsigned>(head[1]), key = std::to_integer<unsigned>(head[2]);
  if (ir == 0 || ir > kMostIr) return false;
  const auto length = std::to_integer<unsigned>(head[3]);
  if (key == 0x12) {
    const std::string_view producer = text_of(head.subspan(4, std::min<std::size_t>(length, head.size() - 4)));
    return length < 128 && std::all_of(producer.begin(), producer.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
  }
  if (key == 0x3a) {  // a graph begins with a node (1) or its name (2)
    Reader r(head.subspan(3), "ONNX");
    try {
      if (r.varint() < 16) return false;
      const std::uint8_t first = r.u8();
      return first == 0x0a || first == 0x12;
    } catch (const Error&) {
      return false;
    }
  }
  return key == 0x42 && length >= 2 && length < 64;
}

ProbeResult validate(const ProbeInput& input) {
  ProbeResult result = checked([](const ProbeInput& in) { return Check(in.carved).run(in.bytes); }, input);
  const bool guessed = !signature(input.bytes.first(std::min(input.bytes.size(), kHeadBytes)));
  if (guessed && result.status != ModelStatus::ok) result.status = ModelStatus::not_a_model;
  return result;
}

}  // namespace

const ModelProbe kOnnxProbe{.format = "onnx",
                            .own_suffixes = ".onnx",
                            .shared_suffixes = ".pb .bin .model .dat .data",
                            .signature = signature,
                            .validate = validate,
                            .carve_magic = "\x08",
                            .carve_at = 0};

}  // namespace thimble::gauge
