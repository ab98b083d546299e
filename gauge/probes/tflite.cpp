// Probe: TensorFlow Lite, FlatBuffers of schema version 3 with the identifier TFL3 (older writers left it out). Checks
// every table, every index and the length of every constant tensor; reads no option of any operator.
#include <array>

#include "gauge/probes/all.h"
#include "gauge/wire/flatbuffer.h"

namespace thimble::gauge {
namespace {

constexpr std::uint32_t kSchema = 3;
constexpr std::int32_t kCustom = 32, kLastBuiltin = 209;

// Bits of one element by TensorType; 0: of no fixed size (string, resource, variant) or unknown.
constexpr std::array<int, 23> kTypeBits{32, 16, 32, 8,  64, 0, 8,  16, 64, 8, 64, 128,
                                        64, 0,  0,  32, 16, 4, 16, 2,  4,  8, 8};

class Check {
 public:
  explicit Check(const ProbeInput& input) : buffer_(input.bytes), visits_left_(input.bytes.size()) {}

  ProbeResult run() {
    const FlatTable model = FlatTable::root(buffer_);
    result_.version = model.scalar<std::uint32_t>(4, 0);
    if (result_.version != kSchema) {
      fail(ErrorKind::unsupported, "schema version {}; version 3 is read", result_.version);
    }
    read_codes(model.vector<FlatTable>(6));
    read_buffers(model.vector<FlatTable>(12));
    model.string(8);  // description
    const auto metadata = model.vector<FlatTable>(16);
    for (std::uint32_t i = 0; i < metadata.size(); ++i) {
      visit(1);
      const FlatTable entry = metadata[i];
      entry.string(4);
      if (entry.scalar<std::uint32_t>(6, 0) >= buffer_bytes_.size()) malformed("metadata {} names no buffer", i);
    }
    const auto graphs = model.vector<FlatTable>(8);
    result_.graphs = graphs.size();
    for (std::uint32_t i = 0; i < graphs.size(); ++i) read_graph(graphs[i], i);
    if (result_.operators == 0) {
      result_.reason = "its graphs have no operators";
      return result_;
    }
    if (newer_ops_ != 0) result_.reason = fmt::format("{} operators newer than those known", newer_ops_);
    result_.status = ModelStatus::ok;
    result_.bytes = buffer_.extent();
    return result_;
  }

 private:
  template <class... Args>
  [[noreturn]] static void malformed(fmt::format_string<Args...> format, Args&&... args) {
    throw Error(ErrorKind::bad_file, fmt::format(format, std::forward<Args>(args)...));
  }

  // Tables may be pointed to more than once, so the time for a small file could be anything; an honest one has fewer
  // objects than bytes.
  void visit(std::uint64_t objects) {
    if (objects > visits_left_) malformed("more objects than the file has bytes: they are used twice over");
    visits_left_ -= objects;
  }

  void read_codes(const FlatVector<FlatTable>& codes) {
    visit(codes.size());
    for (std::uint32_t i = 0; i < codes.size(); ++i) {
      const FlatTable code = codes[i];
      const std::int32_t op = std::max<std::int32_t>(code.scalar<std::int8_t>(4, 0), code.scalar<std::int32_t>(10, 0));
      const std::string_view custom = code.string(6);
      if (op == kCustom && custom.empty()) malformed("operator code {} is custom and has no name", i);
      newer_ops_ += op > kLastBuiltin ? 1 : 0;
    }
    codes_ = codes.size();
  }

  void read_buffers(const FlatVector<FlatTable>& buffers) {
    visit(buffers.size());
    buffer_bytes_.reserve(buffers.size());
    for (std::uint32_t i = 0; i < buffers.size(); ++i) {
      const FlatTable b = buffers[i];
      std::uint64_t size = b.vector<std::uint8_t>(4).size();
      // Above 2 GiB the bytes stand behind the flatbuffer, at an offset from the file's start; 0 and 1 mean that they
      // don't.
      const auto offset = b.scalar<std::uint64_t>(6, 0), outside = b.scalar<std::uint64_t>(8, 0);
      if (offset > 1) {
        buffer_.range(offset, outside);
        size = outside;
      }
      buffer_bytes_.push_back(size);
    }
  }

  void read_graph(const FlatTable& graph, std::uint32_t number) {
    const auto tensors = graph.vector<FlatTable>(4);
    visit(tensors.size() + 1);
    result_.tensors += tensors.size();
    for (std::uint32_t i = 0; i < tensors.size(); ++i) read_tensor(tensors[i], number, i);
    check_indices(graph.vector<std::int32_t>(6), 0, tensors.size(), "an input of graph", number);
    check_indices(graph.vector<std::int32_t>(8), 0, tensors.size(), "an output of graph", number);
    const auto operators = graph.vector<FlatTable>(10);
    visit(operators.size());
    result_.operators += operators.size();
    for (std::uint32_t i = 0; i < operators.size(); ++i) {
      const FlatTable op = operators[i];
      if (op.scalar<std::uint32_t>(4, 0) >= codes_) malformed("operator {} of graph {} has no code", i, number);
      check_indices(op.vector<std::int32_t>(6), -1, tensors.size(), "an input of operator", i);  // -1: left out
      check_indices(op.vector<std::int32_t>(8), 0, tensors.size(), "an output of operator", i);
      if (op.scalar<std::uint8_t>(10, 0) != 0) op.table(12);
      op.vector<std::uint8_t>(14).bytes();
    }
    graph.string(12);
  }

  void check_indices(const FlatVector<std::int32_t>& indices, std::int64_t least, std::uint32_t tensors,
                     const char* who, std::uint32_t number) {
    visit(indices.size());
    for (std::uint32_t i = 0; i < indices.size(); ++i) {
      if (indices[i] < least || indices[i] >= static_cast<std::int64_t>(tensors)) {
        malformed("{} {} is tensor {} of {}", who, number, indices[i], tensors);
      }
    }
  }

  void read_tensor(const FlatTable& t, std::uint32_t graph, std::uint32_t number) {
    const auto type = t.scalar<std::uint8_t>(6, 0);
    const auto index = t.scalar<std::uint32_t>(8, 0);
    t.string(10);
    if (const auto q = t.table(12)) {
      visit(q->vector<float>(8).size() + q->vector<std::int64_t>(10).size());
    }
    if (index >= buffer_bytes_.size())
      malformed("tensor {} of graph {} names buffer {} of {}", number, graph, index, buffer_bytes_.size());
    const auto shape = t.vector<std::int32_t>(4);
    visit(shape.size());
    std::uint64_t elements = 1;
    for (std::uint32_t i = 0; i < shape.size(); ++i) {
      const std::int32_t d = shape[i];
      if (d < -1) malformed("tensor {} of graph {} has a dimension of {}", number, graph, d);
      if (__builtin_mul_overflow(elements, static_cast<std::uint64_t>(std::max(d, 0)), &elements)) {
        malformed("tensor {} of graph {} has more elements than can be counted", number, graph);
      }
    }
    const std::uint64_t bytes = index == 0 ? 0 : buffer_bytes_[index];  // buffer 0 is empty by agreement
    if (bytes == 0) return;
    const bool sparse = t.table(16).has_value();
    const int bits = type < kTypeBits.size() ? kTypeBits[type] : 0;
    if (bits != 0 && !sparse && (elements > (~std::uint64_t{0} >> 8) || (elements * bits + 7) / 8 != bytes)) {
      malformed("tensor {} of graph {} has {} elements of {} bits, its buffer {} bytes", number, graph, elements, bits,
                bytes);
    }
    result_.parameters += elements;
  }

  FlatBuffer buffer_;
  std::uint64_t visits_left_;
  ProbeResult result_;
  std::vector<std::uint64_t> buffer_bytes_;
  std::uint32_t codes_ = 0;
  int newer_ops_ = 0;
};

bool signature(Bytes head) { return starts_with(head, "TFL3", 4); }

ProbeResult validate(const ProbeInput& input) {
  ProbeResult result = checked([](const ProbeInput& in) { return Check(in).run(); }, input);
  // Without the identifier the first bytes were a guess.
  const bool guessed = !signature(input.bytes.first(std::min(input.bytes.size(), kHeadBytes)));
  if (guessed && result.status != ModelStatus::ok) result.status = ModelStatus::not_a_model;
  return result;
}

}  // namespace

const ModelProbe kTfliteProbe{.format = "tflite",
                              .own_suffixes = ".tflite .tfl .lite",
                              .shared_suffixes = ".bin .model .dat",
                              .signature = signature,
                              .validate = validate,
                              .carve_magic = "TFL3",
                              .carve_at = 4};

}  // namespace thimble::gauge
