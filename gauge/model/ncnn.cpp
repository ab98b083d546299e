// Reads an ncnn network: layers from a .param file, text or binary, numbers from the .bin file of the same name beside
// it. Attributes are the layer's parameters under their numbers, "0", "1" …
#include "gauge/model/ncnn_weights.h"
#include "gauge/model/readers.h"

namespace thimble::gauge {
namespace {

graph::Shape shape_of(const NcnnLayer& l, const NcnnBlob& b) {
  const auto n = static_cast<std::int64_t>(b.count);
  if (b.name != "weight") return {n};
  const std::int64_t outputs = l.get(0);
  if (l.type == "InnerProduct" && outputs > 0 && n % outputs == 0) return {outputs, n / outputs};
  const std::int64_t kw = l.get(1), kh = l.get(11, kw), groups = l.get(7, 1);
  if (l.type == "Embed" || outputs < 1 || kw < 1 || kh < 1 || kw > 4096 || kh > 4096 || groups < 1) return {n};
  const std::int64_t kernel = kw * kh;
  if (n % outputs != 0 || n / outputs % kernel != 0) return {n};
  return {outputs, n / outputs / kernel, kh, kw};  // (O, I/groups, kh, kw), of deconvolutions too
}

void read_weights(Model& model, const NcnnNetwork& net, Bytes bin, std::vector<std::vector<ModelTensor>>& out) {
  Reader r(bin, "ncnn weights");
  for (std::size_t i = 0; i < net.layers.size(); ++i) {
    const NcnnLayer& l = net.layers[i];
    const auto blobs = ncnn_weights(r, l);
    if (!blobs) {
      model.remarks.push_back(
          fmt::format("weights are read up to layer {}, a {}, whose bytes are not known: {} bytes of {} are left", i,
                      l.type, r.left(), bin.size()));
      return;
    }
    for (const NcnnBlob& b : *blobs) {
      const ElementType type = b.type == "table8" ? ElementType{"table8", 0, {}} : element_type(b.type);
      out[i].push_back(constant_tensor(fmt::format("{}.{}", l.name.empty() ? fmt::format("{}", i) : l.name, b.name),
                                       type, shape_of(l, b), b.bytes));
    }
  }
  if (!r.done()) {
    fail(ErrorKind::bad_file, "ncnn: its layers take {} bytes, the .bin file has {}", r.at(), bin.size());
  }
}

}  // namespace

Model read_ncnn(const ModelSource& source) {
  Model model = start_model("ncnn-param", source);
  const bool binary = source.bytes.size() >= 4 && load<std::uint32_t>(source.bytes, 0) == kNcnnBinaryMagic;
  const NcnnNetwork net = binary ? read_ncnn_binary(source.bytes) : read_ncnn_text(text_of(source.bytes), false);
  std::vector<std::vector<ModelTensor>> weights(net.layers.size());
  std::string stem = stem_of(source.path);
  if (binary && stem.ends_with(".param")) stem.resize(stem.size() - 6);
  if (const auto bin = part_of(model, source, stem + ".bin")) {
    read_weights(model, net, *bin, weights);
  } else {
    model.remarks.push_back(fmt::format("no {}.bin beside it: the network is without weights", printable(stem)));
  }
  ModelGraph& g = model.graphs.emplace_back();
  g.name = stem;
  GraphBuilder b(g);
  for (std::size_t i = 0; i < net.layers.size(); ++i) {
    const NcnnLayer& l = net.layers[i];
    if (l.type == "Input") {
      for (const std::string& blob : l.outputs) {
        ModelTensor t;
        t.name = blob;
        t.type = element_type("f32");
        const std::int64_t w = l.get(0), h = l.get(1), c = l.get(2);
        for (const std::int64_t d : {c, h, w}) {
          if (d > 0) t.shape.push_back(d);
        }
        t.has_shape = !t.shape.empty();
        b.input(std::move(t));
      }
      continue;
    }
    std::vector<std::int32_t> inputs, outputs;
    for (const std::string& blob : l.inputs) inputs.push_back(b.read(blob));
    for (ModelTensor& t : weights[i]) inputs.push_back(b.add(std::move(t)));
    for (const std::string& blob : l.outputs) outputs.push_back(b.write(blob));
    ModelOp& op = b.op(l.type, l.name);
    op.inputs = std::move(inputs);
    op.outputs = std::move(outputs);
    op.attributes["bottoms"] = static_cast<std::int64_t>(l.inputs.size());
    for (const auto& [key, v] : l.parameters) op.attributes[std::to_string(key)] = v;
    for (const auto& [key, v] : l.numbers) op.attributes[std::to_string(key)] = v;
  }
  b.close();
  return model;
}

}  // namespace thimble::gauge
