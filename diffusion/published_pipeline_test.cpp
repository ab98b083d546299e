// Published pipelines against pictures that diffusers made with the same tiny models (tools/goldens/pipelines.py), on
// the device executor in f32; and what they refuse.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "base/error.h"
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
    if (j.contains("torch_seed")) {
      c.options.generator = NoiseGenerator::torch;
      c.request.seed = j["torch_seed"].get<std::uint64_t>();
    }
    cases.push_back(std::move(c));
  }
  return cases;
}

class PublishedFamily : public testing::TestWithParam<std::string> {};

TEST_P(PublishedFamily, PicturesAreThoseOfDiffusers) {
  const PublishedModel model = PublishedModel::open(kFolder / GetParam());
  const auto executor = runtime::make_device_executor({});
  PublishedPipeline pipeline(model, *executor);
  for (const Case& c : read_cases(GetParam())) {
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
                         testing::Values("sd15", "inpaint", "instruct", "lcm", "sdxl"));

}  // namespace
}  // namespace thimble::diffusion
