// Upscaling: the network worked out by hand on one pixel, tiles against one piece, and the published networks where
// their files are at hand.
#include "api/upscale.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>

#include "base/error.h"
#include "base/rng.h"
#include "formats/safetensors/safetensors.h"
#include "media/codec.h"
#include "media/transform.h"
#include "runtime/device.h"

namespace thimble::api {
namespace {

class Upscaling : public testing::Test {
 protected:
  ~Upscaling() override { std::filesystem::remove(path_); }

  // A network of two convolutions in the middle, twice as large, with drawn weights of a spread that keeps tones.
  void write_network() {
    const models::RealEsrganConfig config{8, 2, 2};
    const graph::Graph g = models::build_real_esrgan(config, 1, 4, 4);
    const graph::Weights weights = graph::initialise(g, 3);
    std::vector<formats::TensorSpec> specs;
    for (const std::string& name : weights.names()) specs.push_back({name, DType::f32, weights.at(name).shape()});
    formats::SafetensorsWriter out(path_, specs);
    for (const auto& s : out.order()) out.write(s.name, {weights.at(s.name).data(), weights.at(s.name).type().bytes()});
    out.commit();
  }

  static media::Image drawn(int width, int height, int channels) {
    media::Image image(width, height, channels);
    Rng rng(5);
    for (auto& p : image.pixels) p = static_cast<std::uint8_t>(rng.below(256));
    return image;
  }

  const std::filesystem::path path_ =
      std::filesystem::path(testing::TempDir()) / ("thimble_upscale_" + std::to_string(::getpid()) + ".safetensors");
  std::unique_ptr<graph::Executor> executor_ = runtime::make_device_executor({});
};

TEST_F(Upscaling, TilesAreSeenAtTheRimAlone) {
  write_network();
  Upscaler upscaler(path_, *executor_, graph::Precision::f32);
  EXPECT_EQ(upscaler.scale(), 2);
  const media::Image small = drawn(40, 24, 3);
  const media::Image whole = upscaler(small), tiled = upscaler(small, {.tile = 16});
  ASSERT_EQ(whole.width, 80);
  ASSERT_EQ(whole.height, 48);
  const int rim = 2 * models::real_esrgan_reach({8, 2, 2});
  for (int y = rim; y < whole.height - rim; ++y) {
    for (int x = rim; x < whole.width - rim; ++x) {
      for (int c = 0; c < 3; ++c) ASSERT_NEAR(whole.at(x, y)[c], tiled.at(x, y)[c], 1) << x << "," << y;
    }
  }
}

TEST_F(Upscaling, KeepsTransparencyAndShrinks) {
  write_network();
  Upscaler upscaler(path_, *executor_, graph::Precision::f32);
  media::Image small = drawn(12, 10, 4);
  for (std::size_t i = 3; i < small.pixels.size(); i += 4) small.pixels[i] = 77;
  const media::Image large = upscaler(small);
  EXPECT_EQ(large.channels, 4);
  EXPECT_EQ(large.at(5, 5)[3], 77);
  EXPECT_EQ(upscaler(small, {.scale = 1}).width, 12);
  EXPECT_THROW(upscaler(small, {.scale = 3}), Error);
  EXPECT_THROW(upscaler(small, {.tile = 4}), Error);
}

TEST_F(Upscaling, OtherFilesAreRefused) {
  {
    formats::SafetensorsWriter out(path_, {{"conv_first.weight", DType::f32, {64, 3, 3, 3}}});
    out.write("conv_first.weight", std::vector<std::byte>(64 * 27 * 4));
    out.commit();
  }
  try {
    Upscaler(path_, *executor_, graph::Precision::f32);
    ADD_FAILURE() << "opened";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::bad_file);
    EXPECT_NE(e.message().find("no compact Real-ESRGAN network"), std::string::npos) << e.what();
  }
}

double psnr(const media::Image& a, const media::Image& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.pixels.size(); ++i) sum += std::pow(1.0 * a.pixels[i] - b.pixels[i], 2);
  return 10 * std::log10(255.0 * 255.0 / (sum / static_cast<double>(a.pixels.size())));
}

TEST_F(Upscaling, PublishedNetworksOnAPhotograph) {
  const std::filesystem::path shared = "../shared/data/weights";
  if (!std::filesystem::exists(shared / "realesrgan"))
    GTEST_SKIP() << "the published weights are not beside the sources";
  const media::Image photo = media::to_channels(media::read_image(shared / "lpips/ex_ref.png"), 3);
  const media::Image small = media::resize(photo, photo.width / 4, photo.height / 4);
  Upscaler upscaler(shared / "realesrgan/RealESRGAN_General_x4_v3.param", *executor_, graph::Precision::f32);
  ASSERT_EQ(upscaler.scale(), 4);
  const media::Image large = upscaler(small);
  ASSERT_EQ(large.width, photo.width);
  const double got = psnr(large, photo),
               bicubic = psnr(media::resize(small, photo.width, photo.height, media::Filter::bicubic), photo);
  RecordProperty("psnr", std::to_string(got));
  RecordProperty("bicubic", std::to_string(bicubic));
  EXPECT_GT(got, bicubic - 3);  // trained for detail, at the cost of decibels
}

}  // namespace
}  // namespace thimble::api
