// Blocks and files against what the package gguf makes of the same bytes (tools/goldens/gguf_blocks.py), and damage.
#include "formats/gguf/gguf.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>

#include "base/error.h"
#include "formats/gguf/blocks.h"

namespace thimble::formats {
namespace {

const std::filesystem::path kFolder = "formats/gguf/testdata";

template <class F>
std::string refusal(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    return std::string(to_string(e.kind())) + ": " + e.what();
  }
  return "no error";
}

TEST(GgufBlocks, ExpandAsTheReference) {
  const auto file = SafetensorsFile::open(kFolder / "blocks.safetensors");
  for (const BlockType& type : block_types()) {
    const TensorInfo& raw = file.at(std::string(type.name) + ".bytes");
    const TensorInfo& want = file.at(std::string(type.name) + ".values");
    const auto count = want.shape[0], elements = want.shape[1];
    ASSERT_EQ(static_cast<std::size_t>(elements), type.elements) << type.name;
    ASSERT_EQ(static_cast<std::size_t>(raw.shape[1]), type.bytes) << type.name;
    const TensorInfo info("t", std::string(type.name), {count, elements}, raw.stored_bytes());
    const graph::Tensor made = expand_blocks(info, DType::f32);
    ASSERT_EQ(made.shape(), want.shape);
    const auto got = made.as<float>();
    for (std::size_t i = 0; i < got.size(); ++i) {
      float wanted;
      std::memcpy(&wanted, want.data().data() + 4 * i, 4);
      ASSERT_NEAR(got[i], wanted, 1e-5 * std::max(1.0F, std::abs(wanted))) << type.name << " " << i;
    }
  }
}

TEST(GgufBlocks, WritesQ8) {
  const auto file = SafetensorsFile::open(kFolder / "blocks.safetensors");
  const TensorInfo &values = file.at("write.values"), &want = file.at("write.bytes");
  std::vector<float> from(static_cast<std::size_t>(values.elements()));
  std::memcpy(from.data(), values.data().data(), values.data().size());
  std::vector<std::byte> made(from.size() / 32 * 34);
  write_q8_0(from.data(), from.size(), made.data());
  ASSERT_EQ(made.size(), want.stored_bytes().size());
  EXPECT_EQ(std::memcmp(made.data(), want.stored_bytes().data(), made.size()), 0);
}

TEST(Gguf, ReadsAFileOfAnotherWriter) {
  const GgufFile file = GgufFile::open(kFolder / "small.gguf");
  EXPECT_EQ(file.metadata().at("general.name"), "a small one");
  EXPECT_EQ(file.metadata().at("test.number"), 7);
  EXPECT_EQ(file.metadata().at("test.list"), 3);  // the length
  const TensorInfo &plain = file.tensors().at("plain"), &half = file.tensors().at("half"),
                   &five = file.tensors().at("five");
  EXPECT_EQ(plain.shape, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(plain.dtype(), DType::f32);
  float last;
  std::memcpy(&last, plain.data().data() + 20, 4);
  EXPECT_EQ(last, 5);
  EXPECT_EQ(half.shape, (std::vector<std::int64_t>{2, 2, 2}));
  EXPECT_EQ(half.dtype(), DType::f16);
  EXPECT_EQ(five.shape, (std::vector<std::int64_t>{2, 64}));
  EXPECT_EQ(five.stored_type(), "Q5_1");
  EXPECT_EQ(expand_blocks(five, DType::bf16).type().bytes(), 256u);
}

class GgufPath : public testing::Test {
 protected:
  ~GgufPath() override { std::filesystem::remove(path_); }
  const std::filesystem::path path_ =
      std::filesystem::path(testing::TempDir()) / ("thimble_" + std::to_string(::getpid()) + ".gguf");
};

TEST_F(GgufPath, WritesWhatItReads) {
  const std::vector<float> row{1, -2, 3, 0.5F};
  std::vector<float> many(64, 0.25F);
  std::vector<std::byte> blocks(68);
  write_q8_0(many.data(), 64, blocks.data());
  {
    GgufWriter out(path_, {{"row", "F32", {4}}, {"many", "Q8_0", {2, 32}}}, {{"general.architecture", "sd"}});
    out.write("row", std::as_bytes(std::span(row)));
    out.write("many", blocks);
    out.commit();
  }
  const GgufFile file = GgufFile::open(path_);
  EXPECT_EQ(file.metadata().at("general.architecture"), "sd");
  EXPECT_EQ(std::memcmp(file.tensors().at("row").data().data(), row.data(), 16), 0);
  const graph::Tensor read = expand_blocks(file.tensors().at("many"), DType::f32);
  for (const float v : read.as<float>()) EXPECT_NEAR(v, 0.25, 1e-4);
  EXPECT_NE(refusal([&] {
              GgufWriter(path_, {{"bad", "Q8_0", {2, 33}}}, {});
            }).find("[2,33] cannot be stored as Q8_0"),
            std::string::npos);
}

TEST(Gguf, DamageIsNamed) {
  const std::string whole = read_file(kFolder / "small.gguf");
  const auto parse = [](const std::string& bytes) {
    return refusal([&] { GgufFile::parse(std::as_bytes(std::span(bytes)), "model.gguf"); });
  };
  EXPECT_EQ(parse(whole), "no error");
  for (std::size_t length = 0; length < whole.size() - 200; length += 7) {
    const std::string message = parse(whole.substr(0, length));
    EXPECT_TRUE(message.starts_with("bad file: model.gguf")) << length << " " << message;
  }
  std::string other = whole;
  other[4] = 1;
  EXPECT_EQ(parse(other), "unsupported: model.gguf: GGUF version 1, 2 and 3 are read");
  other = whole;
  other[15] = 1;  // the number of tensors
  EXPECT_NE(parse(other).find("at most 1048576 are read"), std::string::npos);
  other = whole;
  const std::size_t rank = whole.find("plain") + 5;
  other[rank + 4 + 7] = 1;  // a side of 2^56
  EXPECT_NE(parse(other).find("tensor 'plain' has a side of"), std::string::npos) << parse(other);
  other = whole;
  other[rank + 4 + 16] = 99;
  EXPECT_EQ(parse(other), "no error");  // of a type that is not known: refused when it is read
  const GgufFile file = GgufFile::parse(std::as_bytes(std::span(other)), "model.gguf");
  EXPECT_NE(refusal([&] { file.tensors().at("plain").data(); }).find("ggml type 99"), std::string::npos);
}

}  // namespace
}  // namespace thimble::formats
