// thimble export: which files it makes, and that bad input leaves none.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "base/json.h"
#include "formats/safetensors/safetensors.h"
#include "tests/cli/run_program.h"

namespace thimble::testing {
namespace {

using Names = std::vector<std::string>;

TEST(Export, EveryPartOfAModelToItsOwnFile) {
  const Workplace here;
  const Ran ran = run_program({"export", "--onnx", "tiny.safetensors", "-o", "tiny.onnx", "--json"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(here.files(),
            (Names{"tiny-decoder.onnx", "tiny-encoder.onnx", "tiny-prompt.onnx", "tiny-step.onnx", "tiny-text.onnx"}));
  for (const Json& part : parse_json(ran.out, "report")) {
    EXPECT_EQ(part["opset"], 21);
    EXPECT_EQ(part["bytes"].get<std::size_t>(), std::filesystem::file_size(part["file"].get<std::string>()));
  }
}

TEST(Export, OnePartInEachForm) {
  const Workplace here;
  const auto operators = [](const Names& more) {
    Names arguments{"export", "--onnx", "tiny.safetensors", "--part", "step", "-o", "step.onnx", "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Ran ran = run_program(arguments);
    EXPECT_EQ(ran.status, 0) << ran.err;
    return parse_json(ran.out, "report")[0]["operators"];
  };
  EXPECT_TRUE(operators({}).contains("Softmax"));
  EXPECT_TRUE(operators({"--form", "onnx"}).contains("Attention"));
  EXPECT_TRUE(operators({"--form", "microsoft"}).contains("com.microsoft.MultiHeadAttention"));
  EXPECT_TRUE(operators({"--bits", "8", "--products", "integer"}).contains("MatMulInteger"));
  const Json four = operators({"--bits", "4", "--group", "32"});
  EXPECT_TRUE(four.contains("QuantizeLinear") && four.contains("DequantizeLinear")) << four.dump();
}

TEST(Export, ARunBesideTheModelHasItsInputsAndOutputs) {
  const Workplace here;
  ASSERT_EQ(run_program({"export", "--onnx", "--part", "decoder", "--with-run", "--external", "-o", "d.onnx"}).status,
            0);
  EXPECT_EQ(here.files(), (Names{"d.onnx", "d.onnx.data", "d.safetensors"}));
  const auto run = formats::SafetensorsFile::open("d.safetensors");
  const auto count = [&](std::string_view group) {
    return std::ranges::count_if(run.tensors(), [&](const auto& t) { return t.first.starts_with(group); });
  };
  EXPECT_EQ(count("input/"), 1);
  EXPECT_EQ(count("output/"), 1);
}

TEST(Export, BadInputIsOneLineAndLeavesNothing) {
  const Workplace here;
  for (const Names& more : std::vector<Names>{{"tiny.safetensors", "-o", "x.onnx"},
                                              {"--onnx", "nothing.safetensors", "-o", "x.onnx"},
                                              {"--onnx", "sd1.5", "-o", "x.onnx"},
                                              {"--onnx", "tiny.safetensors", "--part", "nose", "-o", "x.onnx"},
                                              {"--onnx", "tiny.safetensors", "--form", "round", "-o", "x.onnx"},
                                              {"--onnx", "tiny.safetensors", "--weights", "i8", "-o", "x.onnx"},
                                              {"--onnx", "tiny.safetensors", "-o", "."},
                                              {"--onnx", "tiny.safetensors", "-o", "no/such/folder/x.onnx"},
                                              {"--onnx", "sd1.5", "--random-weights", "--size", "7", "-o", "x.onnx"}}) {
    Names arguments{"export"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Ran ran = run_program(arguments);
    EXPECT_EQ(ran.status, 2) << ran.out;
    EXPECT_EQ(std::ranges::count(ran.err, '\n'), 1) << ran.err;
    EXPECT_EQ(here.files(), Names{}) << more[1];
  }
}

}  // namespace
}  // namespace thimble::testing
