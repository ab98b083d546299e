// Published pipelines against pictures that diffusers made with the same tiny models (tools/goldens/pipelines.py), on
// the device executor in f32; and what they refuse.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/file.h"
#include "diffusion/published/published_pipeline.h"
#include "formats/safetensors/safetensors.h"
#include "runtime/device.h"

namespace thimble::diffusion {
namespace {

const std::filesystem::path kFolder = "diffusion/testdata/pipelines";

media::Image read_picture(const formats::TensorInfo& t) {
  media::Image image(static_cast<int>(t.shape[1]), static_cast<int>(t.shape[0]),
                     t.shape.size() == 3 ? static_cast<int>(t.shape[2]) : 1);
  const auto bytes = t.stored_bytes();
  check(bytes.size() == image.pixels.size(), "a picture of the shape that was said");
  std::memcpy(image.pixels.data(), bytes.data(), bytes.size());
  return image;
}

// By the class that the case exchanged the scheduler for.
std::string sampler_of(const std::string& scheduler) {
  const std::map<std::string, std::string> names{{"DDIMScheduler", "ddim"},
                                                 {"EulerDiscreteScheduler", "euler"},
                                                 {"EulerAncestralDiscreteScheduler", "euler_ancestral"},
                                                 {"DPMSolverMultistepScheduler", "dpmpp"},
                                                 {"FlowMatchEulerDiscreteScheduler", "euler"}};
  return names.at(scheduler);
}

struct Case {
  std::string name;
  PublishedRequest request;
  PublishedOptions options;
  media::Image wanted;
  std::string autoencoder;          // a folder beside the model's, in place of its own
  std::vector<std::string> absent;  // parts that are taken out of the directory
};

std::vector<Case> read_cases(const std::string& family) {
  const auto file = formats::SafetensorsFile::open(kFolder / (family + ".safetensors"));
  std::vector<Case> cases;
  for (const Json& j : parse_json(file.metadata().at("cases"), family)) {
    Case c;
    c.name = j.at("case");
    const auto tensor = [&](const char* kind) { return file.find(c.name + "/" + kind); };
    c.request.prompt = j.at("prompt");
    if (j.contains("negative_prompt")) c.request.negative_prompt = j["negative_prompt"].get<std::string>();
    if (const auto* t = tensor("noise")) {
      c.request.noise.resize(static_cast<std::size_t>(t->elements()));
      std::memcpy(c.request.noise.data(), t->data().data(), t->data().size());
    }
    if (const auto* t = tensor("picture")) c.request.image = read_picture(*t);
    if (const auto* t = tensor("mask")) c.request.mask = read_picture(*t);
    c.wanted = read_picture(file.at(c.name + "/image"));
    c.options.width = j.at("width").get<int>();
    c.options.height = j.at("height").get<int>();
    c.options.steps = j.at("num_inference_steps").get<int>();
    c.options.guidance = j.at("guidance_scale").get<double>();
    if (j.contains("strength")) c.options.strength = j["strength"].get<double>();
    if (j.contains("image_guidance_scale")) c.options.image_guidance = j["image_guidance_scale"].get<double>();
    if (j.contains("scheduler")) c.options.sampler = sampler_of(j["scheduler"]);
    c.autoencoder = j.value("autoencoder", "");
    c.absent = j.value("absent", std::vector<std::string>());
    if (j.contains("torch_seed")) {
      c.options.generator = NoiseGenerator::torch;
      c.request.seed = j["torch_seed"].get<std::uint64_t>();
    }
    cases.push_back(std::move(c));
  }
  return cases;
}

class PublishedFamily : public testing::TestWithParam<std::string> {
 protected:
  ~PublishedFamily() override {
    std::error_code ignored;
    std::filesystem::remove_all(copy_, ignored);
  }

  PublishedModel open_for(const Case& c) const {
    PublishedModelOptions options;
    if (!c.autoencoder.empty()) options.autoencoder = kFolder / c.autoencoder;
    if (c.absent.empty()) return PublishedModel::open(kFolder / GetParam(), options);
    std::filesystem::copy(kFolder / GetParam(), copy_, std::filesystem::copy_options::recursive);
    Json index = parse_json(read_file(copy_ / "model_index.json"), "model_index.json");
    for (const std::string& part : c.absent) {
      index[part] = Json::array({nullptr, nullptr});
      std::filesystem::remove_all(copy_ / part);
    }
    write_file(copy_ / "model_index.json", index.dump());
    return PublishedModel::open(copy_, options);
  }

 private:
  const std::filesystem::path copy_ =
      std::filesystem::path(testing::TempDir()) / ("thimble_published_" + std::to_string(::getpid()));
};

TEST_P(PublishedFamily, PicturesAreThoseOfDiffusers) {
  const auto executor = runtime::make_device_executor({});
  for (const Case& c : read_cases(GetParam())) {
    const PublishedModel model = open_for(c);
    PublishedPipeline pipeline(model, *executor);
    const PublishedResult made = pipeline.generate(std::span(&c.request, 1), c.options);
    ASSERT_EQ(made.images.size(), 1u);
    ASSERT_EQ(made.images[0].width, c.wanted.width);
    ASSERT_EQ(made.images[0].height, c.wanted.height);
    int largest = 0;
    std::size_t more_than_one = 0;
    for (std::size_t i = 0; i < c.wanted.pixels.size(); ++i) {
      const int error = std::abs(int{made.images[0].pixels[i]} - int{c.wanted.pixels[i]});
      largest = std::max(largest, error);
      more_than_one += error > 1 ? 1 : 0;
    }
    EXPECT_LE(largest, 3) << c.name;
    EXPECT_LE(static_cast<double>(more_than_one), 0.001 * static_cast<double>(c.wanted.pixels.size())) << c.name;
    RecordProperty(c.name, largest);
  }
}

INSTANTIATE_TEST_SUITE_P(All, PublishedFamily,
                         testing::Values("sd15", "inpaint", "instruct", "lcm", "sdxl", "pixart", "sd3", "flux",
                                         "flux_guided", "sana", "sana_sprint"),
                         [](const testing::TestParamInfo<std::string>& info) { return info.param; });

class PublishedCalls : public testing::Test {
 protected:
  static PublishedModel open(const std::string& family) { return PublishedModel::open(kFolder / family); }

  PublishedResult make(const PublishedModel& model, std::vector<PublishedRequest> requests,
                       const PublishedOptions& options = {}) {
    return PublishedPipeline(model, *executor_).generate(requests, options);
  }

  // The message of the bad_input that the call must end in.
  std::string refusal(const PublishedModel& model, const PublishedRequest& request,
                      const PublishedOptions& options = {}) {
    try {
      make(model, {request}, options);
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::bad_input) << e.what();
      return e.message();
    }
    ADD_FAILURE() << "nothing was refused";
    return {};
  }

  std::unique_ptr<graph::Executor> executor_ = runtime::make_device_executor({});
};

media::Image grey(int width, int height) {
  media::Image image(width, height, 3);
  std::ranges::fill(image.pixels, std::uint8_t{100});
  return image;
}

bool contains(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

TEST_F(PublishedCalls, FactsFollowFromTheDirectory) {
  const PublishedModel sd = open("sd15"), paint = open("inpaint"), edit = open("instruct"), flux = open("flux");
  EXPECT_EQ(sd.facts().native_side, 32);
  EXPECT_EQ(sd.facts().size_step, 4);
  EXPECT_EQ(sd.facts().guidance_kind, GuidanceKind::classifier_free);
  EXPECT_EQ(paint.facts().conditioning, Conditioning::mask_and_image);
  EXPECT_EQ(edit.facts().conditioning, Conditioning::image);
  EXPECT_EQ(edit.facts().guidance_kind, GuidanceKind::two_conditions);
  EXPECT_EQ(flux.facts().guidance_kind, GuidanceKind::none);
  EXPECT_EQ(flux.facts().steps, 4);
  EXPECT_EQ(flux.facts().size_step, 8);
  EXPECT_EQ(open("lcm").facts().guidance_kind, GuidanceKind::embedded);
  EXPECT_EQ(open("sd3").facts().text.tokens(), 24 + 256);
  EXPECT_EQ(open("sd3").facts().text.pooled_width(), 24);
}

int largest_difference(const media::Image& a, const media::Image& b) {
  int largest = 0;
  for (std::size_t k = 0; k < a.pixels.size(); ++k) {
    largest = std::max(largest, std::abs(int{a.pixels[k]} - int{b.pixels[k]}));
  }
  return largest;
}

// Else the comparisons above would not see a text that went wrong.
TEST_F(PublishedCalls, EveryTextIsSeenInThePicture) {
  for (const std::string family : {"sd15", "inpaint", "instruct", "lcm", "sdxl", "pixart", "sd3", "flux", "sana"}) {
    const PublishedModel model = open(family);
    Case c = read_cases(family).front();
    const media::Image first = make(model, {c.request}, c.options).images[0];
    PublishedRequest other = c.request;
    other.prompt = "three ships in the night";
    EXPECT_GT(largest_difference(first, make(model, {other}, c.options).images[0]), 5) << family;
    if (!c.request.negative_prompt) continue;
    other = c.request;
    other.negative_prompt = "the window sill";
    EXPECT_GT(largest_difference(first, make(model, {other}, c.options).images[0]), 5) << family;
  }
}

TEST_F(PublishedCalls, ASingleFileTakesItsTokenizerFromElsewhere) {
  const std::filesystem::path file = "formats/diffusers/testdata/sd_single.safetensors";
  try {
    PublishedModel::open(file);
    ADD_FAILURE() << "opened without a vocabulary";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::bad_input);
    EXPECT_TRUE(contains(e.message(), "the model has no tokenizer")) << e.what();
  }
  const PublishedModel model = PublishedModel::open(file, {.tokenizers = {{"tokenizer", kFolder / "sd15/tokenizer"}}});
  EXPECT_EQ(model.facts().native_side, 512);
  EXPECT_EQ(model.facts().text.tokens(), 77);
}

TEST_F(PublishedCalls, WhatCannotBeDoneIsRefused) {
  const PublishedModel sd = open("sd15"), paint = open("inpaint"), edit = open("instruct"), flux = open("flux");
  const PublishedRequest plain{.prompt = "a cat"}, negative{.prompt = "a cat", .negative_prompt = "grey"};
  EXPECT_TRUE(contains(refusal(sd, plain, {.width = 30}), "multiples of 4 pixels; 30x32 came"));
  EXPECT_TRUE(contains(refusal(sd, negative, {.guidance = 1.0}), "negative prompt has no effect with guidance"));
  EXPECT_TRUE(contains(refusal(flux, negative), "negative prompt has no effect in this model"));
  EXPECT_TRUE(contains(refusal(flux, plain, {.guidance = 4.0}), "runs without guidance"));
  EXPECT_TRUE(contains(refusal(edit, plain), "edits a picture"));
  EXPECT_TRUE(contains(refusal(paint, {.prompt = "a cat", .image = grey(32, 32)}), "a picture and a mask"));
  EXPECT_TRUE(contains(refusal(sd, {.prompt = "a cat", .mask = grey(32, 32)}), "no picture came"));
  EXPECT_TRUE(contains(refusal(sd, plain, {.strength = 0.5}), "no picture came"));
  EXPECT_TRUE(
      contains(refusal(sd, {.prompt = "a cat", .image = grey(32, 32)}, {.steps = 3, .strength = 0.2}), "leaves none"));
  EXPECT_TRUE(contains(refusal(edit, {.prompt = "a cat", .image = grey(32, 32)}, {.strength = 0.5}), "no strength"));
  EXPECT_TRUE(contains(refusal(sd, plain, {.sampler = "heun"}), "sampler 'heun' does not serve"));
  EXPECT_TRUE(contains(refusal(flux, plain, {.sampler = "ddim"}), "sampler 'ddim' does not serve"));
  EXPECT_TRUE(contains(refusal(sd, {.prompt = "a cat", .noise = {1, 2, 3}}), "8x8x4 values here; 3 came"));
  EXPECT_TRUE(contains(refusal(sd, {.prompt = "a \xff"}), "UTF-8"));
}

TEST_F(PublishedCalls, ACutPromptIsNamed) {
  const PublishedModel sd = open("sd15");
  const PublishedRequest request{.prompt =
                                     "a very long tale of a lighthouse, a storm, three ships and the cat that "
                                     "watched all of it from the window sill"};
  const PublishedResult made = make(sd, {request}, {.steps = 1, .guidance = 1.0});
  ASSERT_EQ(made.warnings.size(), 1u);
  EXPECT_EQ(made.warnings[0], "the prompt is longer than 24 tokens; left out was: it from the window sill");
}

TEST_F(PublishedCalls, NeighboursInABatchChangeNothing) {
  const PublishedModel sd = open("sd15");
  std::vector<PublishedRequest> requests{{.prompt = "a red lighthouse", .seed = 1},
                                         {.prompt = "a storm", .negative_prompt = "grey", .seed = 2},
                                         {.prompt = "a red lighthouse", .seed = 3}};
  const PublishedOptions options{.steps = 3, .sampler = "euler_ancestral"};
  PublishedOptions paired = options;
  paired.batch = 2;
  const PublishedResult together = make(sd, requests, paired);
  ASSERT_EQ(together.images.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_LE(largest_difference(make(sd, {requests[i]}, options).images[0], together.images[i]), 1) << i;
  }
  EXPECT_NE(together.images[0], together.images[1]);
  EXPECT_NE(together.images[0], together.images[2]);
}

TEST_F(PublishedCalls, PictureGivesTheSize) {
  const PublishedModel sd = open("sd15");  // native: 32 x 32
  const PublishedRequest small{.prompt = "a cat", .image = grey(26, 20)},
      large{.prompt = "a cat", .image = grey(128, 64)};
  const PublishedResult first = make(sd, {small}, {.steps = 2}), second = make(sd, {large}, {.steps = 2});
  EXPECT_EQ(first.width, 24);
  EXPECT_EQ(first.height, 20);
  EXPECT_EQ(second.width, 44);
  EXPECT_EQ(second.height, 20);
}

TEST_F(PublishedCalls, ProgressAndCancel) {
  const PublishedModel sd = open("sd15");
  const std::vector<PublishedRequest> requests{{.prompt = "a cat"}};
  CancelToken cancel;
  std::int64_t last = 0;
  const ProgressFn progress = [&](std::int64_t done, std::int64_t total, const std::string&) {
    EXPECT_EQ(done, ++last);
    EXPECT_EQ(total, 6);  // PNDM calls once more than it steps
    if (done == 3) cancel.cancel();
  };
  try {
    PublishedPipeline(sd, *executor_).generate(requests, {.steps = 5}, progress, &cancel);
    ADD_FAILURE() << "nothing stopped it";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::cancelled);
  }
  EXPECT_EQ(last, 3);
}

TEST_F(PublishedCalls, PartsRunOneAfterAnother) {
  const PublishedResult made = make(open("sd3"), {{.prompt = "a cat"}}, {.width = 16, .height = 16, .steps = 1});
  std::vector<std::string> parts;
  for (const ComponentReport& c : made.components) {
    parts.push_back(c.part);
    EXPECT_GT(c.memory.peak_bytes(), 0u) << c.part;
  }
  EXPECT_EQ(parts, (std::vector<std::string>{"text_encoder", "text_encoder_2", "text_encoder_3", "transformer",
                                             "vae decoder"}));
  EXPECT_EQ(made.calls.size(), 1u);
}

}  // namespace
}  // namespace thimble::diffusion
