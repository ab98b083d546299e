// LoRA files, textual inversions and prompt weights against pictures of diffusers (tools/goldens/adapters.py); decoding
// in tiles and previews against decoding in one piece.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "diffusion/picture.h"
#include "diffusion/published/decoding.h"
#include "diffusion/published/prompt_weights.h"
#include "diffusion/published/published_pipeline.h"
#include "formats/safetensors/safetensors.h"
#include "media/codec.h"
#include "media/transform.h"
#include "models/classes.h"
#include "runtime/device.h"

namespace thimble::diffusion {
namespace {

const std::filesystem::path kModels = "diffusion/testdata/pipelines", kAdapters = kModels / "adapters";

struct Difference {
  int largest = 0;
  double more_than_one = 0;  // share of the values
  double mean = 0;
};

Difference difference(const media::Image& a, std::span<const std::byte> b) {
  Difference d;
  for (std::size_t i = 0; i < a.pixels.size(); ++i) {
    const int error = std::abs(int{a.pixels[i]} - std::to_integer<int>(b[i]));
    d.largest = std::max(d.largest, error);
    d.mean += error / static_cast<double>(a.pixels.size());
    d.more_than_one += error > 1 ? 1.0 / static_cast<double>(a.pixels.size()) : 0;
  }
  return d;
}

Difference difference(const media::Image& a, const media::Image& b) {
  return difference(a, std::as_bytes(std::span(b.pixels)));
}

class Adapted : public testing::Test {
 protected:
  PublishedResult make(const PublishedModel& model, const PublishedRequest& request,
                       const PublishedOptions& options = {}) {
    return PublishedPipeline(model, *executor_).generate(std::span(&request, 1), options);
  }

  static std::string refusal(const PublishedModelOptions& options, const char* family = "sd15") {
    try {
      PublishedModel::open(kModels / family, options);
    } catch (const Error& e) {
      return std::string(to_string(e.kind())) + ": " + e.message();
    }
    return "no error";
  }

  std::unique_ptr<graph::Executor> executor_ = runtime::make_device_executor({});
};

TEST_F(Adapted, PicturesAreThoseOfDiffusers) {
  const auto file = formats::SafetensorsFile::open(kAdapters / "pictures.safetensors");
  const Json call = parse_json(file.metadata().at("call"), "call");
  PublishedRequest request;
  const auto& noise = file.at("noise");
  request.noise.resize(static_cast<std::size_t>(noise.elements()));
  std::memcpy(request.noise.data(), noise.data().data(), noise.data().size());
  const PublishedOptions options{.width = call.at("width").get<int>(),
                                 .height = call.at("height").get<int>(),
                                 .steps = call.at("num_inference_steps").get<int>(),
                                 .guidance = call.at("guidance_scale").get<double>()};
  for (const Json& c : parse_json(file.metadata().at("cases"), "cases")) {
    PublishedModelOptions opened;
    for (const Json& lora : c.at("loras")) {
      opened.loras.push_back({kAdapters / lora[0].get<std::string>(), lora[1].get<double>()});
    }
    if (c.at("word")) opened.embeddings.push_back({kAdapters / "word.safetensors"});
    request.prompt = c.at("prompt");
    const PublishedResult made = make(PublishedModel::open(kModels / "sd15", opened), request, options);
    EXPECT_TRUE(made.warnings.empty()) << made.warnings.front();
    const std::string name = c.at("case");
    const Difference d = difference(made.images[0], file.at(name).stored_bytes());
    EXPECT_LE(d.largest, 3) << name;
    EXPECT_LE(d.more_than_one, 0.001) << name;
    RecordProperty(name, d.largest);
  }
}

TEST_F(Adapted, FilesOfOtherModelsAreRefused) {
  EXPECT_NE(refusal({.loras = {{kAdapters / "peft.safetensors"}}}, "sdxl").find("is for another model"),
            std::string::npos);
  EXPECT_NE(refusal({.loras = {{kAdapters / "old.safetensors"}}}, "pixart").find("bad input"), std::string::npos);
  EXPECT_NE(refusal({.loras = {{kAdapters / "word.safetensors"}}}).find("is no LoRA"), std::string::npos);
  EXPECT_NE(refusal({.loras = {{kAdapters / "old.safetensors", 1e9}}}).find("between -100 and 100"), std::string::npos);
  EXPECT_NE(refusal({.embeddings = {{kAdapters / "peft.safetensors"}}}).find("no textual inversion"),
            std::string::npos);
  EXPECT_NE(refusal({.embeddings = {{kAdapters / "word.safetensors", "two words"}}}).find("one word without spaces"),
            std::string::npos);
  EXPECT_NE(refusal({.embeddings = {{kAdapters / "word.safetensors"}, {kAdapters / "word.safetensors"}}})
                .find("two embeddings are called '<rock>'"),
            std::string::npos);
  EXPECT_NE(refusal({.embeddings = {{kAdapters / "word.safetensors"}}}, "pixart").find("there are none"),
            std::string::npos);
}

TEST(PromptWeights, BracketsAndEscapes) {
  using Pieces = std::vector<PromptPiece>;
  EXPECT_EQ(split_weighted("a red cat"), (Pieces{{"a red cat", 1}}));
  EXPECT_EQ(split_weighted(""), (Pieces{{"", 1}}));
  EXPECT_EQ(split_weighted("a (red:1.3) cat"), (Pieces{{"a ", 1}, {"red", 1.3}, {" cat", 1}}));
  EXPECT_EQ(split_weighted("(a (b:2) c: 0.5 )d"), (Pieces{{"a ", 0.5}, {"b", 1}, {" c", 0.5}, {"d", 1}}));
  EXPECT_EQ(split_weighted("(plain) (a:b) (late:12:30) (open"), (Pieces{{"(plain) (a:b) (late:12:30) (open", 1}}));
  EXPECT_EQ(split_weighted("\\(a:2\\) (\\):0)"), (Pieces{{"(a:2) ", 1}, {")", 0}}));
  EXPECT_EQ(split_weighted("(a:-1)(b:11)(c:1)"), (Pieces{{"(a:-1)(b:11)c", 1}}));
  EXPECT_EQ(split_weighted(std::string(60000, '(')).size(), 1u);
}

TEST_F(Adapted, AWeightOfOneChangesNothingAndOthersDo) {
  for (const char* family : {"sd15", "sdxl", "sd3", "pixart", "sana"}) {
    const PublishedModel model = PublishedModel::open(kModels / family);
    const PublishedOptions options{.steps = 2};
    const auto picture = [&](const char* prompt) { return make(model, {.prompt = prompt}, options).images[0]; };
    const media::Image plain = picture("a red lighthouse");
    EXPECT_EQ(difference(picture("a (red:1) lighthouse"), plain).largest, 0) << family;
    EXPECT_GT(difference(picture("a (red:3) lighthouse"), plain).largest, 1) << family;
  }
}

TEST_F(Adapted, CutWordsAreNamedByEveryTokenizer) {
  std::string prompt = "a";
  for (int i = 0; i < 700; ++i) prompt += " storm";
  prompt += " lighthouse";
  for (const char* family : {"sd15", "sdxl", "sd3", "flux", "pixart", "sana"}) {
    const PublishedModel model = PublishedModel::open(kModels / family);
    const PublishedResult made = make(model, {.prompt = prompt}, {.steps = 2, .guidance = 1.0});
    ASSERT_FALSE(made.warnings.empty()) << family;
    for (const std::string& w : made.warnings) {
      EXPECT_NE(w.find("left out was: "), std::string::npos) << w;
      EXPECT_NE(w.find("storm lighthouse"), std::string::npos) << family << ": " << w.substr(w.size() - 80);
    }
  }
  const PublishedModel model =
      PublishedModel::open(kModels / "sd15", {.embeddings = {{kAdapters / "word.safetensors"}}});
  const PublishedResult made = make(model, {.prompt = prompt + " (by <rock>:1.2)"}, {.steps = 2, .guidance = 1.0});
  ASSERT_EQ(made.warnings.size(), 1u);
  EXPECT_TRUE(made.warnings[0].ends_with("storm lighthouse by <rock>")) << made.warnings[0];
}

TEST(Tiles, CoverASideAndBlend) {
  EXPECT_EQ(tile_starts(16, 16, 4), (std::vector<int>{0}));
  EXPECT_EQ(tile_starts(20, 8, 2), (std::vector<int>{0, 6, 12}));
  EXPECT_EQ(tile_starts(21, 8, 2), (std::vector<int>{0, 6, 12, 13}));
  EXPECT_EQ(tile_weight(0, 8, 4, false, true), 1);
  EXPECT_EQ(tile_weight(0, 8, 4, true, false), 0.125F);
  // Where two tiles overlap by the ramp their weights add up to one.
  for (int p = 0; p < 4; ++p) EXPECT_EQ(tile_weight(4 + p, 8, 4, false, true) + tile_weight(p, 8, 4, true, false), 1);
}

// The tiny autoencoder sees some ten cells far, so that tiles differ near their rims alone.
TEST_F(Adapted, TilesKeepThePictureBelowTheLimit) {
  const PublishedModel model = PublishedModel::open(kModels / "sd15", {.autoencoder = kModels / "taesd"});
  const PublishedRequest request{.prompt = "a lighthouse", .seed = 3};
  PublishedOptions options{.width = 192, .height = 160, .steps = 2};
  const PublishedResult whole = make(model, request, options);
  EXPECT_EQ(whole.decode_tiles, 1);
  const std::size_t planned = whole.components.back().memory.peak_bytes();
  options.max_memory = planned * 6 / 10;
  const PublishedResult tiled = make(model, request, options);
  EXPECT_GT(tiled.decode_tiles, 1);
  EXPECT_LE(tiled.components.back().memory.peak_bytes(), options.max_memory);
  const Difference d = difference(tiled.images[0], whole.images[0]);
  EXPECT_LE(d.more_than_one, 0.3);
  EXPECT_LE(d.mean, 2);
  media::Image moved = whole.images[0];  // by one cell: what a tile in the wrong place would do
  std::rotate(moved.pixels.begin(), moved.pixels.begin() + 3 * 4, moved.pixels.end());
  EXPECT_GT(difference(moved, whole.images[0]).mean, 8);
  options.max_memory = 1;
  const PublishedResult least = make(model, request, options);
  ASSERT_FALSE(least.warnings.empty());
  EXPECT_NE(least.warnings.back().find("more than the limit of 1 B"), std::string::npos) << least.warnings.back();
}

// FLUX.2's tiny autoencoder as its author publishes it, there and back on a photograph.
TEST_F(Adapted, TheTinyAutoencoderOfFlux2KeepsAPhotograph) {
  const std::filesystem::path shared = "../shared/data/weights";
  if (!std::filesystem::exists(shared / "taesd")) GTEST_SKIP() << "the published weights are not beside the sources";
  const formats::DiffusersPart part = formats::open_diffusers_part(shared / "taesd");
  const media::Image photo = media::to_channels(media::read_image(shared / "lpips/ex_ref.png"), 3);
  ASSERT_EQ(photo.width % 8, 0);
  ASSERT_EQ(photo.height % 8, 0);
  const NetworkWeights weights{"taef2", part.weights(), {}};
  const auto network = [&](models::Role role, int cell) {
    return Network(weights,
                   models::build_network(part.class_name, role, part.config,
                                         {.height = photo.height / cell, .width = photo.width / cell}),
                   *executor_, graph::Precision::f32);
  };
  graph::Tensor pixels({DType::f32, {1, photo.height, photo.width, 3}});
  from_image(photo, 3, pixels.mutable_as<float>());
  Network encoder = network(models::Role::encoder, 1), decoder = network(models::Role::decoder, 8);
  const graph::Tensor latent = encoder.run({{"image", pixels}}, nullptr).at("latent");
  EXPECT_EQ(latent.shape().back(), 32);
  const auto back = decoder.run({{"latent", latent}}, nullptr).at("image").as<float>();
  double sum = 0;
  for (std::size_t i = 0; i < back.size(); ++i) {
    const double error = 127.5 * (std::clamp(back[i], -1.0F, 1.0F) - pixels.as<float>()[i]);
    sum += error * error;
  }
  const double psnr = 10 * std::log10(255.0 * 255.0 / (sum / static_cast<double>(back.size())));
  RecordProperty("psnr", std::to_string(psnr));
  EXPECT_NEAR(psnr, 22.517, 0.01);  // as PyTorch gives: a small piece of texture, with norms over the whole picture
}

TEST_F(Adapted, PreviewsEndInThePicture) {
  const PublishedModel model = PublishedModel::open(
      kModels / "sd15", {.autoencoder = kModels / "taesd", .preview_autoencoder = kModels / "taesd"});
  std::vector<int> seen;
  media::Image last;
  PublishedOptions options{.steps = 4, .sampler = "ddim"};
  options.preview_every = 2;
  options.preview = [&](int done, int total, const media::Image& picture) {
    EXPECT_EQ(total, 4);
    seen.push_back(done);
    last = picture;
  };
  const PublishedResult made = make(model, {.prompt = "a lighthouse", .seed = 3}, options);
  EXPECT_EQ(seen, (std::vector<int>{2, 4}));
  // Behind the last step the clean estimate is all but the latent itself: the schedule ends at a small sigma.
  EXPECT_LE(difference(last, made.images[0]).largest, 24);

  const PublishedModel linear = PublishedModel::open(kModels / "sd15");
  options.preview = [&](int, int, const media::Image& picture) { last = picture; };
  const PublishedResult other = make(linear, {.prompt = "a lighthouse", .seed = 3}, options);
  EXPECT_EQ(last.width * 4, other.width);  // a pixel for each cell of 4 x 4
  EXPECT_EQ(last.height * 4, other.height);
}

}  // namespace
}  // namespace thimble::diffusion
