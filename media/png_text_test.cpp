// Texts inside PNGs: there and back, chunks of other programs, damage.
#include "media/png_text.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "media/codec.h"

namespace thimble::media {
namespace {

std::span<const std::byte> as_bytes_of(const std::string& s) { return std::as_bytes(std::span(s)); }

std::string small_png() {
  Image image(3, 2, 3);
  for (std::size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = static_cast<std::uint8_t>(13 * i);
  return encode_image(image, ImageFormat::png);
}

std::string refusal_of(const std::string& png, const std::string& key = "note") {
  try {
    find_png_text(as_bytes_of(png), key, "a.png");
  } catch (const Error& e) {
    return std::string(to_string(e.kind())) + ": " + e.message();
  }
  return "no error";
}

TEST(PngText, ThereAndBack) {
  const std::string plain = small_png(), text = "{\"prompt\": \"ein Käse 🧀\"}";
  const std::string with = add_png_text(add_png_text(plain, "other", "x"), "note", text);
  EXPECT_EQ(find_png_text(as_bytes_of(with), "note", "a.png"), text);
  EXPECT_EQ(find_png_text(as_bytes_of(with), "other", "a.png"), "x");
  EXPECT_EQ(find_png_text(as_bytes_of(with), "none", "a.png"), std::nullopt);
  EXPECT_EQ(find_png_text(as_bytes_of(plain), "note", "a.png"), std::nullopt);
  EXPECT_EQ(decode_image(as_bytes_of(with), "a.png"), decode_image(as_bytes_of(plain), "a.png"));
}

// "Ti" under the key "a", with the sum that zlib gives for these bytes.
TEST(PngText, ReadsLatin1OfOtherPrograms) {
  const std::string plain = small_png();
  const std::string chunk("\0\0\0\x04tEXta\0T\xe9\x33\x1f\x84\xa2", 16);
  const std::string png = plain.substr(0, 33) + chunk + plain.substr(33);
  EXPECT_EQ(find_png_text(as_bytes_of(png), "a", "a.png"), "T\xc3\xa9") << refusal_of(png, "a");
}

TEST(PngText, DamageIsNamed) {
  const std::string with = add_png_text(small_png(), "note", "a text");
  EXPECT_EQ(refusal_of("no png"), "bad file: a.png is no PNG");
  std::string other = with;
  other[33 + 8 + 12] ^= 1;  // inside the text
  EXPECT_NE(refusal_of(other).find("the sum of the text chunk"), std::string::npos) << refusal_of(other);
  other = with;
  other[33] = 0x7f;
  EXPECT_NE(refusal_of(other).find("the chunk at byte 33 has"), std::string::npos) << refusal_of(other);
  EXPECT_NE(refusal_of(with.substr(0, 40)).find("inside a chunk"), std::string::npos);
}

TEST(PngText, WhatDoesNotFitIsRefused) {
  const auto refused = [](const std::string& key, const std::string& text) {
    try {
      add_png_text(small_png(), key, text);
    } catch (const Error& e) {
      return e.kind() == ErrorKind::bad_input;
    }
    return false;
  };
  EXPECT_TRUE(refused("", "x"));
  EXPECT_TRUE(refused(std::string(80, 'k'), "x"));
  EXPECT_TRUE(refused("k\n", "x"));
  EXPECT_TRUE(refused("k", std::string("a\0b", 3)));
  EXPECT_TRUE(refused("k", std::string(kMaxPngText + 1, 'x')));
}

}  // namespace
}  // namespace thimble::media
