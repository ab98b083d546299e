// Tests of media/: codecs there and back, damaged files, resizing and pixel operations worked out by hand.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "base/rng.h"
#include "media/codec.h"
#include "media/transform.h"

namespace thimble::media {
namespace {

std::span<const std::byte> bytes(const std::string& s) { return std::as_bytes(std::span(s)); }

Image noise(int width, int height, int channels) {
  Image image(width, height, channels);
  Rng rng(static_cast<std::uint64_t>(width * 100 + channels));
  for (auto& p : image.pixels) p = static_cast<std::uint8_t>(rng.below(256));
  return image;
}

Image ramp(int width, int height) {
  Image image(width, height, 3);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      image.at(x, y)[0] = static_cast<std::uint8_t>(255 * x / (width - 1));
      image.at(x, y)[1] = static_cast<std::uint8_t>(255 * y / (height - 1));
      image.at(x, y)[2] = 128;
    }
  }
  return image;
}

double psnr(const Image& a, const Image& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.pixels.size(); ++i) sum += std::pow(a.pixels[i] - b.pixels[i], 2);
  return 10 * std::log10(255 * 255 / (sum / static_cast<double>(a.pixels.size())));
}

std::string message_of(const std::string& content, std::string_view what) {
  try {
    decode_image(bytes(content), what);
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::bad_file);
    return e.what();
  }
  return "no error";
}

TEST(Codec, PngIsExact) {
  for (int channels : {1, 3, 4}) {
    const Image image = noise(17, 9, channels);
    EXPECT_EQ(decode_image(bytes(encode_image(image, ImageFormat::png)), "test"), image) << channels;
  }
}

TEST(Codec, LosslessWebpIsExactAlsoWhereTransparent) {
  for (int channels : {3, 4}) {
    Image image = noise(19, 11, channels);
    if (channels == 4) image.pixels[3] = 0;
    EXPECT_EQ(decode_image(bytes(encode_image(image, ImageFormat::webp, {.lossless = true})), "test"), image)
        << channels;
  }
}

TEST(Codec, LossyFormatsStayClose) {
  const Image image = ramp(64, 48);
  for (const ImageFormat format : {ImageFormat::jpeg, ImageFormat::webp}) {
    EXPECT_GT(psnr(decode_image(bytes(encode_image(image, format, {.quality = 90})), "test"), image), 38);
  }
  EXPECT_LT(encode_image(image, ImageFormat::jpeg, {.quality = 20}).size(),
            encode_image(image, ImageFormat::jpeg, {.quality = 95}).size());
  const Image grey = to_channels(image, 1);
  EXPECT_EQ(decode_image(bytes(encode_image(grey, ImageFormat::jpeg)), "test").channels, 1);
}

TEST(Codec, LossyWebpKeepsAlphaExactly) {
  Image image = noise(32, 32, 4);
  const Image back = decode_image(bytes(encode_image(image, ImageFormat::webp, {.quality = 50})), "test");
  for (std::size_t i = 3; i < image.pixels.size(); i += 4) ASSERT_EQ(back.pixels[i], image.pixels[i]);
}

TEST(Codec, EveryTruncationIsAnError) {
  Image image = noise(8, 8, 3);
  const std::string files[] = {encode_image(image, ImageFormat::png), encode_image(image, ImageFormat::jpeg),
                               encode_image(image, ImageFormat::webp),
                               encode_image(image, ImageFormat::webp, {.lossless = true}),
                               encode_image(noise(8, 8, 4), ImageFormat::webp)};
  for (const std::string& file : files) {
    for (std::size_t n = 0; n < file.size(); ++n) {
      const std::string error = message_of(file.substr(0, n), "cut.img");
      EXPECT_NE(error.find("cut.img"), std::string::npos) << n << " of " << file.size() << ": " << error;
    }
  }
}

// Any byte changed: an error or a picture, never a crash. Sanitizer builds give this test its teeth.
TEST(Codec, DamagedBytesNeverCrash) {
  Image image = noise(8, 8, 4);
  const std::string files[] = {encode_image(image, ImageFormat::png),
                               encode_image(to_channels(image, 3), ImageFormat::jpeg),
                               encode_image(image, ImageFormat::webp)};
  for (const std::string& file : files) {
    for (std::size_t i = 0; i < file.size(); ++i) {
      std::string damaged = file;
      damaged[i] = static_cast<char>(damaged[i] ^ 0x55);
      try {
        const Image out = decode_image(bytes(damaged), "damaged");
        EXPECT_EQ(out.pixels.size(), out.offset(0, out.height));
      } catch (const Error&) {
      }
    }
  }
}

TEST(Codec, HugeHeadersAreRefusedBeforeMemoryIsTaken) {
  std::string png = encode_image(noise(8, 8, 3), ImageFormat::png);
  png[18] = '\x40', png[19] = '\x01';  // width 16385; libpng's own limit or its checksum refuses it
  EXPECT_NE(message_of(png, "wide.png").find("wide.png"), std::string::npos);
  std::string jpeg = encode_image(noise(8, 8, 1), ImageFormat::jpeg);
  const auto frame = jpeg.find("\xff\xc0");
  ASSERT_NE(frame, std::string::npos);
  jpeg[frame + 5] = '\x7f', jpeg[frame + 7] = '\x7f';
  EXPECT_NE(message_of(jpeg, "huge.jpg").find("the header says"), std::string::npos);
}

TEST(Codec, FormatsAreToldBySignatureAndExtension) {
  EXPECT_EQ(format_of_extension("a/b.JPG"), ImageFormat::jpeg);
  EXPECT_EQ(format_of_extension("b.webp"), ImageFormat::webp);
  EXPECT_THROW(format_of_extension("b.gif"), Error);
  EXPECT_NE(message_of("GIF89a..", "x.gif").find("no PNG, JPEG or WebP signature"), std::string::npos);
  EXPECT_THROW(encode_image(noise(4, 4, 4), ImageFormat::jpeg), Error);
  const auto path = std::filesystem::temp_directory_path() / "thimble_media_test.png";
  write_image(path, ramp(5, 4));
  EXPECT_EQ(read_image(path), ramp(5, 4));
  std::filesystem::remove(path);
}

TEST(Image, SizesAreChecked) {
  EXPECT_THROW(Image(0, 4, 3), Error);
  EXPECT_THROW(Image(4, kMaxSide + 1, 3), Error);
  EXPECT_THROW(Image(4, 4, 2), Error);
}

TEST(Resize, AreaAveragesBoxes) {
  Image image(4, 2, 1);
  image.pixels = {0, 100, 10, 20, 200, 100, 30, 40};
  EXPECT_EQ(resize(image, 2, 1).pixels, (std::vector<std::uint8_t>{100, 25}));
  Image three(3, 1, 1);
  three.pixels = {0, 90, 255};
  // Boxes of 1.5 pixels: (0 + 90/2) / 1.5 and (90/2 + 255) / 1.5.
  EXPECT_EQ(resize(three, 2, 1).pixels, (std::vector<std::uint8_t>{30, 200}));
}

TEST(Resize, BilinearAndBicubicAtKnownPoints) {
  Image image(2, 1, 1);
  image.pixels = {0, 100};
  // Centres of the four new pixels lie at -0.25, 0.25, 0.75, 1.25 of the old ones.
  EXPECT_EQ(resize(image, 4, 1, Filter::bilinear).pixels, (std::vector<std::uint8_t>{0, 25, 75, 100}));
  // Four pixels doubled: the second lies at 0.25, with Keys' weights -0.0703125 0.8671875 0.2265625 -0.0234375.
  Image step(4, 1, 1);
  step.pixels = {0, 0, 200, 200};
  const Image cubic = resize(step, 8, 1, Filter::bicubic);
  EXPECT_EQ(cubic.at(3, 0)[0], 41);  // 200 * (0.2265625 - 0.0234375) = 40.625
  EXPECT_EQ(cubic.at(4, 0)[0], 159);
}

TEST(Resize, EveryFilterKeepsAConstant) {
  Image image(13, 7, 4);
  for (std::size_t i = 0; i < image.pixels.size(); ++i)
    image.pixels[i] = static_cast<std::uint8_t>(i % 4 == 3 ? 200 : 90);
  for (const Filter filter : {Filter::area, Filter::bilinear, Filter::bicubic}) {
    for (const auto& [w, h] : {std::pair{5, 5}, std::pair{29, 30}}) {
      const Image out = resize(image, w, h, filter);
      for (std::size_t i = 0; i < out.pixels.size(); ++i) ASSERT_EQ(out.pixels[i], i % 4 == 3 ? 200 : 90);
    }
  }
}

TEST(Resize, HiddenColoursDoNotBleed) {
  Image image(2, 1, 4);
  image.pixels = {255, 0, 0, 255, 0, 255, 0, 0};  // opaque red, invisible green
  EXPECT_EQ(resize(image, 1, 1).pixels, (std::vector<std::uint8_t>{255, 0, 0, 128}));
}

TEST(Transform, CompositeAndPremultiply) {
  Image image(1, 1, 4);
  image.pixels = {200, 100, 0, 51};  // one fifth
  EXPECT_EQ(composite(image, {100, 200, 255}).pixels, (std::vector<std::uint8_t>{120, 180, 204}));
  EXPECT_EQ(premultiply(image).pixels, (std::vector<std::uint8_t>{40, 20, 0, 51}));
  EXPECT_EQ(unpremultiply(premultiply(image)), image);
}

TEST(Transform, DrawOver) {
  Image below(2, 2, 4), above(2, 1, 4);
  below.pixels.assign(16, 255);
  above.pixels = {0, 0, 0, 255, 0, 0, 0, 51};
  draw_over(below, above, -1, 1);  // only the faint pixel lands, at (0, 1)
  EXPECT_EQ(std::vector<std::uint8_t>(below.at(0, 1), below.at(0, 1) + 4),
            (std::vector<std::uint8_t>{204, 204, 204, 255}));
  EXPECT_EQ(below.at(1, 1)[0], 255);
  Image clear(1, 1, 4);
  draw_over(clear, above, -1, 0);
  EXPECT_EQ(clear.pixels, (std::vector<std::uint8_t>{0, 0, 0, 51}));
}

TEST(Transform, FlipCropAndChannels) {
  const Image image = noise(5, 4, 3);
  EXPECT_EQ(flip_horizontal(flip_horizontal(image)), image);
  EXPECT_EQ(flip_vertical(image).at(2, 0)[1], image.at(2, 3)[1]);
  EXPECT_EQ(crop(image, 1, 2, 3, 2).at(2, 1)[0], image.at(3, 3)[0]);
  EXPECT_THROW(crop(image, 3, 0, 3, 1), Error);
  Image colour(1, 1, 3);
  colour.pixels = {255, 0, 0};
  EXPECT_EQ(to_channels(colour, 1).pixels[0], 76);  // 0.299 * 255
  EXPECT_EQ(to_channels(colour, 4).pixels[3], 255);
}

}  // namespace
}  // namespace thimble::media
