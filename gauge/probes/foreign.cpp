// Probes of the formats whose whole check is their reader's (gauge/model/readers.h): Caffe, TensorFlow, TF.js, MNN,
// PyTorch, Core ML, SNPE. None of them is searched for inside blobs: they have no signature that would carry it.
#include <cctype>
#include <cstring>

#include "gauge/model/readers.h"
#include "gauge/probes/all.h"

namespace thimble::gauge {
namespace {

ProbeResult read_whole(const ProbeInput& input, Model (*read)(const ModelSource&)) {
  if (input.carved) return {.reason = "it is not looked for inside other files"};
  return checked(
      [read](const ProbeInput& in) {
        const Model m = read({in.bytes, std::string(in.path), in.siblings, {}});
        ProbeResult r{.status = ModelStatus::ok, .bytes = in.bytes.size(), .version = m.version};
        for (const std::string& s : m.remarks) r.reason += (r.reason.empty() ? "" : "; ") + s;
        r.graphs = m.graphs.size();
        for (const ModelGraph& g : m.graphs) {
          r.operators += g.ops.size();
          for (std::size_t i = 0; i < g.tensors.size(); ++i) {
            if (g.outer[i] >= 0) continue;
            ++r.tensors;
            if (g.tensors[i].constant) r.parameters += static_cast<std::uint64_t>(g.tensors[i].elements());
          }
        }
        return r;
      },
      input);
}

template <Model (*read)(const ModelSource&)>
ProbeResult whole(const ProbeInput& input) {
  return read_whole(input, read);
}

bool no_signature(Bytes) { return false; }

// Field 1, a node: field 1, its name, in letters.
bool is_graph_def(Bytes head) {
  if (head.size() < 16 || head[0] != std::byte{0x0A}) return false;
  std::size_t at = 1;
  while (at < 6 && (head[at] & std::byte{0x80}) != std::byte{0}) ++at;
  ++at;
  if (head[at] != std::byte{0x0A}) return false;
  const auto length = std::to_integer<std::size_t>(head[at + 1]);
  if (length == 0 || length > 127 || at + 2 + length + 2 > head.size()) return false;
  for (std::size_t i = 0; i < length; ++i) {
    const auto c = std::to_integer<unsigned char>(head[at + 2 + i]);
    if (std::isgraph(c) == 0) return false;
  }
  return head[at + 2 + length] == std::byte{0x12};
}

// Words of a manifest of weights or of a topology near its beginning.
bool is_tfjs(Bytes head) {
  const std::string_view text = text_of(head);
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos || (text[first] != '{' && text[first] != '[')) return false;
  if (text[first] == '[') return text.find("\"weights\"") < 64 + first;
  return text.find("\"modelTopology\"") != std::string_view::npos ||
         text.find("\"graph-model\"") != std::string_view::npos ||
         text.find("\"layers-model\"") != std::string_view::npos;
}

bool is_torch_pickle(Bytes head) {
  return starts_with(head, std::string_view("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 12), 2);
}

ProbeResult torch(const ProbeInput& input) {
  if (input.bytes.empty() || input.bytes[0] != std::byte{0x80}) return {.reason = "no pickle"};
  if (!is_torch_pickle(input.bytes) && ::memmem(input.bytes.data(), input.bytes.size(), "torch", 5) == nullptr) {
    return {.reason = "a pickle of something else"};
  }
  return read_whole(input, read_pytorch);
}

bool is_dlc(Bytes head) {
  return starts_with(head, "NETD", 4) || (starts_with(head, "\xd5\x0a") && starts_with(head, "NETD", 12));
}

}  // namespace

const ModelProbe kCaffeProbe{.format = "caffe",
                             .own_suffixes = ".caffemodel",
                             .shared_suffixes = "",
                             .signature = no_signature,
                             .validate = whole<read_caffe>};
const ModelProbe kSavedModelProbe{.format = "savedmodel",
                                  .own_suffixes = "saved_model.pb",
                                  .shared_suffixes = "",
                                  .signature = no_signature,
                                  .validate = whole<read_saved_model>};
const ModelProbe kTensorflowProbe{.format = "tensorflow",
                                  .own_suffixes = "",
                                  .shared_suffixes = ".pb .model .rf",
                                  .signature = is_graph_def,
                                  .validate = whole<read_tensorflow>};
const ModelProbe kTfjsProbe{.format = "tfjs",
                            .own_suffixes = "",
                            .shared_suffixes = "model.json",
                            .signature = is_tfjs,
                            .validate = whole<read_tfjs>};
const ModelProbe kMnnProbe{.format = "mnn",
                           .own_suffixes = ".mnn",
                           .shared_suffixes = "",
                           .signature = no_signature,
                           .validate = whole<read_mnn>};
const ModelProbe kPytorchProbe{.format = "pytorch",
                               .own_suffixes = "data.pkl",
                               .shared_suffixes = ".pt .pth .ptl .bin",
                               .signature = is_torch_pickle,
                               .validate = torch};
const ModelProbe kCoremlProbe{.format = "coreml",
                              .own_suffixes = ".mlmodel",
                              .shared_suffixes = "",
                              .signature = no_signature,
                              .validate = whole<read_coreml>};
const ModelProbe kDlcProbe{
    .format = "dlc", .own_suffixes = ".dlc", .shared_suffixes = "", .signature = is_dlc, .validate = whole<read_dlc>};

}  // namespace thimble::gauge
