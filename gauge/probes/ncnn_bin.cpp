// Probe: the numbers of an ncnn network. The file has no header at all: which bytes are whose is known from the layer
// list beside it (same name, .param), without which nothing can be said. Walks the list and takes each layer's bytes.
#include <algorithm>

#include "gauge/probes/all.h"
#include "gauge/probes/ncnn_param.h"

namespace thimble::gauge {
namespace {

constexpr std::uint32_t kF16 = 0x01306B47, kBf16 = 0x01348B83, kInt8 = 0x000D4B38, kRawF32 = 0x0002C056;
constexpr std::size_t kTable = 256 * 4;  // of an 8-bit quantised blob, before its indices

class Walk {
 public:
  explicit Walk(Bytes bytes) : r_(bytes, "ncnn weights") {}

  // Numbers behind a tag that says how they are stored.
  void tagged(std::int64_t count) {
    const std::uint32_t tag = r_.u32();
    const std::uint64_t n = checked_count(count);
    if (tag == kF16 || tag == kBf16) {
      r_.skip((2 * n + 3) / 4 * 4);
    } else if (tag == kInt8) {
      r_.skip((n + 3) / 4 * 4);
    } else if (tag == 0 || tag == kRawF32) {
      r_.skip(4 * n);
    } else {
      r_.skip(kTable + (n + 3) / 4 * 4);
    }
    parameters_ += n;
  }
  void raw(std::int64_t count) {
    const std::uint64_t n = checked_count(count);
    r_.skip(4 * n);
    parameters_ += n;
  }

  // False for a layer whose bytes are not known here.
  bool layer(const NcnnLayer& l) {
    const std::string& t = l.type;
    if (t.starts_with("Convolution") || t.starts_with("Deconvolution")) {
      if (l.get(8) != 0 || l.get(19) != 0) return false;  // scales of 8-bit arithmetic; weights that come as an input
      tagged(l.get(6));
      if (l.get(5) != 0) raw(l.get(0));
    } else if (t == "InnerProduct") {
      if (l.get(8) != 0) return false;
      tagged(l.get(2));
      if (l.get(1) != 0) raw(l.get(0));
    } else if (t == "Embed") {
      tagged(l.get(3));
      if (l.get(2) != 0) raw(l.get(0));
    } else if (t == "PReLU" || t == "Bias") {
      raw(l.get(0));
    } else if (t == "BatchNorm") {
      for (int i = 0; i < 4; ++i) raw(l.get(0));
    } else if (t == "Scale") {
      if (l.get(0) == -233) return true;  // its scale is an input
      raw(l.get(0));
      if (l.get(1) != 0) raw(l.get(0));
    } else if (t == "InstanceNorm" || t == "LayerNorm") {
      if (l.get(2, 1) != 0) {
        raw(l.get(0));
        raw(l.get(0));
      }
    } else if (t == "GroupNorm") {
      if (l.get(3, 1) != 0) {
        raw(l.get(1));
        raw(l.get(1));
      }
    } else {
      return t != "LSTM" && t != "GRU" && t != "RNN" && t != "MultiHeadAttention" && t != "MemoryData" &&
             t != "Normalize" && t != "Gemm" && t.front() != '#';
    }
    return true;
  }

  bool done() const { return r_.done(); }
  std::uint64_t at() const { return r_.at(); }
  std::uint64_t parameters() const { return parameters_; }

 private:
  static std::uint64_t checked_count(std::int64_t count) {
    if (count < 0 || count > (std::int64_t{1} << 40)) fail(ErrorKind::bad_file, "a layer of {} numbers", count);
    return static_cast<std::uint64_t>(count);
  }

  Reader r_;
  std::uint64_t parameters_ = 0;
};

ProbeResult walk_weights(Bytes bytes, const NcnnNetwork& network) {
  Walk walk(bytes);
  ProbeResult result{.status = ModelStatus::ok, .bytes = bytes.size()};
  for (const NcnnLayer& layer : network.layers) {
    if (walk.layer(layer)) continue;
    result.reason =
        fmt::format("checked up to byte {}: the bytes of layer type {} are not known", walk.at(), layer.type);
    result.parameters = walk.parameters();
    return result;
  }
  if (!walk.done()) fail(ErrorKind::bad_file, "its layers take {} bytes, the file has {}", walk.at(), bytes.size());
  result.parameters = walk.parameters();
  if (result.parameters == 0) return {.reason = "its layers have no numbers"};
  return result;
}

ProbeResult validate(const ProbeInput& input) {
  if (input.siblings == nullptr || input.carved) return {.reason = "nothing tells its layers"};
  std::string name(input.path.substr(input.path.find_last_of("/!") + 1));
  if (!name.ends_with(".bin")) return {.reason = "its name does not end in .bin"};
  name.resize(name.size() - 4);
  const auto param = input.siblings->find(name + ".param");
  if (!param) return {.reason = fmt::format("there is no {}.param beside it", printable(name))};
  NcnnNetwork network;
  try {
    network = read_ncnn_text(text_of(param->bytes), true);
  } catch (const Error& e) {
    return {.reason = fmt::format("the .param beside it is none: {}", e.message())};
  }
  return checked([&](const ProbeInput& in) { return walk_weights(in.bytes, network); }, input);
}

// Weights begin with a tag, if the first layer with weights is a convolution; too weak to count as a signature alone.
bool signature(Bytes) { return false; }

}  // namespace

const ModelProbe kNcnnBinProbe{
    .format = "ncnn-bin", .own_suffixes = "", .shared_suffixes = ".bin", .signature = signature, .validate = validate};

}  // namespace thimble::gauge
