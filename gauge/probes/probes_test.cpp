// Tests of the probes: good models are accepted with their counts, broken ones are told apart by what broke.
#include <gtest/gtest.h>

#include <map>

#include "gauge/probes/all.h"
#include "gauge/testing/material.h"

namespace thimble::gauge {
namespace {

using namespace testing;

ProbeResult probe(const ModelProbe& p, const std::string& bytes, const std::string& path = "m", bool carved = false) {
  const std::vector<char> exact(bytes.begin(), bytes.end());
  return p.validate({path, std::as_bytes(std::span(exact)), carved, nullptr});
}

std::string replaced(std::string s, const std::string& from, const std::string& to) {
  const std::size_t at = s.find(from);
  EXPECT_NE(at, std::string::npos);
  return s.replace(at, from.size(), to);
}

class TextSiblings final : public Siblings {
 public:
  explicit TextSiblings(std::map<std::string, std::string> files) : files_(std::move(files)) {}
  std::optional<Content> find(const std::string& name) const override {
    const auto at = files_.find(name);
    if (at == files_.end()) return std::nullopt;
    return Content{bytes_of(at->second), nullptr};
  }

 private:
  std::map<std::string, std::string> files_;
};

TEST(Probes, EachFormatHasOneNameAndKnowsItsOwn) {
  std::map<std::string_view, int> names;
  for (const ModelProbe* p : model_probes()) ++names[p->format];
  for (const auto& [name, count] : names) EXPECT_EQ(count, 1) << name;
  const std::map<std::string_view, std::string> good{{"tflite", make_tflite()},
                                                     {"onnx", make_onnx()},
                                                     {"gguf", make_gguf()},
                                                     {"safetensors", make_safetensors()},
                                                     {"ncnn-param", make_ncnn_param()},
                                                     {"ncnn-param-bin", make_ncnn_binary_param()}};
  for (const auto& [format, bytes] : good) {
    for (const ModelProbe* p : model_probes()) {
      const bool own = p->format == format;
      EXPECT_EQ(p->signature(bytes_of(bytes)), own) << format << " by " << p->format;
      if (p->format == "ncnn-bin") continue;
      EXPECT_EQ(probe(*p, bytes).status == ModelStatus::ok, own) << format << " by " << p->format;
    }
  }
}

TEST(Probes, CutFilesAreTruncatedNotModels) {
  for (const auto& [p, bytes] :
       std::vector<std::pair<const ModelProbe*, std::string>>{{&kTfliteProbe, make_tflite()},
                                                              {&kOnnxProbe, make_onnx()},
                                                              {&kGgufProbe, make_gguf()},
                                                              {&kNcnnBinaryParamProbe, make_ncnn_binary_param()},
                                                              {&kSafetensorsProbe, make_safetensors()}}) {
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      const ProbeResult r = probe(*p, bytes.substr(0, size));
      // Behind an ONNX model's graph only the list of operator sets follows: without it the graph is still whole.
      const bool whole_enough = p == &kOnnxProbe && size + 4 == bytes.size();
      EXPECT_EQ(r.status == ModelStatus::ok, whole_enough) << p->format << " " << size;
    }
    EXPECT_EQ(probe(*p, bytes.substr(0, bytes.size() / 2)).status, ModelStatus::truncated) << p->format;
  }
}

TEST(Tflite, CountsAndMeasures) {
  const std::string model = make_tflite(100);
  const ProbeResult r = probe(kTfliteProbe, model + std::string(100, '\7'), "m", true);
  EXPECT_EQ(r.status, ModelStatus::ok) << r.reason;
  EXPECT_EQ(r.version, 3);
  EXPECT_EQ(r.graphs, 1u);
  EXPECT_EQ(r.operators, 1u);
  EXPECT_EQ(r.tensors, 3u);
  EXPECT_EQ(r.parameters, 100u);
  EXPECT_EQ(r.bytes, model.size());
}

TEST(Tflite, TellsWhatBroke) {
  const std::string model = make_tflite(100);
  std::string old = model;
  const std::size_t version = old.find(std::string("\3\0\0\0", 4), 8);
  ASSERT_NE(version, std::string::npos);
  old[version] = 2;
  EXPECT_EQ(probe(kTfliteProbe, old).status, ModelStatus::unsupported_version);
  // The shape says 100 weights: the buffer holds another number of bytes.
  std::string lies = model;
  const std::string shape("\4\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0d\0\0\0", 20);
  lies.replace(lies.find(shape), shape.size(), std::string("\4\0\0\0\1\0\0\0\1\0\0\0\2\0\0\0d\0\0\0", 20));
  const ProbeResult r = probe(kTfliteProbe, lies);
  EXPECT_EQ(r.status, ModelStatus::malformed);
  EXPECT_NE(r.reason.find("200 elements"), std::string::npos) << r.reason;
  // An input that is no tensor.
  const std::string inputs("\3\0\0\0\0\0\0\0\1\0\0\0\xff\xff\xff\xff", 16);
  EXPECT_EQ(
      probe(kTfliteProbe, replaced(model, inputs, std::string("\3\0\0\0\0\0\0\0\11\0\0\0\xff\xff\xff\xff", 16))).status,
      ModelStatus::malformed);
  // Any offset made wild, anywhere: never accepted with fewer checks, never a crash.
  for (std::size_t at = 8; at + 4 <= model.size() - 400; at += 4) {
    std::string wild = model;
    wild.replace(at, 4, "\xf0\xff\xff\x7f");
    probe(kTfliteProbe, wild);
  }
}

TEST(Tflite, RefusesTablesUsedTwiceOver) {
  // Forty thousand list entries that all point to one graph, whose check would be done as many times.
  const auto u32 = [](std::uint64_t v) {
    std::string s(4, '\0');
    for (std::size_t i = 0; i < 4; ++i) s[i] = static_cast<char>(v >> (8 * i));
    return s;
  };
  constexpr std::uint32_t kEntries = 40'000, kTensors = 20'000;
  // Root table at 12 (vtable at 32): version, graphs, buffers; the list of graphs; the graph with its list of tensors.
  const std::uint32_t list = 48, graph_vtable = list + 4 + 4 * kEntries, graph = graph_vtable + 8, tensors = graph + 8,
                      buffers = tensors + 4 + 4 * kTensors, vtable = buffers + 8, table = vtable + 4;
  std::string model = u32(12) + "TFL3" + std::string(4, '\0') + u32((1ull << 32) + 12 - 32) + u32(3) + u32(list - 20) +
                      u32(buffers - 24);
  model.resize(32, '\0');
  model += std::string("\x0e\0\x10\0\4\0\0\0\x08\0\0\0\x0c\0\0\0", 16) + u32(kEntries);
  for (std::uint32_t i = 0; i < kEntries; ++i) model += u32(graph - (list + 4 + 4 * i));
  model += std::string("\6\0\x08\0\4\0\0\0", 8) + u32(graph - graph_vtable) + u32(4) + u32(kTensors);
  for (std::uint32_t i = 0; i < kTensors; ++i) model += u32(table - (tensors + 4 + 4 * i));
  model += u32(1) + u32(table - (buffers + 4)) + std::string("\4\0\4\0", 4) + u32(4);
  const ProbeResult r = probe(kTfliteProbe, model);
  EXPECT_EQ(r.status, ModelStatus::malformed);
  EXPECT_NE(r.reason.find("twice over"), std::string::npos) << r.reason;
}

TEST(Onnx, CountsGraphsWithinGraphs) {
  const ProbeResult r = probe(kOnnxProbe, make_onnx(100));
  EXPECT_EQ(r.status, ModelStatus::ok) << r.reason;
  EXPECT_EQ(r.version, 8);
  EXPECT_EQ(r.graphs, 2u);
  EXPECT_EQ(r.operators, 3u);
  EXPECT_EQ(r.parameters, 100u);
  // Carved: it ends where its fields end, and where the next model begins.
  const std::string model = make_onnx(100);
  EXPECT_EQ(probe(kOnnxProbe, model + std::string(50, '\xff'), "m", true).bytes, model.size());
  EXPECT_EQ(probe(kOnnxProbe, model + model, "m", true).bytes, model.size());
  EXPECT_EQ(probe(kOnnxProbe, model + model).status, ModelStatus::malformed);
}

TEST(Onnx, RefusesWeightsThatLie) {
  const std::string raw = std::string("\x4a\x90\3", 3);  // field 9, 400 bytes
  const std::string dims("\x08\x64\x10\1", 4);           // 100 elements of type 1
  ProbeResult r = probe(kOnnxProbe, replaced(make_onnx(100), dims, std::string("\x08\x65\x10\1", 4)));
  EXPECT_EQ(r.status, ModelStatus::malformed);
  EXPECT_NE(r.reason.find("101 elements of 32 bits and 400 bytes"), std::string::npos) << r.reason;
  r = probe(kOnnxProbe, replaced(make_onnx(100), raw, std::string("\x4a\x91\x7f", 3)));
  EXPECT_EQ(r.status, ModelStatus::truncated);
  EXPECT_EQ(probe(kOnnxProbe, "\x08\x30" + make_onnx().substr(2)).status, ModelStatus::not_a_model);  // no such IR
}

TEST(Onnx, BoundsNesting) {
  const auto wrap = [](unsigned field, const std::string& s) {
    std::string out(1, static_cast<char>(field << 3 | 2));
    for (std::size_t n = s.size();; n >>= 7) {
      out += static_cast<char>((n & 0x7f) | (n >= 0x80 ? 0x80 : 0));
      if (n < 0x80) break;
    }
    return out + s;
  };
  std::string graph = wrap(1, wrap(4, "Identity"));
  for (int i = 0; i < 200; ++i) graph = wrap(1, wrap(4, "If") + wrap(5, wrap(6, graph)));
  const ProbeResult r = probe(kOnnxProbe, "\x08\x08" + wrap(2, "deep") + wrap(7, graph));
  EXPECT_EQ(r.status, ModelStatus::malformed);
  EXPECT_NE(r.reason.find("deep"), std::string::npos);
}

TEST(Gguf, ChecksTensorsAgainstTheFile) {
  const ProbeResult r = probe(kGgufProbe, make_gguf() + "tail", "m", true);
  EXPECT_EQ(r.status, ModelStatus::ok) << r.reason;
  EXPECT_EQ(r.parameters, 128u);
  EXPECT_EQ(r.tensors, 2u);
  EXPECT_EQ(r.bytes, make_gguf().size());
  std::string version = make_gguf();
  version[4] = 9;
  EXPECT_EQ(probe(kGgufProbe, version).status, ModelStatus::unsupported_version);
  std::string many = make_gguf();
  many.replace(8, 8, std::string(7, '\xff') + '\x7f');
  EXPECT_EQ(probe(kGgufProbe, many).status, ModelStatus::truncated);
}

TEST(Ncnn, PairsWeightsWithTheirLayers) {
  const ProbeResult param = probe(kNcnnParamProbe, make_ncnn_param(), "net.param");
  EXPECT_EQ(param.operators, 2u);
  EXPECT_EQ(param.tensors, 2u);
  const TextSiblings beside({{"net.param", make_ncnn_param()}});
  const std::string bin = make_ncnn_bin();
  ProbeResult r = kNcnnBinProbe.validate({"assets/net.bin", bytes_of(bin), false, &beside});
  EXPECT_EQ(r.status, ModelStatus::ok) << r.reason;
  EXPECT_EQ(r.parameters, 30u);
  r = kNcnnBinProbe.validate({"assets/net.bin", bytes_of(bin).first(50), false, &beside});
  EXPECT_EQ(r.status, ModelStatus::truncated);
  const std::string longer = bin + "more";
  EXPECT_EQ(kNcnnBinProbe.validate({"net.bin", bytes_of(longer), false, &beside}).status, ModelStatus::malformed);
  EXPECT_EQ(kNcnnBinProbe.validate({"other.bin", bytes_of(bin), false, &beside}).status, ModelStatus::not_a_model);
  EXPECT_EQ(probe(kNcnnParamProbe, replaced(make_ncnn_param(), "2 2\n", "9 2\n")).status, ModelStatus::truncated);
  EXPECT_EQ(probe(kNcnnParamProbe, replaced(make_ncnn_param(), "2 2\n", "2 7\n")).status, ModelStatus::malformed);
}

}  // namespace
}  // namespace thimble::gauge
