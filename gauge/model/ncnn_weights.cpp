#include "gauge/model/ncnn_weights.h"

namespace thimble::gauge {
namespace {

constexpr std::uint32_t kF16 = 0x01306B47, kBf16 = 0x01348B83, kInt8 = 0x000D4B38, kRawF32 = 0x0002C056;
constexpr std::size_t kTable = 256 * 4;  // of an 8-bit quantised blob, before its indices

std::uint64_t checked(std::int64_t count) {
  if (count < 0 || count > (std::int64_t{1} << 40)) fail(ErrorKind::bad_file, "ncnn: a layer of {} numbers", count);
  return static_cast<std::uint64_t>(count);
}

NcnnBlob tagged(Reader& r, std::string_view name, std::int64_t count) {
  const std::uint64_t n = checked(count);
  const std::uint32_t tag = r.u32();
  if (tag == 0 || tag == kRawF32) return {name, "f32", n, r.take(4 * n)};
  if (tag == kF16 || tag == kBf16) {
    return {name, tag == kF16 ? "f16" : "bf16", n, r.take((2 * n + 3) / 4 * 4).first(static_cast<std::size_t>(2 * n))};
  }
  if (tag == kInt8) return {name, "i8", n, r.take((n + 3) / 4 * 4).first(static_cast<std::size_t>(n))};
  return {name, "table8", n, r.take(kTable + (n + 3) / 4 * 4)};
}

NcnnBlob raw(Reader& r, std::string_view name, std::int64_t count) {
  const std::uint64_t n = checked(count);
  return {name, "f32", n, r.take(4 * n)};
}

}  // namespace

std::optional<std::vector<NcnnBlob>> ncnn_weights(Reader& r, const NcnnLayer& l) {
  const std::string& t = l.type;
  std::vector<NcnnBlob> out;
  if (t.starts_with("Convolution") || t.starts_with("Deconvolution")) {
    if (l.get(8) != 0 || l.get(19) != 0) return std::nullopt;  // scales of 8-bit arithmetic; weights as an input
    out.push_back(tagged(r, "weight", l.get(6)));
    if (l.get(5) != 0) out.push_back(raw(r, "bias", l.get(0)));
  } else if (t == "InnerProduct") {
    if (l.get(8) != 0) return std::nullopt;
    out.push_back(tagged(r, "weight", l.get(2)));
    if (l.get(1) != 0) out.push_back(raw(r, "bias", l.get(0)));
  } else if (t == "Embed") {
    out.push_back(tagged(r, "weight", l.get(3)));
    if (l.get(2) != 0) out.push_back(raw(r, "bias", l.get(0)));
  } else if (t == "PReLU" || t == "Bias") {
    out.push_back(raw(r, t == "Bias" ? "bias" : "slope", l.get(0)));
  } else if (t == "BatchNorm") {
    for (const char* name : {"slope", "mean", "variance", "bias"}) out.push_back(raw(r, name, l.get(0)));
  } else if (t == "Scale") {
    if (l.get(0) == -233) return out;  // its scale is an input
    out.push_back(raw(r, "scale", l.get(0)));
    if (l.get(1) != 0) out.push_back(raw(r, "bias", l.get(0)));
  } else if (t == "InstanceNorm" || t == "LayerNorm") {
    if (l.get(2, 1) == 0) return out;
    for (const char* name : {"gamma", "beta"}) out.push_back(raw(r, name, l.get(0)));
  } else if (t == "GroupNorm") {
    if (l.get(3, 1) == 0) return out;
    for (const char* name : {"gamma", "beta"}) out.push_back(raw(r, name, l.get(1)));
  } else if (t == "LSTM" || t == "GRU" || t == "RNN" || t == "MultiHeadAttention" || t == "MemoryData" ||
             t == "Normalize" || t == "Gemm" || t.starts_with('#')) {
    return std::nullopt;
  }
  return out;
}

}  // namespace thimble::gauge
