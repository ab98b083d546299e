// The whole chain on a data set of a few drawn pictures: autoencoder, latents, tokenizer, generator, export, generate.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>

#include "base/file.h"
#include "base/rng.h"
#include "data/emoji/pack.h"
#include "diffusion/model.h"
#include "train/autoencoder.h"
#include "train/checkpoint_file.h"
#include "train/export.h"
#include "train/generator.h"
#include "train/latents.h"
#include "train/pca.h"
#include "train/pictures.h"
#include "train/tokenizer.h"

namespace thimble::train {
namespace {

namespace fs = std::filesystem;

// A disc of its own colour and place on nothing.
media::Image disc(int number) {
  media::Image image(data::kPictureSide, data::kPictureSide, 4);
  const int x0 = 80 + 12 * (number % 8), radius = 30 + 5 * (number % 7);
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      if ((x - x0) * (x - x0) + (y - 128) * (y - 128) > radius * radius) continue;
      std::uint8_t* p = image.at(x, y);
      p[0] = static_cast<std::uint8_t>(37 * number);
      p[1] = static_cast<std::uint8_t>(255 - 29 * number);
      p[2] = 90;
      p[3] = 255;
    }
  }
  return image;
}

class RecipesTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    dir_ = fs::temp_directory_path() / ("thimble_recipes_" + std::to_string(::getpid()));
    fs::create_directories(dir_);
    std::vector<data::Entry> entries;
    std::vector<data::PackedPicture> pictures;
    for (int i = 0; i < 24; ++i) {
      data::Entry e;
      e.code_point = "1f6" + std::to_string(10 + i / 2);
      e.style = i % 2 == 0 ? data::Style::noto : data::Style::flat;
      e.label = "disc number " + std::to_string(i / 2);
      e.tags = {"round", "thing"};
      e.group = "objects";
      e.split = i < 18 ? data::Split::train : data::Split::validation;
      entries.push_back(e);
      pictures.push_back(data::pack_picture(disc(i / 2), 90, 100));
    }
    data::write_pack(dir_ / "set.pack", entries, pictures);
  }
  static void TearDownTestSuite() { fs::remove_all(dir_); }

  static AutoencoderTraining autoencoder() {
    AutoencoderTraining o;
    o.data = dir_ / "set.pack";
    o.loop = {.run_dir = dir_ / "ae", .steps = 6, .sample_minutes = 0, .log_every = 1};
    o.model = {.channels = {8, 8, 12, 12},
               .encoder_blocks = {0, 0, 0, 1},
               .decoder_blocks = {0, 0, 0, 1},
               .latent_channels = 4};
    o.crop = 64;
    o.batch = 4;
    o.validation_pictures = 4;
    o.threads = 2;
    o.schedule.warmup = 1;
    return o;
  }
  static inline fs::path dir_;
};

TEST_F(RecipesTest, EveryStageFeedsTheNext) {
  const CancelToken cancel;
  AutoencoderTraining a = autoencoder();
  EXPECT_EQ(train_autoencoder(a, {}, cancel).step, 6);
  EXPECT_TRUE(fs::exists(dir_ / "ae/reconstructions.png"));
  EXPECT_THROW(train_autoencoder(a, {}, cancel), Error) << "a folder with checkpoints wants --resume";
  a.resume = true;
  a.crop = 0;
  a.batch = 2;
  a.loop.steps = 8;
  EXPECT_EQ(train_autoencoder(a, {}, cancel).step, 8);
  const CsvLog log(dir_ / "ae/log.csv", 100);
  ASSERT_EQ(log.rows().size(), 8u);
  for (const auto& row : log.rows()) EXPECT_TRUE(std::isfinite(row[2]));

  const LatentsOptions l{
      .data = a.data, .autoencoder = dir_ / "ae", .out = dir_ / "latents.safetensors", .grounds = 2, .batch = 7};
  EXPECT_EQ(build_latents(l, {}, cancel), 24u);
  const LatentCache cache = LatentCache::open(l.out);
  EXPECT_EQ(cache.grid(), 8);
  EXPECT_EQ(cache.channels(), 4);
  EXPECT_TRUE(cache.contains(23));
  EXPECT_FALSE(cache.contains(24));
  EXPECT_NE(cache.ground(3, 1), cache.ground(3, 2));
  // Standardised over the training split, every channel has mean 0 and variance 1.
  std::vector<double> sum(4), square(4);
  std::vector<float> one(cache.elements());
  for (int id = 0; id < 18; ++id) {
    for (int v = 0; v < 3; ++v) {
      cache.read(id, v, one);
      for (std::size_t i = 0; i < one.size(); ++i) {
        sum[i % 4] += one[i];
        square[i % 4] += double{one[i]} * one[i];
      }
    }
  }
  const double n = 18.0 * 3 * 64;
  for (int c = 0; c < 4; ++c) {
    EXPECT_NEAR(sum[c] / n, 0, 2e-2);
    EXPECT_NEAR(square[c] / n, 1, 3e-2);
  }

  const text::ByteBpe tokenizer = train_caption_tokenizer({.data = a.data, .vocabulary = 300});
  EXPECT_GT(tokenizer.vocab_size(), 280);
  EXPECT_LE(tokenizer.vocab_size(), 300);
  write_file(dir_ / "tokenizer.json", tokenizer.to_json().dump());

  GeneratorTraining g;
  g.data = a.data;
  g.latents = l.out;
  g.tokenizer = dir_ / "tokenizer.json";
  g.autoencoder = dir_ / "ae";
  g.loop = {.run_dir = dir_ / "gen", .steps = 40, .sample_minutes = 0, .log_every = 10};
  g.text.width = 16;
  g.text.depth = 1;
  g.text.heads = 2;
  g.text.out_width = 24;
  g.denoiser.width = 32;
  g.denoiser.depth = 1;
  g.denoiser.heads = 2;
  g.batch = 8;
  g.threads = 2;
  g.schedule = {ScheduleKind::constant, 3e-3, 5};
  g.sample_steps = 2;
  EXPECT_EQ(train_generator(g, {}, cancel).step, 40);
  const CsvLog losses(dir_ / "gen/log.csv", 100);
  ASSERT_EQ(losses.rows().size(), 4u);
  EXPECT_LT(losses.rows()[3][2], 0.9 * losses.rows()[0][2]) << "the loss falls";
  EXPECT_TRUE(fs::exists(dir_ / "gen/samples.png"));

  ExportOptions e;
  e.generator = dir_ / "gen";
  e.autoencoder = dir_ / "ae";
  e.latents = l.out;
  e.tokenizer = g.tokenizer;
  e.out = dir_ / "model.safetensors";
  export_model(e);
  const diffusion::Model model = diffusion::Model::open(e.out);
  EXPECT_EQ(model.image_size(), 256);
  EXPECT_EQ(model.latent_shape(), (graph::Shape{8, 8, 4}));
  std::vector<float> latent(cache.elements(), 0.0f);
  model.from_denoiser(latent);
  EXPECT_NEAR(latent[1], cache.mean()[1], 1e-6);
}

TEST_F(RecipesTest, DecoderOnlyLeavesTheEncoder) {
  const CancelToken cancel;
  AutoencoderTraining a = autoencoder();
  a.loop.run_dir = dir_ / "both";
  train_autoencoder(a, {}, cancel);
  const auto before = load_autoencoder(dir_ / "both");
  a.weights = newest_checkpoint(dir_ / "both");
  a.loop.run_dir = dir_ / "decoder";
  a.decoder_only = true;
  train_autoencoder(a, {}, cancel);
  const auto after = load_autoencoder(dir_ / "decoder");
  int moved = 0;
  for (const std::string& name : before.weights.names()) {
    const auto p = before.weights.at(name).as<float>(), q = after.weights.at(name).as<float>();
    const bool same = std::equal(p.begin(), p.end(), q.begin(), q.end());
    if (name.starts_with("encoder.")) {
      EXPECT_TRUE(same) << name;
    } else {
      moved += !same;
    }
  }
  EXPECT_GT(moved, 4);
}

// Stopping at any step and going on gives the weights of an unbroken run.
TEST_F(RecipesTest, AutoencoderGoesOnExactly) {
  const CancelToken cancel;
  AutoencoderTraining a = autoencoder();
  a.precision = graph::Precision::f32;
  a.schedule.kind = ScheduleKind::constant;
  a.loop.run_dir = dir_ / "straight";
  a.loop.steps = 4;
  train_autoencoder(a, {}, cancel);
  a.loop.run_dir = dir_ / "broken";
  a.loop.steps = 2;
  train_autoencoder(a, {}, cancel);
  a.loop.steps = 4;
  a.resume = true;
  train_autoencoder(a, {}, cancel);
  const auto x = load_autoencoder(dir_ / "straight"), y = load_autoencoder(dir_ / "broken");
  for (const std::string& name : x.weights.names()) {
    const auto p = x.weights.at(name).as<float>(), q = y.weights.at(name).as<float>();
    EXPECT_TRUE(std::equal(p.begin(), p.end(), q.begin(), q.end())) << name;
  }
}

// More components than the training pictures differ by: what lies in their span comes back.
TEST_F(RecipesTest, PcaKeepsWhatItsValuesHold) {
  const CancelToken cancel;
  PcaOptions o{.data = dir_ / "set.pack", .values = 1024, .block = 8, .pictures = 18, .validation_pictures = 4};
  const PcaQuality few = pca_baseline(o, {}, cancel);
  o.values = 8192;
  const PcaQuality more = pca_baseline(o, {}, cancel);
  EXPECT_EQ(more.pictures, 18);
  EXPECT_GT(more.blocks.rgba, few.blocks.rgba + 3);
  EXPECT_NEAR(more.whole.rgba, few.whole.rgba, 1e-3) << "18 pictures have 17 components";
  o.values = 100;
  EXPECT_THROW(pca_baseline(o, {}, cancel), Error);
}

TEST_F(RecipesTest, WindowsArePremultipliedAndComeBack) {
  const media::Image image = disc(3);
  std::vector<float> values(64 * 64 * 4);
  sample_window(image, {.x = 70, .y = 100, .side = 64}, nullptr, values);
  const media::Image back = to_image(values, 64);
  for (int y = 0; y < 64; ++y) {
    for (int x = 0; x < 64; ++x) {
      for (int c = 0; c < 4; ++c) ASSERT_EQ(back.at(x, y)[c], image.at(70 + x, 100 + y)[c]);
    }
  }
  const media::Rgb blue{0, 0, 255};
  sample_window(image, {.x = -500, .y = 0, .side = 64}, &blue, values);
  EXPECT_FLOAT_EQ(values[0], -1);
  EXPECT_FLOAT_EQ(values[2], 1);
  EXPECT_FLOAT_EQ(values[3], 1);
}

// The loss's gradient against central differences, in double precision of the sum.
TEST_F(RecipesTest, PictureLossGradient) {
  const PictureLossOptions o{.square = 0.7f, .edge = 0.4f};
  const std::int64_t batch = 2, side = 8;
  std::vector<float> output(batch * side * side * 4), target(output.size()), gradient(output.size()),
      unused(output.size());
  const std::vector<float> grounds{0.2f, 0.9f, 0.5f, 1, 0, 0.3f};
  fill_normal(output, 1, 1);
  fill_normal(target, 1, 2);
  picture_loss(o, batch, side, output, target, grounds, gradient);
  for (std::size_t i = 0; i < output.size(); i += 5) {
    constexpr float kStep = 1e-3f;
    auto up = output, down = output;
    up[i] += kStep;
    down[i] -= kStep;
    const double numeric = (picture_loss(o, batch, side, up, target, grounds, unused).total -
                            picture_loss(o, batch, side, down, target, grounds, unused).total) /
                           (2 * kStep);
    // A kink of |x| inside the step moves one term; the largest single slope is under 0.02.
    EXPECT_NEAR(gradient[i], numeric, 4e-3) << i;
  }
}

}  // namespace
}  // namespace thimble::train
