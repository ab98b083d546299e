// Probe: the numbers of an ncnn network. The file has no header at all: which bytes are whose is known from the layer
// list beside it (same name, .param), without which nothing can be said. Walks the list and takes each layer's bytes.
#include "gauge/model/ncnn_weights.h"
#include "gauge/probes/all.h"
#include "gauge/probes/ncnn_param.h"

namespace thimble::gauge {
namespace {

ProbeResult walk_weights(Bytes bytes, const NcnnNetwork& network) {
  Reader r(bytes, "ncnn weights");
  ProbeResult result{.status = ModelStatus::ok, .bytes = bytes.size()};
  for (const NcnnLayer& layer : network.layers) {
    const auto blobs = ncnn_weights(r, layer);
    if (!blobs) {
      result.reason =
          fmt::format("checked up to byte {}: the bytes of layer type {} are not known", r.at(), layer.type);
      return result;
    }
    for (const NcnnBlob& b : *blobs) result.parameters += b.count;
  }
  if (!r.done()) fail(ErrorKind::bad_file, "its layers take {} bytes, the file has {}", r.at(), bytes.size());
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
