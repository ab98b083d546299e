// Probe: GGUF, versions 1 to 3: key-value pairs, tensor descriptions, then the tensors' bytes at an alignment. Checks
// that every pair parses and that every tensor of a known type lies within the file. It runs no graph: there is none in
// the file, so `operators` stays 0.
#include <algorithm>

#include "gauge/probes/all.h"

namespace thimble::gauge {
namespace {

constexpr int kMostDims = 8;

struct Block {
  std::uint32_t type, elements, bytes;
};
// Element types: how many elements make a block and how many bytes it takes.
constexpr Block kBlocks[] = {
    {0, 1, 4},      {1, 1, 2},     {2, 32, 18},    {3, 32, 20},    {6, 32, 22},    {7, 32, 24},    {8, 32, 34},
    {9, 32, 36},    {10, 256, 84}, {11, 256, 110}, {12, 256, 144}, {13, 256, 176}, {14, 256, 210}, {15, 256, 292},
    {16, 256, 66},  {17, 256, 74}, {18, 256, 98},  {19, 256, 50},  {20, 32, 18},   {21, 256, 110}, {22, 256, 82},
    {23, 256, 136}, {24, 1, 1},    {25, 1, 2},     {26, 1, 4},     {27, 1, 8},     {28, 1, 8},     {29, 256, 56},
    {30, 1, 2},     {34, 256, 54}, {35, 256, 66},  {39, 32, 17},
};

enum ValueType : std::uint32_t { kU8, kI8, kU16, kI16, kU32, kI32, kF32, kBool, kString, kArray, kU64, kI64, kF64 };

std::uint64_t value_bytes(std::uint32_t type) {
  switch (type) {
    case kU8:
    case kI8:
    case kBool: return 1;
    case kU16:
    case kI16: return 2;
    case kU32:
    case kI32:
    case kF32: return 4;
    case kU64:
    case kI64:
    case kF64: return 8;
    default: fail(ErrorKind::bad_file, "a value of type {}, which there is not", type);
  }
}

class Check {
 public:
  explicit Check(Bytes bytes) : bytes_(bytes), r_(bytes, "GGUF") {}

  ProbeResult run() {
    r_.skip(4);
    version_ = r_.u32();
    result_.version = version_;
    if (version_ == 0 || version_ > 3) fail(ErrorKind::unsupported, "version {}; 1 to 3 are read", version_);
    const std::uint64_t tensors = size(), pairs = size();
    for (std::uint64_t i = 0; i < pairs; ++i) pair();
    std::uint64_t end = 0;
    for (std::uint64_t i = 0; i < tensors; ++i) end = std::max(end, tensor());
    if (alignment_ == 0 || alignment_ > (1u << 20)) fail(ErrorKind::bad_file, "an alignment of {} bytes", alignment_);
    const std::uint64_t data = (r_.at() + alignment_ - 1) / alignment_ * alignment_;
    if (tensors != 0 && !within(bytes_.size(), data, end)) {
      fail_truncated("its tensors end at byte {}, the file at {}", data + end, bytes_.size());
    }
    if (tensors == 0) {
      result_.reason = "it has no tensors";
      return result_;
    }
    result_.graphs = 0;
    result_.tensors = tensors;
    result_.bytes = data + end;
    result_.status = ModelStatus::ok;
    return result_;
  }

 private:
  std::uint64_t size() { return version_ == 1 ? r_.u32() : r_.u64(); }
  std::string_view string() { return text_of(r_.take(size())); }

  void value(std::uint32_t type, int depth) {
    if (type == kString) {
      string();
    } else if (type == kArray) {
      if (depth > 4) fail(ErrorKind::bad_file, "arrays within arrays");
      const std::uint32_t inner = r_.u32();
      const std::uint64_t count = size();
      if (inner != kString && inner != kArray) {
        const std::uint64_t bytes = value_bytes(inner);
        if (count > r_.left() / bytes) fail_truncated("an array of {} values, {} bytes are left", count, r_.left());
        r_.skip(count * bytes);
      } else {
        for (std::uint64_t i = 0; i < count; ++i) value(inner, depth + 1);
      }
    } else {
      r_.skip(value_bytes(type));
    }
  }

  void pair() {
    const std::string_view key = string();
    const std::uint32_t type = r_.u32();
    if (key == "general.alignment" && type == kU32) {
      alignment_ = r_.u32();
    } else {
      value(type, 0);
    }
  }

  // Returns where its bytes end, from the start of the tensors' bytes.
  std::uint64_t tensor() {
    const std::string_view name = string();
    const std::uint32_t dims = r_.u32();
    if (dims > kMostDims) fail(ErrorKind::bad_file, "tensor '{}' has {} dimensions", printable(name), dims);
    std::uint64_t elements = 1;
    for (std::uint32_t i = 0; i < dims; ++i) {
      if (__builtin_mul_overflow(elements, size(), &elements)) {
        fail(ErrorKind::bad_file, "tensor '{}' has more elements than can be counted", printable(name));
      }
    }
    const std::uint32_t type = r_.u32();
    const std::uint64_t offset = r_.u64();
    result_.parameters += elements;
    const auto* block =
        std::find_if(std::begin(kBlocks), std::end(kBlocks), [&](const Block& b) { return b.type == type; });
    if (block == std::end(kBlocks)) {
      result_.reason = fmt::format("element type {} is not known", type);
      return offset;
    }
    if (elements % block->elements != 0) {
      fail(ErrorKind::bad_file, "tensor '{}' has {} elements in blocks of {}", printable(name), elements,
           block->elements);
    }
    std::uint64_t bytes = 0, end = 0;
    if (__builtin_mul_overflow(elements / block->elements, std::uint64_t{block->bytes}, &bytes) ||
        __builtin_add_overflow(offset, bytes, &end)) {
      fail(ErrorKind::bad_file, "tensor '{}' ends past any file", printable(name));
    }
    return end;
  }

  Bytes bytes_;
  Reader r_;
  ProbeResult result_;
  std::uint32_t version_ = 0, alignment_ = 32;
};

bool signature(Bytes head) { return starts_with(head, "GGUF"); }

ProbeResult validate(const ProbeInput& input) {
  if (!signature(input.bytes)) return {.reason = "it does not begin with GGUF"};
  return checked([](const ProbeInput& in) { return Check(in.bytes).run(); }, input);
}

}  // namespace

const ModelProbe kGgufProbe{.format = "gguf",
                            .own_suffixes = ".gguf",
                            .shared_suffixes = ".bin",
                            .signature = signature,
                            .validate = validate,
                            .carve_magic = "GGUF",
                            .carve_at = 0};

}  // namespace thimble::gauge
