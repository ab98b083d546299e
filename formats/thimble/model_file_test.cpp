// Tests of Thimble's model file: what is written is read, versions are respected, damage is refused.
#include "formats/thimble/model_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>

#include "base/checksum.h"
#include "base/error.h"

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

void expect_refused(const std::string& message, std::string_view start, std::string_view part) {
  EXPECT_TRUE(message.starts_with(start)) << message;
  EXPECT_NE(message.find(part), std::string::npos) << message << "\nwanted: " << part;
}

std::span<const std::byte> as_bytes(std::string_view s) { return std::as_bytes(std::span(s.data(), s.size())); }

Json small_header() {
  return parse_json(R"({"name":"tiny","licence":"Apache-2.0","description":"a test",
    "parts":{"denoiser":{"config":{"type":"dit","width":64},"passes":[{"name":"linear_attention","options":{"heads":[1,2]}}]},
             "text":{"config":{"type":"byte_text"}}},
    "pipeline":{"image_size":256,"prediction":"velocity"}})",
                    "header");
}

std::filesystem::path temporary(const std::string& name) {
  return std::filesystem::temp_directory_path() / ("thimble_model_" + std::to_string(::getpid()) + "_" + name);
}

const std::vector<float> kWeights{1.0f, -2.5f, 1.00390625f, 3e-5f};

std::string small_file() {
  const auto path = temporary("small.safetensors");
  ModelWriter writer(small_header());
  const auto bytes = std::as_bytes(std::span(kWeights));
  writer.add("denoiser", "proj.weight", DType::f32, {2, 2}, bytes, DType::bf16);
  writer.add("denoiser", "proj.bias", DType::f32, {4}, bytes, DType::f32);
  writer.add(
      "text", "embed", DType::f32, {4}, [&] { return std::vector<std::byte>(bytes.begin(), bytes.end()); }, DType::f16);
  writer.write(path);
  const std::string content = read_file(path);
  std::filesystem::remove(path);
  return content;
}

// A file of one tensor with any header text.
std::string file_with(const std::string& header, const std::string& tensor = "denoiser.w") {
  const auto layout =
      plan_safetensors({{tensor, DType::u8, {1}}, {kChecksumsTensor, DType::u8, {2, 8}}}, {{"thimble", header}});
  std::string bytes = layout.header + "x";
  for (const std::uint64_t sum : {checksum(as_bytes(header)), checksum(as_bytes("x"))}) {
    for (int i = 0; i < 8; ++i) bytes += static_cast<char>(sum >> (8 * i) & 0xff);
  }
  return bytes;
}

std::string refusal(const std::string& bytes) {
  return message_of([&] { ModelFile::parse(as_bytes(bytes), "m"); });
}

template <class T>
std::vector<T> values(const TensorInfo& t) {
  std::vector<T> v(t.data().size() / sizeof(T));
  std::memcpy(v.data(), t.data().data(), t.data().size());
  return v;
}

TEST(ModelFile, WrittenAndRead) {
  const std::string bytes = small_file();
  const auto model = ModelFile::parse(as_bytes(bytes), "m");
  EXPECT_EQ(model.name(), "tiny");
  EXPECT_EQ(model.licence(), "Apache-2.0");
  EXPECT_EQ(model.header["format_version"], 2);
  EXPECT_EQ(model.parts(), (std::vector<std::string>{"denoiser", "text"}));
  EXPECT_EQ(model.config("denoiser")["width"], 64);
  EXPECT_EQ(model.passes("denoiser")[0]["options"]["heads"], Json::array({1, 2}));
  EXPECT_TRUE(model.passes("text").empty());
  EXPECT_EQ(model.header["pipeline"]["prediction"], "velocity");

  const auto tensors = model.tensors("denoiser");
  ASSERT_EQ(tensors.size(), 2u);
  EXPECT_EQ(values<float>(tensors.at("proj.bias")), kWeights);
  EXPECT_EQ(tensors.at("proj.weight").shape, (std::vector<std::int64_t>{2, 2}));
  EXPECT_EQ(values<std::uint16_t>(tensors.at("proj.weight")),
            (std::vector<std::uint16_t>{0x3f80, 0xc020, 0x3f80, 0x37fc}));
  EXPECT_EQ(values<std::uint16_t>(model.tensor("text", "embed")),
            (std::vector<std::uint16_t>{0x3c00, 0xc100, 0x3c04, 0x01f7}));
}

// Every bit of the file, in its turn: no flip is read as a model, or it changes nothing that is read.
TEST(ModelFile, FlippedBitsAreRefused) {
  const std::string good = small_file();
  const auto model = ModelFile::parse(as_bytes(good), "m");
  const auto data = model.tensor("text", "embed").data();
  const auto first = static_cast<std::size_t>(reinterpret_cast<const char*>(data.data()) - good.data());
  for (std::size_t bit = 0; bit < 8 * data.size(); ++bit) {
    std::string bad = good;
    bad[first + bit / 8] = static_cast<char>(bad[first + bit / 8] ^ 1 << bit % 8);
    expect_refused(message_of([&] { ModelFile::parse(as_bytes(bad), "m"); }), "bad file: m: tensor 'text.embed'",
                   "damaged");
  }
  std::size_t taken = 0;
  for (std::size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 4);
    try {
      ModelFile::parse(as_bytes(bad), "m");
      ++taken;
    } catch (const Error&) {
    }
  }
  EXPECT_LE(taken, 64u);  // the spaces that fill up the header may become other white space
}

TEST(ModelFile, VersionOneHasNoChecksums) {
  const auto file = [](int version) {
    Json header = small_header();
    header["format_version"] = version;
    return plan_safetensors({{"denoiser.w", DType::u8, {1}}}, {{"thimble", header.dump()}}).header + "x";
  };
  EXPECT_EQ(refusal(file(1)), "no error");
  expect_refused(refusal(file(2)), "bad file: m: ", "checksums are missing");
}

TEST(ModelFile, AMissingPartIsNamedBesideThoseThatAreThere) {
  const std::string bytes = small_file();
  const auto model = ModelFile::parse(as_bytes(bytes), "m");
  EXPECT_FALSE(model.has_part("autoencoder"));
  EXPECT_EQ(message_of([&] { model.config("autoencoder"); }),
            "bad file: m: the model has no part 'autoencoder'; it has denoiser, text");
  EXPECT_NE(message_of([&] { model.tensor("denoiser", "none"); }).find("'denoiser.none' is missing"),
            std::string::npos);
}

TEST(ModelFile, NewerVersionsAreRefusedNamingBoth) {
  Json header = small_header();
  header["format_version"] = kModelFormatVersion + 1;
  expect_refused(refusal(file_with(header.dump())), "unsupported: m: ", "format version 3 is newer than 2");
  header["format_version"] = 0;
  expect_refused(refusal(file_with(header.dump())), "bad file: m: ", "version 0 does not exist");
  header["format_version"] = kModelFormatVersion;
  EXPECT_EQ(refusal(file_with(header.dump())), "no error");
}

TEST(ModelFile, HeadersThatAreNone) {
  const auto without = [](auto&& change) {
    Json header = small_header();
    header["format_version"] = 1;
    change(header);
    return refusal(file_with(header.dump()));
  };
  expect_refused(without([](Json& h) { h.erase("licence"); }), "bad file", "'licence' is missing");
  expect_refused(without([](Json& h) { h["name"] = 1; }), "bad file", "'name' is number");
  expect_refused(without([](Json& h) { h.erase("parts"); }), "bad file", "'parts' is missing");
  expect_refused(without([](Json& h) { h["parts"] = Json::object(); }), "bad file", "'parts' is empty");
  expect_refused(without([](Json& h) { h["parts"]["A.b"] = Json::object(); }), "bad file", "part name 'A.b'");
  expect_refused(without([](Json& h) { h["parts"]["text"].erase("config"); }), "bad file",
                 "part 'text': key 'config' is missing");
  expect_refused(without([](Json& h) { h["parts"]["text"]["config"].erase("type"); }), "bad file", "'type' is missing");
  expect_refused(without([](Json& h) { h["parts"]["text"]["passes"] = Json::array({1}); }), "bad file", "'name'");
  expect_refused(without([](Json& h) { h["tokenizer"] = "x"; }), "bad file", "'tokenizer' is string");
  expect_refused(refusal(file_with("{")), "bad file: m: model header", "not valid JSON");
  expect_refused(refusal(file_with(std::string(500, '['))), "bad file: m: model header", "deeper");
  Json header = small_header();
  header["format_version"] = 1;
  expect_refused(refusal(file_with(header.dump(), "vae.w")), "bad file",
                 "tensor 'vae.w' belongs to no part; parts are denoiser, text");
  expect_refused(refusal(file_with(header.dump(), "denoiser")), "bad file", "belongs to no part");
  expect_refused(refusal(plan_safetensors({}, {{"format", "pt"}}).header), "bad file", "no Thimble model");
}

TEST(ModelFile, TheWriterRefusesBadInput) {
  expect_refused(message_of([] { ModelWriter(Json::object()); }), "bad input", "'name' is missing");
  Json broken = small_header();
  broken["description"] = "\xff";
  expect_refused(message_of([&] { ModelWriter{broken}; }), "bad input", "UTF-8");
  ModelWriter writer(small_header());
  const float big = 1e6f;
  const auto bytes = std::as_bytes(std::span(&big, 1));
  expect_refused(message_of([&] { writer.add("vae", "w", DType::f32, {1}, bytes, DType::f32); }), "bad input",
                 "no part 'vae'");
  expect_refused(message_of([&] { writer.add("text", "w", DType::f32, {1}, bytes, DType::i8); }), "bad input",
                 "as i8 from f32");
  writer.add("text", "w", DType::f32, {1}, bytes, DType::f16);
  expect_refused(message_of([&] { writer.add("text", "w", DType::f32, {1}, bytes, DType::f32); }), "bad input",
                 "twice");
  const auto path = temporary("big.safetensors");
  expect_refused(message_of([&] { writer.write(path); }), "bad input",
                 "'text.w' holds 1000000, which f16 cannot store");
  EXPECT_FALSE(std::filesystem::exists(path));
  ModelWriter wrong_size(small_header());
  wrong_size.add("text", "w", DType::f32, {2}, bytes, DType::f32);
  expect_refused(message_of([&] { wrong_size.write(path); }), "bad input", "has 4 bytes, its shape wants 8");
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(ModelFile, TruncationAndBitFlipsEndInAnErrorOrAValidModel) {
  const std::string whole = small_file();
  for (std::size_t n = 0; n < whole.size(); ++n) ASSERT_NE(refusal(whole.substr(0, n)), "no error") << n;
  int refused = 0;
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string bytes = whole;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
    try {
      const auto model = ModelFile::parse(as_bytes(bytes), "m");
      for (const auto& part : model.parts()) {
        ASSERT_FALSE(model.config(part)["type"].get<std::string>().empty());
        for (const auto& [name, t] : model.tensors(part)) {
          if (!t.supported()) continue;
          ASSERT_LE(t.data().size(), 16u) << name;
        }
      }
    } catch (const Error&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 2000);
}

}  // namespace
}  // namespace thimble::formats
