// Tests of the safetensors reader and writer: bytes of the original implementation, round trips, and the lies that a
// hostile or damaged header can tell.
#include "formats/safetensors/safetensors.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "base/error.h"
#include "base/rng.h"

namespace thimble::formats {
namespace {

template <class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    return std::string(to_string(e.kind())) + ": " + e.what();
  }
  return "no error";
}

std::span<const std::byte> as_bytes(std::string_view s) { return std::as_bytes(std::span(s.data(), s.size())); }

template <class T>
std::vector<T> values(const TensorInfo& t) {
  std::vector<T> v(t.data().size() / sizeof(T));
  if (!v.empty()) std::memcpy(v.data(), t.data().data(), t.data().size());
  return v;
}

// The length field, the header and `data` zero bytes.
std::string packed(std::string_view header, std::size_t data) {
  std::string s(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) s[i] = static_cast<char>(header.size() >> (8 * i) & 0xff);
  return s + std::string(header) + std::string(data, '\0');
}

std::string refusal(std::string_view header, std::size_t data) {
  const std::string bytes = packed(header, data);
  return message_of([&] { SafetensorsFile::parse(as_bytes(bytes), "m.safetensors"); });
}

void expect_refused(std::string_view header, std::size_t data, std::string_view part) {
  const std::string m = refusal(header, data);
  EXPECT_TRUE(m.starts_with("bad file: m.safetensors")) << m;
  EXPECT_NE(m.find(part), std::string::npos) << m << "\nwanted: " << part;
  EXPECT_EQ(m.find('\n'), std::string::npos) << m;
}

class Directory {
 public:
  explicit Directory(const std::string& name)
      : path_(std::filesystem::temp_directory_path() / (name + std::to_string(::getpid()))) {
    std::filesystem::create_directories(path_);
  }
  ~Directory() { std::filesystem::remove_all(path_); }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// Written by the Python package safetensors 0.8.0 (safetensors.numpy.save): seven tensors and two metadata entries.
std::string python_file() {
  constexpr std::string_view kHex =
      "d0010000000000007b225f5f6d657461646174615f5f223a7b22666f726d6174223a226e70222c226e6f7465223a22c3a920"
      "5c22715c22227d2c22696473223a7b226474797065223a22493634222c227368617065223a5b325d2c22646174615f6f6666"
      "73657473223a5b302c31365d7d2c22622e776569676874223a7b226474797065223a22463332222c227368617065223a5b32"
      "2c335d2c22646174615f6f666673657473223a5b31362c34305d7d2c22656d707479223a7b226474797065223a2246333222"
      "2c227368617065223a5b302c345d2c22646174615f6f666673657473223a5b34302c34305d7d2c226e223a7b226474797065"
      "223a22493332222c227368617065223a5b5d2c22646174615f6f666673657473223a5b34302c34345d7d2c22612e68616c66"
      "223a7b226474797065223a22463136222c227368617065223a5b325d2c22646174615f6f666673657473223a5b34342c3438"
      "5d7d2c226238223a7b226474797065223a225538222c227368617065223a5b335d2c22646174615f6f666673657473223a5b"
      "34382c35315d7d2c226d61736b223a7b226474797065223a22424f4f4c222c227368617065223a5b335d2c22646174615f6f"
      "666673657473223a5b35312c35345d7d7d2020202020ffffffffffffffff00000000000100000000c03f000000c000005040"
      "000000006f12833a0000e040f9ffffff003c00b80102ff010001";
  std::string bytes;
  for (std::size_t i = 0; i < kHex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(kHex.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

TEST(Safetensors, ReadsAFileOfTheOriginalPackage) {
  const std::string bytes = python_file();
  const auto file = SafetensorsFile::parse(as_bytes(bytes), "python");
  EXPECT_EQ(file.tensors().size(), 7u);
  EXPECT_EQ(file.metadata().at("format"), "np");
  EXPECT_EQ(file.metadata().at("note"), "\xc3\xa9 \"q\"");
  EXPECT_EQ(values<float>(file.at("b.weight")), (std::vector<float>{1.5f, -2.0f, 3.25f, 0, 1e-3f, 7}));
  EXPECT_EQ(file.at("b.weight").shape, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(values<std::uint16_t>(file.at("a.half")), (std::vector<std::uint16_t>{0x3c00, 0xb800}));
  EXPECT_EQ(file.at("a.half").dtype(), DType::f16);
  EXPECT_EQ(values<std::int64_t>(file.at("ids")), (std::vector<std::int64_t>{-1, std::int64_t{1} << 40}));
  EXPECT_EQ(values<std::int32_t>(file.at("n")), std::vector<std::int32_t>{-7});
  EXPECT_TRUE(file.at("n").shape.empty());
  EXPECT_EQ(values<std::uint8_t>(file.at("mask")), (std::vector<std::uint8_t>{1, 0, 1}));
  EXPECT_EQ(file.at("mask").dtype(), DType::boolean);
  EXPECT_EQ(file.at("empty").elements(), 0);
  EXPECT_EQ(values<std::uint8_t>(file.at("b8")), (std::vector<std::uint8_t>{1, 2, 255}));
  EXPECT_EQ(message_of([&] { file.at("w"); }), "bad file: python: tensor 'w' is missing (7 others are there)");
}

TEST(Safetensors, WritesWhatItReads) {
  const Directory dir("thimble_safetensors_round_");
  const std::string u8("\x01\x02\x03", 3);
  const std::vector<float> f{1, -2, 3, 4};
  const std::vector<std::int64_t> i{5, -6};
  SafetensorsWriter out(
      dir / "a.safetensors",
      {{"u8", DType::u8, {3}}, {"f", DType::f32, {2, 2}}, {"none", DType::f32, {0}}, {"i", DType::i64, {2}}},
      {{"k", "v\n\"w\""}});
  EXPECT_EQ(out.order()[0].name, "i");
  EXPECT_EQ(out.order()[3].name, "u8");
  out.write("i", std::as_bytes(std::span(i)));
  out.write("f", std::as_bytes(std::span(f)).first(6));
  out.write("f", std::as_bytes(std::span(f)).subspan(6));
  out.write("u8", as_bytes(u8));
  EXPECT_FALSE(std::filesystem::exists(dir / "a.safetensors"));
  out.commit();

  const auto file = SafetensorsFile::open(dir / "a.safetensors");
  EXPECT_EQ(values<float>(file.at("f")), f);
  EXPECT_EQ(values<std::int64_t>(file.at("i")), i);
  EXPECT_EQ(values<std::uint8_t>(file.at("u8")), (std::vector<std::uint8_t>{1, 2, 3}));
  EXPECT_EQ(file.at("none").shape, std::vector<std::int64_t>{0});
  EXPECT_EQ(file.metadata().at("k"), "v\n\"w\"");
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(file.at("i").data().data()) % 64, 0u);
}

TEST(Safetensors, HeaderBytesAreStable) {
  const auto layout = plan_safetensors({{"b", DType::bf16, {2}}, {"a", DType::f32, {}}}, {{"k", "v"}});
  const std::string json = R"({"__metadata__":{"k":"v"},"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},)"
                           R"("b":{"dtype":"BF16","shape":[2],"data_offsets":[4,8]}})";
  EXPECT_EQ(layout.header.substr(8, json.size()), json);
  EXPECT_EQ(layout.header.size() % 64, 0u);
  EXPECT_EQ(layout.header.find_first_not_of(' ', 8 + json.size()), std::string::npos);
}

TEST(Safetensors, TheWriterKeepsItsOrderAndItsNames) {
  const Directory dir("thimble_safetensors_order_");
  const std::vector<std::byte> four(4);
  const auto path = dir / "x.safetensors";
  {
    SafetensorsWriter out(path, {{"a", DType::f32, {1}}, {"b", DType::f32, {1}}});
    EXPECT_NE(message_of([&] { out.write("b", four); }).find("out of turn"), std::string::npos);
    out.write("a", four);
    EXPECT_NE(message_of([&] { out.write("a", four); }).find("out of turn"), std::string::npos);
    EXPECT_NE(message_of([&] { out.commit(); }).find("4 bytes were not written"), std::string::npos);
  }
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
  const auto plan = [](std::vector<TensorSpec> t) { return message_of([&] { plan_safetensors(std::move(t), {}); }); };
  EXPECT_NE(plan({{"a", DType::f32, {1}}, {"a", DType::u8, {1}}}).find("'a' is taken"), std::string::npos);
  EXPECT_NE(plan({{"a\xff", DType::f32, {1}}}).find("UTF-8"), std::string::npos);
  EXPECT_NE(plan({{"a", DType::f32, {-1}}}).find("dimension -1"), std::string::npos);
  EXPECT_NE(plan({{"a", DType::f32, {std::int64_t{1} << 40, std::int64_t{1} << 40}}}).find("dimension"),
            std::string::npos);
}

TEST(Safetensors, EveryLieIsOneClearLine) {
  expect_refused("{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 4,
                 "'w': data_offsets [0, 8] lie outside the 4 bytes");
  expect_refused(R"({"w":{"dtype":"F32","shape":[1],"data_offsets":[8,4]}})", 8, "[8, 4] lie outside");
  expect_refused(R"({"w":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", 8, "need 12 bytes");
  expect_refused(R"({"w":{"dtype":"F32","shape":[-1],"data_offsets":[0,8]}})", 8, "found -1");
  expect_refused(R"({"w":{"dtype":"F32","shape":[1.5],"data_offsets":[0,8]}})", 8, "found 1.5");
  expect_refused(R"({"w":{"dtype":"F32","shape":["2"],"data_offsets":[0,8]}})", 8, "found string");
  expect_refused(R"({"w":{"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,8]}})", 8, "2^63");
  expect_refused(R"({"w":{"dtype":"F32","shape":[99999999999999999999999],"data_offsets":[0,8]}})", 8, "found 9.99");
  expect_refused(R"({"w":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}})", 8, "overflows");
  expect_refused(R"({"w":{"dtype":"F32","shape":[0,4611686018427387904,4],"data_offsets":[0,0]}})", 0, "overflows");
  expect_refused(R"({"w":{"dtype":"F4","shape":[3],"data_offsets":[0,1]}})", 1, "12 bits of F4");
  expect_refused(R"({"w":{"dtype":"X9","shape":[2],"data_offsets":[0,8]}})", 8, "unknown dtype 'X9'");
  expect_refused(R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0]}})", 8, "1 values");
  expect_refused(R"({"w":{"dtype":"F32","shape":[2]}})", 8, "'data_offsets' is missing");
  expect_refused(R"({"w":[1]})", 8, "object was wanted");
  expect_refused(
      R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}})", 6,
      "'b' at byte 2 overlaps");
  expect_refused(
      R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})", 4,
      "'b' at byte 0 overlaps");
  expect_refused(
      R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[1],"data_offsets":[5,6]}})", 6,
      "bytes 4 to 5 before tensor 'b'");
  expect_refused(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})", 9, "cover 4 bytes, the file has 9");
  expect_refused(
      R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})", 0,
      "'a' occurs twice");
  expect_refused(R"({"__metadata__":{"k":1}})", 0, "'k' is number");
  expect_refused(R"({"__metadata__":"k"})", 0, "__metadata__ is string");
  expect_refused("{\"\xff\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}", 0, "not valid JSON at byte 3");
  expect_refused("{\"w\":" + std::string(50000, '['), 0, "deeper than 8");
  expect_refused(" {}", 0, "begin with '{'");
  expect_refused("{}x", 0, "not valid JSON");
  expect_refused("", 0, "begin with '{'");
}

TEST(Safetensors, ImpossibleLengthFields) {
  const auto parse = [](std::string bytes) {
    return message_of([&] { SafetensorsFile::parse(as_bytes(bytes), "m"); });
  };
  EXPECT_NE(parse("").find("0 bytes are too few"), std::string::npos);
  EXPECT_NE(parse("1234567").find("7 bytes are too few"), std::string::npos);
  EXPECT_NE(parse(std::string(8, '\xff')).find("over the limit"), std::string::npos);
  EXPECT_NE(parse(std::string("\x03\0\0\0\0\0\0\0{}", 10)).find("longer than the file"), std::string::npos);
  EXPECT_EQ(parse(std::string("\x02\0\0\0\0\0\0\0{}", 10)), "no error");
}

TEST(Safetensors, AForeignElementTypeIsRefusedWhenAsked) {
  const std::string bytes = packed(R"({"q":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]}})", 4);
  const auto file = SafetensorsFile::parse(as_bytes(bytes), "m");
  EXPECT_FALSE(file.at("q").supported());
  EXPECT_EQ(file.at("q").stored_type(), "F8_E4M3");
  EXPECT_TRUE(message_of([&] { file.at("q").data(); }).starts_with("unsupported: tensor 'q' is of type F8_E4M3"));
}

TEST(Safetensors, EveryTruncationIsRefused) {
  const std::string whole = python_file();
  for (std::size_t n = 0; n < whole.size(); ++n) {
    const std::string m =
        message_of([&] { SafetensorsFile::parse(as_bytes(std::string_view(whole).substr(0, n)), "m"); });
    ASSERT_TRUE(m.starts_with("bad file: m: ")) << n << " " << m;
  }
}

// Any damage ends in an Error or in a file whose every tensor lies inside the bytes.
TEST(Safetensors, BitFlipsNeverReachOutside) {
  const std::string whole = python_file();
  int refused = 0;
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string bytes = whole;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
    try {
      const auto file = SafetensorsFile::parse(as_bytes(bytes), "m");
      const auto* begin = reinterpret_cast<const std::byte*>(bytes.data());
      for (const auto& [name, t] : file.tensors()) {
        if (!t.supported()) continue;
        ASSERT_LE(begin, t.data().data());
        ASSERT_LE(t.data().data() + t.data().size(), begin + bytes.size());
        ASSERT_EQ(static_cast<std::size_t>(t.elements()) * size_of(t.dtype()), t.data().size());
      }
    } catch (const Error&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 1500);  // most header bits matter; names, metadata and data bits do not
}

void write_tensor(const std::filesystem::path& path, const std::string& name, float value) {
  SafetensorsWriter out(path, {{name, DType::f32, {1}}});
  out.write(name, std::as_bytes(std::span(&value, 1)));
  out.commit();
}

TEST(Safetensors, ShardedDirectories) {
  const Directory dir("thimble_safetensors_shards_");
  write_tensor(dir / "model-1.safetensors", "a", 1);
  write_tensor(dir / "model-2.safetensors", "b", 2);
  const auto index = dir / "model.safetensors.index.json";
  write_file(index, R"({"metadata":{},"weight_map":{"a":"model-1.safetensors","b":"model-2.safetensors"}})");
  const auto checkpoint = SafetensorsCheckpoint::open(dir.path());
  EXPECT_EQ(values<float>(checkpoint.at("a")), std::vector<float>{1});
  EXPECT_EQ(values<float>(checkpoint.at("b")), std::vector<float>{2});
  EXPECT_EQ(checkpoint.files().size(), 2u);

  const auto refused = [&](std::string_view text, std::string_view part) {
    write_file(index, text);
    const std::string m = message_of([&] { SafetensorsCheckpoint::open(index); });
    EXPECT_NE(m.find(part), std::string::npos) << m;
  };
  refused(R"({"weight_map":{"c":"model-1.safetensors"}})", "'c' is missing");
  refused(R"({"weight_map":{"a":"../model-1.safetensors"}})", "beside the index");
  refused(R"({"weight_map":{"a":7}})", "beside the index");
  refused(R"({"weight_map":{"a":"none.safetensors"}})", "No such file");
  refused("{}", "'weight_map' is missing");
  std::filesystem::remove(index);
  EXPECT_NE(message_of([&] { SafetensorsCheckpoint::open(dir.path()); }).find("holds 2 .safetensors files"),
            std::string::npos);
  std::filesystem::remove(dir / "model-2.safetensors");
  EXPECT_EQ(values<float>(SafetensorsCheckpoint::open(dir.path()).at("a")), std::vector<float>{1});
}

}  // namespace
}  // namespace thimble::formats
