// Probes of ncnn's layer lists: the text form (magic line, counts, one line a layer) and the binary one (numbers only).
#include "gauge/probes/ncnn_param.h"

#include <algorithm>
#include <charconv>

#include "gauge/probes/all.h"

namespace thimble::gauge {
namespace {

constexpr std::uint64_t kMostLayers = 1'000'000;
constexpr int kArrays = -23300;

// By the numbers of binary files.
constexpr const char* kTypes[] = {"AbsVal",
                                  "ArgMax",
                                  "BatchNorm",
                                  "Bias",
                                  "BNLL",
                                  "Concat",
                                  "Convolution",
                                  "Crop",
                                  "Deconvolution",
                                  "Dropout",
                                  "Eltwise",
                                  "ELU",
                                  "Embed",
                                  "Exp",
                                  "Flatten",
                                  "InnerProduct",
                                  "Input",
                                  "Log",
                                  "LRN",
                                  "MemoryData",
                                  "MVN",
                                  "Pooling",
                                  "Power",
                                  "PReLU",
                                  "Proposal",
                                  "Reduction",
                                  "ReLU",
                                  "Reshape",
                                  "ROIPooling",
                                  "Scale",
                                  "Sigmoid",
                                  "Slice",
                                  "Softmax",
                                  "Split",
                                  "SPP",
                                  "TanH",
                                  "Threshold",
                                  "Tile",
                                  "RNN",
                                  "LSTM",
                                  "BinaryOp",
                                  "UnaryOp",
                                  "ConvolutionDepthWise",
                                  "Padding",
                                  "Squeeze",
                                  "ExpandDims",
                                  "Normalize",
                                  "Permute",
                                  "PriorBox",
                                  "DetectionOutput",
                                  "Interp",
                                  "DeconvolutionDepthWise",
                                  "ShuffleChannel",
                                  "InstanceNorm",
                                  "Clip",
                                  "Reorg",
                                  "YoloDetectionOutput",
                                  "Quantize",
                                  "Dequantize",
                                  "Yolov3DetectionOutput",
                                  "PSROIPooling",
                                  "ROIAlign",
                                  "Packing",
                                  "Requantize",
                                  "Cast",
                                  "HardSigmoid",
                                  "SELU",
                                  "HardSwish",
                                  "Noop",
                                  "PixelShuffle",
                                  "DeepCopy",
                                  "Mish",
                                  "StatisticsPooling",
                                  "Swish",
                                  "Gemm",
                                  "GroupNorm",
                                  "LayerNorm",
                                  "Softplus"};

std::string_view next_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

std::string_view next_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
  const std::size_t end = std::min(line.find_first_of(" \t"), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(end);
  return word;
}

template <class T>
bool number(std::string_view word, T& value) {
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  return error == std::errc{} && end == word.data() + word.size();
}

std::uint64_t count_of(std::string_view& line, const char* what) {
  std::uint64_t value = 0;
  const std::string_view word = next_word(line);
  if (!number(word, value) || value > kMostLayers) {
    fail(ErrorKind::bad_file, "ncnn: a number of {} was wanted, '{}' came", what, printable(word.substr(0, 40)));
  }
  return value;
}

// "0.2", or "2,0.2,1.0" behind a key of -23300 - k: a count and as many numbers.
void read_numbers(std::string_view word, int key, NcnnLayer& layer) {
  std::vector<double> values;
  while (!word.empty()) {
    const std::size_t comma = std::min(word.find(','), word.size());
    double v = 0;
    if (!number(word.substr(0, comma), v)) return;  // a text, which no layer of a network needs
    values.push_back(v);
    word.remove_prefix(std::min(comma + 1, word.size()));
  }
  if (key > kArrays) {
    layer.numbers[key] = std::move(values);
  } else if (!values.empty()) {
    layer.numbers[kArrays - key] = {values.begin() + 1, values.end()};
  }
}

NcnnLayer read_layer(std::string_view line, std::uint64_t& outputs) {
  NcnnLayer layer;
  layer.type = next_word(line);
  const std::string_view name = next_word(line);
  if (layer.type.empty() || name.empty()) fail(ErrorKind::bad_file, "ncnn: a line without type and name");
  layer.name = name;
  const std::uint64_t inputs = count_of(line, "inputs"), made = count_of(line, "outputs");
  for (std::uint64_t i = 0; i < inputs + made; ++i) {
    const std::string_view blob = next_word(line);
    if (blob.empty()) fail(ErrorKind::bad_file, "ncnn: layer '{}' misses names of blobs", printable(name));
    (i < inputs ? layer.inputs : layer.outputs).emplace_back(blob);
  }
  outputs += made;
  for (std::string_view word = next_word(line); !word.empty(); word = next_word(line)) {
    const std::size_t equals = word.find('=');
    int key = 0;
    if (equals == std::string_view::npos || !number(word.substr(0, equals), key)) {
      fail(ErrorKind::bad_file, "ncnn: layer '{}' has the parameter '{}'", printable(name),
           printable(word.substr(0, 40)));
    }
    std::int64_t value = 0;
    if (number(word.substr(equals + 1), value)) {
      layer.parameters[key] = value;
    } else {
      read_numbers(word.substr(equals + 1), key, layer);
    }
  }
  return layer;
}

ProbeResult result_of(const NcnnNetwork& network, std::uint64_t bytes) {
  ProbeResult result{.status = ModelStatus::ok, .bytes = bytes, .graphs = 1};
  result.operators = network.layers.size();
  result.tensors = network.blobs;
  return result;
}

bool text_signature(Bytes head) {
  return starts_with(head, kNcnnTextMagic) && head.size() > kNcnnTextMagic.size() &&
         (head[kNcnnTextMagic.size()] == std::byte{'\n'} || head[kNcnnTextMagic.size()] == std::byte{'\r'});
}

ProbeResult validate_text(const ProbeInput& input) {
  const bool magic = text_signature(input.bytes);
  ProbeResult result = checked(
      [&](const ProbeInput& in) {
        const NcnnNetwork network = read_ncnn_text(text_of(in.bytes), in.carved);
        return result_of(network, in.carved ? network.bytes : in.bytes.size());
      },
      input);
  if (!magic && result.status != ModelStatus::ok) result.status = ModelStatus::not_a_model;
  return result;
}

bool binary_signature(Bytes head) { return head.size() >= 12 && load<std::uint32_t>(head, 0) == kNcnnBinaryMagic; }

ProbeResult validate_binary(const ProbeInput& input) {
  if (!binary_signature(input.bytes)) return {.reason = "it does not begin with ncnn's number"};
  return checked(
      [](const ProbeInput& in) {
        const NcnnNetwork network = read_ncnn_binary(in.bytes);
        return result_of(network, network.bytes);
      },
      input);
}

}  // namespace

NcnnNetwork read_ncnn_text(std::string_view text, bool needs_magic) {
  const std::size_t whole = text.size();
  std::string_view line = next_line(text);
  if (line == kNcnnTextMagic) {
    line = next_line(text);
  } else if (needs_magic) {
    fail(ErrorKind::bad_file, "ncnn: the first line is not {}", kNcnnTextMagic);
  }
  const std::uint64_t layers = count_of(line, "layers"), blobs = count_of(line, "blobs");
  if (layers == 0) fail(ErrorKind::bad_file, "ncnn: no layers");
  NcnnNetwork network;
  std::uint64_t outputs = 0;
  while (network.layers.size() < layers) {
    if (text.empty()) fail_truncated("ncnn: {} of {} layers are there", network.layers.size(), layers);
    line = next_line(text);
    if (line.find_first_not_of(" \t") == std::string_view::npos) continue;
    network.layers.push_back(read_layer(line, outputs));
  }
  if (outputs != blobs) fail(ErrorKind::bad_file, "ncnn: {} blobs are declared, {} are made", blobs, outputs);
  network.blobs = blobs;
  network.bytes = whole - text.size();
  return network;
}

NcnnNetwork read_ncnn_binary(Bytes bytes) {
  constexpr std::int32_t kEnd = -233;
  Reader r(bytes, "ncnn binary param");
  r.skip(4);
  const std::uint32_t layers = r.u32(), blobs = r.u32();
  if (layers == 0 || layers > kMostLayers || blobs > kMostLayers) {
    fail(ErrorKind::bad_file, "ncnn: {} layers and {} blobs", layers, blobs);
  }
  NcnnNetwork network;
  for (std::uint32_t i = 0; i < layers; ++i) {
    NcnnLayer layer;
    const std::uint32_t type = r.u32();
    layer.type = type < std::size(kTypes) ? kTypes[type] : "#" + std::to_string(type);
    const std::uint64_t inputs = r.u32(), outputs = r.u32();
    Reader names(r.take(4 * (inputs + outputs)), "ncnn blobs");
    for (std::uint64_t k = 0; !names.done(); ++k) {
      const std::uint32_t blob = names.u32();
      if (blob >= blobs) fail(ErrorKind::bad_file, "ncnn: layer {} names a blob past the {}", i, blobs);
      (k < inputs ? layer.inputs : layer.outputs).push_back(std::to_string(blob));
    }
    for (auto key = r.get<std::int32_t>(); key != kEnd; key = r.get<std::int32_t>()) {
      if (key <= kArrays) {
        Reader values(r.take(std::uint64_t{4} * r.u32()), "ncnn numbers");
        auto& list = layer.numbers[kArrays - key];
        while (!values.done()) list.push_back(double{values.get<float>()});
      } else if (key >= 0 && key < 32) {
        layer.parameters[key] = r.get<std::int32_t>();
      } else {
        fail(ErrorKind::bad_file, "ncnn: layer {} has parameter {}", i, key);
      }
    }
    network.layers.push_back(std::move(layer));
  }
  network.blobs = blobs;
  network.bytes = r.at();
  return network;
}

const ModelProbe kNcnnParamProbe{.format = "ncnn-param",
                                 .own_suffixes = ".param",
                                 .shared_suffixes = ".proto .txt",
                                 .signature = text_signature,
                                 .validate = validate_text,
                                 .carve_magic = "7767517\n",
                                 .carve_at = 0};

const ModelProbe kNcnnBinaryParamProbe{.format = "ncnn-param-bin",
                                       .own_suffixes = ".param.bin",
                                       .shared_suffixes = ".bin .param .id",
                                       .signature = binary_signature,
                                       .validate = validate_binary,
                                       .carve_magic = {"\xdd\x85\x76\0", 4},
                                       .carve_at = 0};

}  // namespace thimble::gauge
