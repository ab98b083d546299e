// Bad arguments and files: status 2, one line on standard error that says what is wrong, nothing on standard output,
// and nothing left behind.
#include <gtest/gtest.h>

#include "base/file.h"
#include "tests/cli/run_program.h"

namespace thimble::testing {
namespace {

using Strings = std::vector<std::string>;

void expect_refused(const Workplace& here, const Strings& arguments, std::string_view part) {
  const Strings before = here.files();
  const Ran ran = run_program(arguments);
  const std::string shown = arguments.size() > 1 ? arguments[1].substr(0, 40) : "";
  EXPECT_EQ(ran.status, 2) << shown << ": " << ran.err;
  EXPECT_EQ(ran.out, "") << shown;
  EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
  EXPECT_TRUE(ran.err.starts_with("thimble: ")) << ran.err;
  EXPECT_NE(ran.err.find(part), std::string::npos) << ran.err << "wanted: " << part;
  EXPECT_EQ(here.files(), before) << shown;
}

TEST(BadInput, Prompts) {
  const Workplace here;
  const auto refused = [&](const std::string& prompt, std::string_view part) {
    expect_refused(here, {"generate", prompt, "-o", "a.png"}, part);
  };
  refused("", "prompt is empty");
  refused(" \t\n ", "prompt is empty");
  refused(std::string(65537, 'a'), "65537 bytes; at most 65536");
  refused("caf\xe9 at night", "3");      // Latin-1: the byte at offset 3
  refused("ab\xc0\xaf", "2");            // overlong
  refused("\xed\xa0\x80", "0");          // surrogate
  refused("cut off \xf0\x9f\x98", "8");  // half an emoji
}

TEST(BadInput, Options) {
  const Workplace here;
  const auto refused = [&](const Strings& more, std::string_view part) {
    Strings arguments{"generate", "a cat", "-o", "a.png"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    expect_refused(here, arguments, part);
  };
  refused({"--frobnicate"}, "--frobnicate");
  refused({"--steps", "0"}, "between 1 and 1000 steps");
  refused({"--steps", "many"}, "--steps");
  refused({"--steps"}, "--steps");
  refused({"--seed", "-1x"}, "--seed");
  refused({"--guidance", "-1"}, "guidance");
  refused({"--guidance", "nan"}, "guidance");
  refused({"--sampler", "magic"}, "euler, heun, dpmpp");
  refused({"--sampler", "ddim"}, "ddim");
  refused({"--count", "0"}, "between 1 and 256");
  refused({"--count", "100000"}, "between 1 and 256");
  refused({"--batch", "0"}, "batch");
  refused({"--threads", "-3"}, "threads");
  refused({"--isa", "abacus"}, "abacus");
  refused({"--precision", "f8"}, "f32 or bf16");
  refused({"--background", "mauve"}, "mauve");
  refused({"--background", "#12345"}, "#12345");
  refused({"--background", "white", "--transparent"}, "--background");
  refused({"another", "word"}, "another");
  expect_refused(here, {"generate", "a cat"}, "--output");
  expect_refused(here, {"generate", "-o", "a.png"}, "prompt");
  expect_refused(here, {"paint", "a cat"}, "paint");
  expect_refused(here, {"--frobnicate"}, "--frobnicate");
  expect_refused(here, {"show", "--part", "unet"}, "text, prompt, step, decoder, encoder");
  expect_refused(here, {"show", "--batch", "-1"}, "batch");
  expect_refused(here, {"bench", "--runs", "0"}, "runs");
}

TEST(BadInput, OutputsAreCheckedBeforeWorkStarts) {
  const Workplace here;
  std::filesystem::create_directory("folder.png");
  // The model's name is wrong too: the output is what is complained about, so it was looked at first.
  const auto refused = [&](const std::string& output, std::string_view part) {
    expect_refused(here, {"generate", "a cat", "-o", output, "--model", "none.safetensors"}, part);
  };
  refused("folder.png", "directory");
  refused("nowhere/a.png", "nowhere/a.png");
  refused("/proc/a.png", "/proc/a.png");
  refused("a.tiff", ".png, .jpg or .webp");
  refused("a", ".png, .jpg or .webp");
  refused("", "empty");
  expect_refused(here, {"generate", "a cat", "-o", "a.jpg", "--transparent"}, "no transparency");
}

TEST(BadInput, Models) {
  const Workplace here;
  const auto refused = [&](const std::string& model, std::string_view part) {
    expect_refused(here, {"generate", "a cat", "-o", "a.png", "--model", model}, part);
    expect_refused(here, {"show", model}, part);
  };
  refused("none.safetensors", "none.safetensors");
  expect_refused(here, {"generate", "a cat", "-o", "a.png", "--model", "."}, "model_index.json");
  expect_refused(here, {"show", "."}, "directory");
  write_file("empty", "");
  refused("empty", "empty");
  write_file("noise", std::string(1000, '\x5a'));
  refused("noise", "noise");

  const std::string whole = read_file("tiny.safetensors");
  for (const std::size_t length : {4ul, 100ul, whole.size() / 2, whole.size() - 1}) {
    write_file("cut", whole.substr(0, length));
    refused("cut", "cut");
  }
  // Header bytes: the length, the JSON's start, a tensor's offsets; and values of tensors, which checksums guard.
  const std::size_t offsets = whole.find("data_offsets\":[") + 16;
  for (const std::size_t at : {std::size_t{2}, std::size_t{8}, offsets, whole.size() / 2, whole.size() - 400}) {
    std::string flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ 0x11);
    write_file("flipped", flipped);
    refused("flipped", "flipped");
  }
}

TEST(BadInput, AFormerPictureStaysWhenTheNextOneFails) {
  const Workplace here;
  ASSERT_EQ(run_program({"generate", "a cat", "-o", "a.png"}).status, 0);
  const std::string before = read_file("a.png");
  expect_refused(here, {"generate", "a dog", "-o", "a.png", "--model", "none.safetensors"}, "none.safetensors");
  EXPECT_EQ(read_file("a.png"), before);
}

TEST(BadInput, GraphTexts) {
  const Workplace here;
  const auto refused = [&](const std::string& text, std::string_view part) {
    write_file("bad.graph", text);
    expect_refused(here, {"show", "bad.graph"}, part);
  };
  refused(
      "graph \"g\" {\n input %x: f32[2,3]\n %1 = unary(%2) {kind=relu} : f32[2,3]\n %2 = unary(%1) {kind=relu} : "
      "f32[2,3]\n output \"y\" = %2\n}\n",
      "line 3");
  refused("graph \"g\" {\n input %x: f32[2,3]\n %1 = unary(%x) {kind=relu} : f32[9,9]\n output \"y\" = %1\n}\n",
          "line 3");
  refused("graph \"g\" {\n input %x: f32[2,3]\n %1 = conjure(%x) : f32[2,3]\n output \"y\" = %1\n}\n", "conjure");
}

}  // namespace
}  // namespace thimble::testing
