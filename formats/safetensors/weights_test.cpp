// Tests of tensors as weights: what shares bytes, what is copied, and the values of 8-bit floats.
#include "formats/safetensors/weights.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>

#include "base/error.h"

namespace thimble::formats {
namespace {

// A file of the given header and data; `shift` moves it in memory.
struct Stored {
  std::shared_ptr<std::string> text = std::make_shared<std::string>();
  TensorMap tensors;
  Stored(std::string header, std::string_view data, std::size_t shift = 0) {
    header.append((8 - header.size() % 8) % 8, ' ');
    text->append(shift, '#');
    const std::uint64_t length = header.size();
    text->append(reinterpret_cast<const char*>(&length), 8).append(header).append(data);
    tensors = SafetensorsFile::parse(std::as_bytes(std::span(*text)).subspan(shift), "f").tensors();
  }
};

TEST(MapWeights, SharesAlignedBytesAndCopiesOthers) {
  const float values[2] = {1.5f, -2};
  const std::string_view data(reinterpret_cast<const char*>(values), sizeof(values));
  const std::string header = R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  for (const std::size_t shift : {0, 1, 8}) {
    const Stored stored(header, data, shift);
    const graph::Weights weights = map_weights(stored.tensors, stored.text);
    const graph::Tensor& w = weights.at("w");
    EXPECT_EQ(w.owned(), shift == 1) << shift;
    EXPECT_EQ(w.owner() == stored.text, shift != 1) << shift;
    EXPECT_EQ(w.as<float>()[0], 1.5f);
    EXPECT_EQ(w.as<float>()[1], -2.0f);
  }
}

TEST(MapWeights, EightBitFloats) {
  EXPECT_EQ(f8_e4m3_to_f32(0x00), 0.0f);
  EXPECT_TRUE(std::signbit(f8_e4m3_to_f32(0x80)));
  EXPECT_EQ(f8_e4m3_to_f32(0x01), std::ldexp(1.0f, -9));
  EXPECT_EQ(f8_e4m3_to_f32(0x07), std::ldexp(7.0f, -9));
  EXPECT_EQ(f8_e4m3_to_f32(0x08), std::ldexp(1.0f, -6));
  EXPECT_EQ(f8_e4m3_to_f32(0x38), 1.0f);
  EXPECT_EQ(f8_e4m3_to_f32(0xbc), -1.5f);
  EXPECT_EQ(f8_e4m3_to_f32(0x7e), 448.0f);
  EXPECT_TRUE(std::isnan(f8_e4m3_to_f32(0x7f)));
  EXPECT_TRUE(std::isnan(f8_e4m3_to_f32(0xff)));
  EXPECT_EQ(f8_e5m2_to_f32(0x01), std::ldexp(1.0f, -16));
  EXPECT_EQ(f8_e5m2_to_f32(0x3d), 1.25f);
  EXPECT_EQ(f8_e5m2_to_f32(0x7b), 57344.0f);
  EXPECT_EQ(f8_e5m2_to_f32(0xfc), -INFINITY);
  EXPECT_TRUE(std::isnan(f8_e5m2_to_f32(0x7d)));
  for (int i = 0; i < 256; ++i) {  // nothing is lost in bf16
    for (const float v : {f8_e4m3_to_f32(static_cast<std::uint8_t>(i)), f8_e5m2_to_f32(static_cast<std::uint8_t>(i))}) {
      EXPECT_TRUE(std::isnan(v) || to_f32(to_bf16(v)) == v) << i;
    }
  }

  const Stored stored(R"({"a":{"dtype":"F8_E4M3","shape":[2,2],"data_offsets":[0,4]},)"
                      R"("b":{"dtype":"F8_E5M2","shape":[2],"data_offsets":[4,6]}})",
                      std::string_view("\x38\xbc\x7e\x01\x3d\xfc", 6));
  for (const DType as : {DType::bf16, DType::f32}) {
    const graph::Weights weights = map_weights(stored.tensors, stored.text, as);
    const graph::Tensor &a = weights.at("a"), &b = weights.at("b");
    EXPECT_EQ(a.type(), (graph::TensorType{as, {2, 2}}));
    const graph::Tensor af = a.to(DType::f32), bf = b.to(DType::f32);
    EXPECT_EQ(std::vector<float>(af.as<float>().begin(), af.as<float>().end()),
              (std::vector<float>{1, -1.5f, 448, std::ldexp(1.0f, -9)}));
    EXPECT_EQ(bf.as<float>()[0], 1.25f);
    EXPECT_EQ(bf.as<float>()[1], -INFINITY);
  }
}

// Loads convert in bulk; every half there is must come out as one by one.
TEST(MapWeights, AllHalvesConvertInBulkAsAlone) {
  constexpr std::size_t kAll = 65536;
  std::vector<f16> halves(kAll);
  for (std::size_t i = 0; i < kAll; ++i) halves[i].bits = static_cast<std::uint16_t>(i);
  std::vector<float> floats(kAll);
  std::vector<bf16> brief(kAll), again(kAll);
  convert(DType::f16, halves.data(), DType::f32, floats.data(), kAll);
  convert(DType::f16, halves.data(), DType::bf16, brief.data(), kAll);
  convert(DType::f32, floats.data(), DType::bf16, again.data(), kAll - 3);  // a length of no whole block
  for (std::size_t i = 0; i < kAll; ++i) {
    const float alone = to_f32(halves[i]);
    ASSERT_EQ(std::bit_cast<std::uint32_t>(floats[i]), std::bit_cast<std::uint32_t>(alone)) << i;
    ASSERT_EQ(brief[i].bits, to_bf16(alone).bits) << i;
    ASSERT_EQ(again[i].bits, i < kAll - 3 ? to_bf16(alone).bits : 0) << i;
  }
}

TEST(MapWeights, OtherTypesAreRefusedByName) {
  const Stored stored(R"({"q":{"dtype":"F8_E8M0","shape":[1],"data_offsets":[0,1]}})", "x");
  try {
    map_weights(stored.tensors, stored.text);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::unsupported);
    EXPECT_NE(e.message().find("'q' is of type F8_E8M0"), std::string::npos) << e.message();
  }
}

}  // namespace
}  // namespace thimble::formats
