#include "diffusion/facts.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace thimble::diffusion {
namespace {

TEST(Facts, WrittenAndRead) {
  Facts f;
  f.prediction = Prediction::v;
  f.schedule = {
      .kind = ScheduleKind::cosine, .train_steps = 500, .spacing = Spacing::trailing, .final_alpha_one = false};
  f.latent_shift = {0.5f, -0.25f};
  f.latent_scale = {2, 4};
  f.text_buckets = {8, 24};
  f.sampler = "ddim";
  f.guidance_low = 0.25;
  EXPECT_EQ(facts_from_json(parse_json(to_json(f).dump(), "facts"), "facts"), f);
  EXPECT_EQ(facts_from_json(to_json(Facts{}), "facts"), Facts{});
  const Facts least = facts_from_json(parse_json(R"({"prediction":"flow","image_size":64})", "facts"), "facts");
  EXPECT_EQ(least.image_size, 64);
  EXPECT_EQ(least.sampler, "heun");
}

TEST(Facts, EachLieIsRefusedByName) {
  const auto refusal = [](const char* key, Json value) -> std::string {
    Json json = to_json(Facts{});
    json[key] = std::move(value);
    try {
      facts_from_json(json, "facts");
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::bad_file) << key;
      return e.what();
    }
    return "no error";
  };
  const std::pair<const char*, Json> lies[] = {
      {"prediction", "noise"},
      {"prediction", "epsilon"},
      {"schedule", {{"kind", "x"}}},
      {"schedule", {{"kind", "flow"}, {"shift", -1}}},
      {"image_size", 1 << 20},
      {"image_size", "large"},
      {"latent_scale", {0.0}},
      {"latent_scale", Json::array()},
      {"latent_shift", {"a"}},
      {"text_buckets", {32, 16}},
      {"text_buckets", {16, 16}},
      {"sampler", "ddim"},
      {"steps", 0},
      {"guidance", -1},
      {"guidance_interval", {0.5}},
      {"guidance_rescale", 2},
  };
  for (const auto& [key, value] : lies) {
    const std::string message = refusal(key, value);
    EXPECT_TRUE(message.starts_with("facts: ")) << key << ": " << message;
  }
  EXPECT_EQ(refusal("text_buckets", {32, 16}), "facts: 'text_buckets' must ascend");
}

}  // namespace
}  // namespace thimble::diffusion
