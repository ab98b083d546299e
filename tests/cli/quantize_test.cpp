// thimble quantize, what its files do afterwards, and one small picture under every instruction set.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>

#include "base/cpu.h"
#include "base/file.h"
#include "base/json.h"
#include "formats/thimble/model_file.h"
#include "media/codec.h"
#include "tests/cli/run_program.h"

namespace thimble::testing {
namespace {

double psnr(const media::Image& a, const media::Image& b) {
  if (a.pixels.size() != b.pixels.size()) return 0;
  double sum = 0;
  for (std::size_t i = 0; i < a.pixels.size(); ++i) sum += std::pow(a.pixels[i] - b.pixels[i], 2);
  return sum == 0 ? 99 : 10 * std::log10(255.0 * 255.0 * static_cast<double>(a.pixels.size()) / sum);
}

media::Image drawn(const std::string& model, const std::vector<std::string>& more = {}) {
  std::vector<std::string> arguments{"generate", "a red heart", "-o", "p.png", "--seed", "3", "--model", model};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const Ran ran = run_program(arguments);
  EXPECT_EQ(ran.status, 0) << ran.err;
  return ran.status == 0 ? media::read_image("p.png") : media::Image();
}

TEST(Quantize, WritesAModelThatDrawsNearlyTheSame) {
  const Workplace here;
  const media::Image wanted = drawn("tiny.safetensors");
  for (const std::vector<std::string>& options : {std::vector<std::string>{"--bits", "8"},
                                                  {"--bits", "8", "--activations", "16"},
                                                  {"--bits", "4", "--group", "32", "--activations", "8", "--search"},
                                                  {"--bits", "4", "--group", "32", "--activations", "16"}}) {
    std::vector<std::string> arguments{
        "quantize", "tiny.safetensors", "-o", "small.safetensors", "--json", "--prompt", "a red heart", "--steps", "2"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    const Ran ran = run_program(arguments);
    ASSERT_EQ(ran.status, 0) << ran.err;
    const Json report = parse_json(ran.out, "report");
    ASSERT_GE(report["layers"].size(), 3u);
    const bool eight = options[1] == "8";
    for (const Json& layer : report["layers"]) {
      EXPECT_GT(layer["of_weight"]["cosine"].get<double>(), eight ? 0.9999 : 0.98) << layer.dump();
      ASSERT_TRUE(layer.contains("alone")) << layer.dump();
      EXPECT_GT(layer["alone"]["cosine"].get<double>(), eight ? 0.999 : 0.97) << layer.dump();
    }
    EXPECT_GT(report["kept"].size(), 2u);
    EXPECT_GT(report["latent"]["cosine"].get<double>(), eight ? 0.999 : 0.97);
    EXPECT_LT(report["bytes_after"].get<double>(), report["bytes_before"].get<double>());
    const media::Image got = drawn("small.safetensors");
    EXPECT_GT(psnr(got, wanted), eight ? 30 : 15) << ran.out;
  }
}

// The numbers stand in the file as kernels read them, and the pass names every layer.
TEST(Quantize, TheFileHoldsIntegers) {
  const Workplace here;
  ASSERT_EQ(run_program({"quantize", "--bits", "4", "--group", "32", "-o", "small.safetensors", "--steps", "1"}).status,
            0);
  const auto model = formats::ModelFile::open("small.safetensors");
  const Json& passes = model.passes("denoiser");
  ASSERT_EQ(passes.size(), 1u);
  EXPECT_EQ(passes[0]["name"], "quantize");
  std::size_t fours = 0;
  for (const Json& layer : passes[0]["options"]["layers"]) {
    const std::string weight = layer["weight"].get<std::string>();
    const bool four = layer["bits"].get<int>() == 4;
    fours += four;
    EXPECT_EQ(model.tensor("denoiser", weight).dtype(), four ? DType::u8 : DType::i8) << weight;
    EXPECT_EQ(model.tensor("denoiser", weight + ".scale").dtype(), DType::f32) << weight;
  }
  EXPECT_GE(fours, 2u);
  const Ran again = run_program({"quantize", "small.safetensors", "-o", "smaller.safetensors"});
  EXPECT_EQ(again.status, 2);
  EXPECT_NE(again.err.find("quantise the original"), std::string::npos) << again.err;
}

TEST(Quantize, RefusesWhatIsNoFormat) {
  const Workplace here;
  for (const auto& [option, value] : {std::pair<std::string, std::string>{"--bits", "3"},
                                      {"--activations", "12"},
                                      {"--group", "48"},
                                      {"--outliers", "2"}}) {
    const Ran ran = run_program({"quantize", "-o", "small.safetensors", option, value});
    EXPECT_EQ(ran.status, 2) << option;
    EXPECT_NE(ran.err.find(value), std::string::npos) << ran.err;
    EXPECT_EQ(here.files(), std::vector<std::string>{}) << option;
  }
}

// Outliers make rounding harder, and the report says so; nothing of the trial stays behind.
TEST(Quantize, OutliersShowInTheReport) {
  const Workplace here;
  const auto worst = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments{"quantize", "--bits", "4", "-o", "small.safetensors", "--json", "--steps", "1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Ran ran = run_program(arguments);
    EXPECT_EQ(ran.status, 0) << ran.err;
    double error = 0;
    const Json report = parse_json(ran.out, "report");
    for (const Json& l : report["layers"]) {
      if (l["bits"].get<int>() == 4) error = std::max(error, l["alone"]["relative_error"].get<double>());
    }
    return error;
  };
  EXPECT_LT(worst({}), worst({"--outliers", "0.01"}));
  EXPECT_EQ(here.files(), std::vector<std::string>{"small.safetensors"});
}

TEST(Bench, DrawsAProfile) {
  const Workplace here;
  const Ran ran = run_program({"bench", "--part", "step", "--runs", "2", "--explain", "--profile", "step.svg"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_NE(ran.out.find("of peak"), std::string::npos);
  EXPECT_NE(ran.out.find("gemm_"), std::string::npos);
  const std::string svg = read_file("step.svg");
  EXPECT_TRUE(svg.starts_with("<svg "));
  EXPECT_TRUE(svg.ends_with("</svg>\n"));
  EXPECT_NE(svg.find("GFLOP/s"), std::string::npos);
  EXPECT_EQ(run_program({"bench", "--profile", "step.png"}).status, 2);
}

// The environment caps the choice of kernels; the picture stays the same within what precision and polynomials differ.
TEST(Isa, OneSmallPictureUnderEach) {
  const Workplace here;
  ASSERT_EQ(run_program({"quantize", "-o", "small.safetensors", "--steps", "1"}).status, 0);
  for (const char* model : {"tiny.safetensors", "small.safetensors"}) {
    const media::Image wanted = drawn(model, {"--isa", "scalar", "--precision", "f32"});
    for (const Isa isa : usable_isas()) {
      ::setenv("THIMBLE_ISA", std::string(to_string(isa)).c_str(), 1);
      const Ran plan = run_program({"show", model, "--part", "step", "--explain"});
      EXPECT_NE(plan.out.find("device " + std::string(to_string(isa))), std::string::npos) << plan.out;
      const media::Image got = drawn(model, {"--precision", "f32"});
      ::unsetenv("THIMBLE_ISA");
      EXPECT_GT(psnr(got, wanted), 45) << model << " " << to_string(isa);
    }
  }
}

}  // namespace
}  // namespace thimble::testing
