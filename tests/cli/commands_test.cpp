// The program's commands on good arguments.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/file.h"
#include "base/json.h"
#include "graph/text.h"
#include "media/codec.h"
#include "tests/cli/run_program.h"

namespace thimble::testing {
namespace {

using Strings = std::vector<std::string>;

TEST(Generate, WritesAPictureAndNamesIt) {
  const Workplace here;
  const Ran ran = run_program({"generate", "a smiling cat with sunglasses", "-o", "cat.png"});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(ran.out, "cat.png\n");
  EXPECT_EQ(ran.err, "");
  const media::Image image = media::read_image("cat.png");
  EXPECT_EQ(image.width, 32);
  EXPECT_EQ(image.channels, 4);
  EXPECT_EQ(here.files(), Strings{"cat.png"});
}

TEST(Generate, TheSeedDecides) {
  const Workplace here;
  run_program({"generate", "a red heart", "-o", "a.png", "--seed", "3"});
  run_program({"generate", "a red heart", "-o", "b.png", "--seed", "3", "--threads", "1"});
  run_program({"generate", "a red heart", "-o", "c.png", "--seed", "4"});
  EXPECT_EQ(read_file("a.png"), read_file("b.png"));
  EXPECT_NE(read_file("a.png"), read_file("c.png"));
}

TEST(Generate, SeveralPicturesAreNumberedOrInAGrid) {
  const Workplace here;
  const Ran three = run_program({"generate", "a red heart", "-o", "h.png", "--count", "3", "--seed", "5"});
  EXPECT_EQ(three.out, "h-1.png\nh-2.png\nh-3.png\n");
  run_program({"generate", "a red heart", "-o", "second.png", "--seed", "6"});
  EXPECT_EQ(read_file("h-2.png"), read_file("second.png"));

  const Ran grid =
      run_program({"generate", "a red heart", "-o", "g.png", "--count", "3", "--seed", "5", "--grid", "--batch", "2"});
  EXPECT_EQ(grid.out, "g.png\n");
  const media::Image sheet = media::read_image("g.png");
  EXPECT_EQ(sheet.width, 2 * 32 + 4);
  EXPECT_EQ(sheet.height, 2 * 32 + 4);
}

TEST(Published, DirectoriesGenerateAndEdit) {
  const std::string models = std::string(THIMBLE_SOURCE_DIR) + "/diffusion/testdata/pipelines/";
  const Workplace here;
  const Ran ran = run_program({"generate", "a cat", "--model", models + "sd15", "-o", "a.png", "--steps", "2",
                               "--width", "64", "--height", "32", "--negative", "a dog", "--json"});
  EXPECT_EQ(ran.status, 0) << ran.err;
  const Json made = parse_json(ran.out, "report");
  EXPECT_EQ(made["model"]["pipeline"], "StableDiffusionPipeline");
  EXPECT_EQ(made["components"].size(), 3u);  // text encoder, denoiser, decoder, one after another
  EXPECT_EQ(media::read_image("a.png").width, 64);

  const Ran edit =
      run_program({"edit", "a.png", "a dog", "--model", models + "instruct", "-o", "b.png", "--steps", "2"});
  EXPECT_EQ(edit.status, 0) << edit.err;
  const media::Image edited = media::read_image("b.png");
  EXPECT_NEAR(1.0 * edited.width / edited.height, 2, 0.25);  // the aspect stays, the area is the model's

  const Ran own = run_program({"generate", "a cat", "-o", "c.png", "--negative", "a dog"});
  EXPECT_EQ(own.status, 2);
  EXPECT_NE(own.err.find("--negative is for published models"), std::string::npos) << own.err;
  const Ran wrong =
      run_program({"edit", "a.png", "a dog", "--model", models + "sd15", "-o", "d.png", "--image-guidance", "2"});
  EXPECT_EQ(wrong.status, 2) << wrong.err;
  EXPECT_EQ(std::count(wrong.err.begin(), wrong.err.end(), '\n'), 1) << wrong.err;
}

TEST(Models, AreShownWithoutWeights) {
  const Json list = parse_json(run_program({"models", "--json"}).out, "models");
  EXPECT_GE(list.size(), 20u);
  const Ran ran = run_program({"show", "sana-0.6b", "--json"});
  EXPECT_EQ(ran.status, 0) << ran.err;
  const Json shown = parse_json(ran.out, "show");
  EXPECT_EQ(shown["parameters"], 591'747'872);
  EXPECT_EQ(shown["parts"].size(), 2u);
  const Ran none = run_program({"show", "sana-0.6b/voice"});
  EXPECT_EQ(none.status, 2);
  EXPECT_NE(none.err.find("it has denoiser, vae, text"), std::string::npos) << none.err;
}

TEST(Generate, BackgroundsAndFormats) {
  const Workplace here;
  EXPECT_EQ(run_program({"generate", "x", "-o", "a.png", "--background", "#f00"}).status, 0);
  EXPECT_EQ(media::read_image("a.png").channels, 3);
  EXPECT_EQ(run_program({"generate", "x", "-o", "a.jpg"}).status, 0);
  EXPECT_EQ(media::read_image("a.jpg").channels, 3);
  EXPECT_EQ(run_program({"generate", "x", "-o", "a.webp", "--transparent"}).status, 0);
  EXPECT_EQ(media::read_image("a.webp").width, 32);
}

TEST(Generate, JsonTellsSettingsTimesAndMemory) {
  const Workplace here;
  const Ran ran = run_program({"generate", "a \"red\" heart", "-o", "a.png", "--seed", "8", "--steps", "3", "--sampler",
                               "euler", "--guidance", "2", "--precision", "f32", "--json"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  const Json json = parse_json(ran.out, "output");
  EXPECT_EQ(json["prompt"], "a \"red\" heart");
  EXPECT_EQ(json["seed"], 8);
  EXPECT_EQ(json["steps"], 3);
  EXPECT_EQ(json["sampler"], "euler");
  EXPECT_EQ(json["precision"], "f32");
  EXPECT_EQ(json["files"], Json::array({"a.png"}));
  EXPECT_EQ(json["seconds"]["denoiser_runs"].size(), 3u);
  const std::string model = read_file("tiny.safetensors");
  EXPECT_EQ(json["model"]["sha256"], sha256(std::as_bytes(std::span(model))));
  for (const char* key : {"load", "plan", "text", "sample", "decode", "write", "total"}) {
    EXPECT_GE(json["seconds"][key].get<double>(), 0) << key;
  }
  EXPECT_GT(json["bytes"]["weights"].get<double>(), 0);
  EXPECT_GT(json["bytes"]["resident_peak"].get<double>(), json["bytes"]["planned_peak"].get<double>());
}

TEST(Generate, TenThousandWordsAreCutWithAWarning) {
  const Workplace here;
  std::string words;
  for (int i = 0; i < 10000; ++i) words += "cat ";
  const Ran ran = run_program({"generate", words, "-o", "a.png"});
  EXPECT_EQ(ran.status, 0);
  EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1);
  EXPECT_NE(ran.err.find("tokens were dropped"), std::string::npos) << ran.err;
  EXPECT_EQ(here.files(), Strings{"a.png"});
}

TEST(Generate, CtrlCLeavesNothing) {
  const Workplace here;
  const Ran ran = run_program({"generate", "a red heart", "-o", "a.png", "--count", "256", "--steps", "1000"}, 400);
  EXPECT_EQ(ran.status, 130);
  EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
  EXPECT_NE(ran.err.find("stopped"), std::string::npos) << ran.err;
  EXPECT_EQ(ran.out, "");
  EXPECT_EQ(here.files(), Strings{});
}

TEST(Show, TellsPartsNodesAndGraphs) {
  const Workplace here;
  const Ran summary = run_program({"show", "tiny.safetensors"});
  EXPECT_EQ(summary.status, 0) << summary.err;
  for (const char* word : {"model tiny", "text", "prompt", "step", "decoder", "activations"}) {
    EXPECT_NE(summary.out.find(word), std::string::npos) << word;
  }
  const Ran json = run_program({"show", "--json", "--nodes"});
  const Json parsed = parse_json(json.out, "output");
  EXPECT_EQ(parsed["parts"].size(), 5u);
  EXPECT_GT(parsed["parts"][2]["flops"].get<double>(), 0);
  EXPECT_GT(parsed["parts"][2]["bytes"]["activations"].get<double>(), 0);
  EXPECT_GT(parsed["parts"][2]["nodes"].size(), 20u);

  const Ran nodes = run_program({"show", "--part", "decoder", "--nodes"});
  EXPECT_NE(nodes.out.find("decoder.stem.weight"), std::string::npos);
  const Ran graph = run_program({"show", "--part", "decoder", "--graph", "--batch", "2"});
  EXPECT_EQ(graph::parse_graph(graph.out).type(0).shape[0], 2);
  write_file("decoder.graph", graph.out);
  EXPECT_EQ(run_program({"show", "decoder.graph", "--graph"}).out, graph.out);
  EXPECT_EQ(run_program({"show", "--part", "step", "--explain", "--isa", "scalar"}).status, 0);
}

TEST(Bench, TimesEveryPart) {
  const Workplace here;
  const Ran ran = run_program({"bench", "--runs", "3", "--warmup", "1", "--json"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  const Json json = parse_json(ran.out, "output");
  ASSERT_EQ(json["parts"].size(), 5u);
  for (const Json& part : json["parts"]) EXPECT_GT(part["median_seconds"].get<double>(), 0);
  const Ran profile = run_program({"bench", "--runs", "2", "--part", "decoder", "--profile"});
  EXPECT_EQ(profile.status, 0) << profile.err;
  EXPECT_NE(profile.out.find("share"), std::string::npos);
  write_file("config.json",
             R"({"type":"autoencoder","image_channels":4,"patch":4,"channels":[8,8],"encoder_blocks":[0,1],
                                "decoder_blocks":[1,1],"latent_channels":4})");
  EXPECT_EQ(run_program({"bench", "config.json", "--size", "32", "--runs", "1"}).status, 0);
}

TEST(Help, TeachesWithExamples) {
  for (const char* command : {"generate", "show", "bench"}) {
    const Ran ran = run_program({command, "--help"});
    EXPECT_EQ(ran.status, 0);
    EXPECT_EQ(ran.err, "");
    EXPECT_NE(ran.out.find("thimble " + std::string(command) + " "), std::string::npos) << ran.out;
  }
  EXPECT_EQ(run_program({}).status, 0);
  EXPECT_NE(run_program({"version"}).out.find("model format 2"), std::string::npos);
  EXPECT_EQ(run_program({"--version"}).out, run_program({"version"}).out);
}

}  // namespace
}  // namespace thimble::testing
