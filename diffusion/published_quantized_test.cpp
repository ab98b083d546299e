// Published models with integer weights made as they are read, LoRA files beside them, and calls under a limit of
// memory that is settled before anything is read.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/rng.h"
#include "diffusion/published/published_pipeline.h"
#include "formats/safetensors/safetensors.h"
#include "runtime/device.h"

namespace thimble::diffusion {
namespace {

const std::filesystem::path kModels = "diffusion/testdata/pipelines";

double mean_difference(const media::Image& a, const media::Image& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.pixels.size(); ++i) sum += std::abs(int{a.pixels[i]} - int{b.pixels[i]});
  return sum / static_cast<double>(a.pixels.size());
}

int largest_difference(const media::Image& a, const media::Image& b) {
  int largest = 0;
  for (std::size_t i = 0; i < a.pixels.size(); ++i) largest = std::max(largest, std::abs(a.pixels[i] - b.pixels[i]));
  return largest;
}

class Quantized : public testing::Test {
 protected:
  PublishedResult make(const PublishedModel& model, const PublishedPipelineOptions& pipeline,
                       const PublishedOptions& options = {.steps = 2}, int pictures = 1) {
    std::vector<PublishedRequest> requests;
    for (int i = 0; i < pictures; ++i) {
      requests.push_back({.prompt = "a lighthouse", .seed = 5 + static_cast<std::uint64_t>(i)});
    }
    return PublishedPipeline(model, *executor_, pipeline).generate(requests, options);
  }

  static const ComponentReport& component(const PublishedResult& made, std::string_view part) {
    for (const ComponentReport& c : made.components) {
      if (c.part == part) return c;
    }
    throw std::runtime_error("no part " + std::string(part));
  }

  PublishedPipelineOptions planned(std::optional<passes::QuantizeOptions> quantize = {}) const {
    return {.quantize = quantize,
            .plan = [this](const graph::Graph& g) { return runtime::plan_report(g, {}, device_).memory; }};
  }

  runtime::DeviceOptions device_;
  std::unique_ptr<graph::Executor> executor_ = runtime::make_device_executor(device_);
};

// A LoRA file in diffusers' names for layers of the small FLUX model, strong enough to be seen.
std::filesystem::path write_lora(const std::filesystem::path& path) {
  constexpr std::int64_t kRank = 2;
  const std::pair<std::string, std::pair<std::int64_t, std::int64_t>> layers[] = {
      {"transformer.transformer_blocks.0.ff.net.2", {16, 64}},         // quantised: 64 inputs
      {"transformer.single_transformer_blocks.0.proj_out", {16, 80}},  // so is this
      {"transformer.transformer_blocks.0.attn.to_q", {16, 16}},        // too small: merged
  };
  std::vector<formats::TensorSpec> specs;
  for (const auto& [name, size] : layers) {
    specs.push_back({name + ".lora_A.weight", DType::f32, {kRank, size.second}});
    specs.push_back({name + ".lora_B.weight", DType::f32, {size.first, kRank}});
  }
  formats::SafetensorsWriter out(path, specs);
  std::uint64_t stream = 0;
  for (const formats::TensorSpec& s : out.order()) {
    std::vector<float> values(s.bytes() / sizeof(float));
    fill_normal(values, 3, ++stream);
    for (float& v : values) v *= 0.4F;
    out.write(s.name, std::as_bytes(std::span(values)));
  }
  out.commit();
  return path;
}

TEST_F(Quantized, ALoraRunsBesideIntegerLayers) {
  const auto file = write_lora(std::filesystem::temp_directory_path() / fmt::format("lora_{}.safetensors", getpid()));
  const PublishedModel plain = PublishedModel::open(kModels / "flux");
  const PublishedModel adapted = PublishedModel::open(kModels / "flux", {.loras = {{file, 1.0}}});
  std::filesystem::remove(file);
  const PublishedPipelineOptions integers{.quantize = passes::QuantizeOptions{.bits = 8, .activations = 16}};
  const auto without = make(plain, {}), merged = make(adapted, {}), beside = make(adapted, integers),
             rounded = make(plain, integers);
  const auto weights = [](const PublishedResult& r) { return component(r, "transformer").memory.weight_bytes; };
  EXPECT_EQ(weights(without), weights(merged));
  // Matrices of the two branches, in f32: 2 * (64 + 16 + 80 + 16) numbers, packed to whole panels.
  EXPECT_GE(weights(beside), weights(rounded) + 2 * (64 + 16 + 80 + 16) * 4);
  const double effect = mean_difference(without.images[0], merged.images[0]);
  EXPECT_GT(effect, 2) << "the LoRA must be seen";
  EXPECT_LT(mean_difference(beside.images[0], merged.images[0]), effect / 4);
  EXPECT_GT(mean_difference(beside.images[0], rounded.images[0]), effect / 2);
}

TEST_F(Quantized, IntegersStayNearAndAreSmaller) {
  const PublishedModel model = PublishedModel::open(kModels / "flux");
  const auto floats = make(model, {});
  const auto eight = make(model, {.quantize = passes::QuantizeOptions{.bits = 8}});
  EXPECT_NE(eight.images[0], floats.images[0]);
  EXPECT_LT(mean_difference(eight.images[0], floats.images[0]), 3);
  // The bytes of the files, though what is packed derives from them.
  EXPECT_EQ(component(eight, "transformer").stored_bytes, component(floats, "transformer").stored_bytes);
  PublishedPipelineOptions odd{.quantize = passes::QuantizeOptions{.bits = 5}};
  EXPECT_THROW(make(model, odd), Error);
}

TEST_F(Quantized, BatchesShrinkUnderALimit) {
  const PublishedModel model = PublishedModel::open(kModels / "sd15");
  PublishedOptions options{.width = 32, .height = 32, .steps = 2, .batch = 4};
  const auto whole = make(model, planned(), options, 4);
  EXPECT_EQ(whole.batch, 4);
  EXPECT_FALSE(whole.passes_apart);
  options.max_memory = component(whole, "unet").memory.peak_bytes() - 1;
  const auto less = make(model, planned(), options, 4);
  EXPECT_EQ(less.batch, 2);
  EXPECT_FALSE(less.passes_apart);
  ASSERT_EQ(less.decode_tiles, 1);
  for (const ComponentReport& c : less.components) EXPECT_LE(c.memory.peak_bytes(), options.max_memory) << c.part;
  for (std::size_t i = 0; i < 4; ++i) EXPECT_LE(largest_difference(less.images[i], whole.images[i]), 1);
}

TEST_F(Quantized, PassesRunApartUnderALimit) {
  const PublishedModel model = PublishedModel::open(kModels / "sd15", {.autoencoder = kModels / "taesd"});
  PublishedOptions options{.width = 96, .height = 64, .steps = 2};
  const auto together = make(model, planned(), options);
  options.max_memory = component(together, "unet").memory.peak_bytes() - 1;
  const auto apart = make(model, planned(), options);
  EXPECT_TRUE(apart.passes_apart);
  EXPECT_TRUE(apart.warnings.empty());
  for (const ComponentReport& c : apart.components) EXPECT_LE(c.memory.peak_bytes(), options.max_memory) << c.part;
}

TEST_F(Quantized, ThreePassesApartAreTheSameEdit) {
  const PublishedModel model = PublishedModel::open(kModels / "instruct");
  PublishedRequest request{.prompt = "make it snow", .seed = 2, .image = media::Image(32, 32, 3)};
  for (std::size_t i = 0; i < request.image.pixels.size(); ++i) {
    request.image.pixels[i] = static_cast<std::uint8_t>(7 * i % 251);
  }
  PublishedPipeline pipeline(model, *executor_, planned());
  const auto together = pipeline.generate(std::span(&request, 1), {.steps = 2});
  std::size_t others = 0;
  for (const ComponentReport& c : together.components) {
    if (c.part != "unet") others = std::max(others, c.memory.peak_bytes());
  }
  const std::size_t unet = component(together, "unet").memory.peak_bytes();
  if (others >= unet) GTEST_SKIP() << "another part of the small model plans with more than its denoiser";
  const auto apart = pipeline.generate(std::span(&request, 1), {.steps = 2, .max_memory = unet - 1});
  EXPECT_TRUE(apart.passes_apart);
  EXPECT_LE(largest_difference(apart.images[0], together.images[0]), 1);
}

TEST_F(Quantized, WhatCannotFitIsRefusedBeforeWork) {
  const auto refusal = [&](const char* model, std::size_t limit, const PublishedPipelineOptions& options) {
    try {
      make(PublishedModel::open(kModels / model), options, {.steps = 2, .max_memory = limit});
    } catch (const Error& e) {
      return std::string(to_string(e.kind())) + ": " + e.message();
    }
    return std::string("no error");
  };
  const std::string text = refusal("sd15", 1000, planned());
  EXPECT_TRUE(text.starts_with("bad input: the text_encoder plans with at least ")) << text;
  EXPECT_NE(text.find("more than the limit of 1.00 kB"), std::string::npos) << text;
  // Below the denoiser's need, above that of the text encoder.
  const auto whole = make(PublishedModel::open(kModels / "flux"), planned());
  std::size_t text_need = 0;
  for (const char* part : {"text_encoder", "text_encoder_2"}) {
    text_need = std::max(text_need, component(whole, part).memory.peak_bytes());
  }
  ASSERT_LT(text_need, component(whole, "transformer").memory.peak_bytes());
  const std::string denoiser = refusal("flux", text_need, planned());
  EXPECT_NE(denoiser.find("the transformer plans with at least"), std::string::npos) << denoiser;
  EXPECT_NE(denoiser.find("a smaller picture wants less"), std::string::npos) << denoiser;
}

}  // namespace
}  // namespace thimble::diffusion
