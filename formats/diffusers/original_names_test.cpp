// Names written into a single file lead back to where they came from, for every parameter of Stable Diffusion 1.x.
#include "formats/diffusers/single_file.h"
#include "formats/diffusers/test_dirs.h"
#include "models/classes.h"
#include "models/published_conv.h"

namespace thimble::formats {
namespace {

void expect_back(const DiffusersPart& part, const std::vector<std::string>& parameters, Naming naming) {
  TensorMap stored;
  for (const std::string& name : parameters) {
    const std::string original = original_name(part, name);
    EXPECT_TRUE(stored.emplace(original, TensorInfo(original, "F32", {}, {})).second) << original;
  }
  const NameMap back = naming(stored);
  ASSERT_EQ(back.size(), parameters.size()) << part.class_name;
  for (const std::string& name : parameters) {
    ASSERT_TRUE(back.contains(name)) << name << " as " << original_name(part, name);
    EXPECT_EQ(back.at(name).name, original_name(part, name));
  }
}

std::vector<std::string> parameters_of(const models::PublishedNetwork& n, std::vector<models::Role> roles) {
  std::vector<std::string> names;
  for (const models::Role role : roles) {
    const graph::Graph g =
        models::build_network(n.class_name, role, n.config, {.height = 64, .width = 64, .tokens = 77});
    for (const graph::Parameter& p : g.parameters) names.push_back(g.value(p.value).name);
  }
  return names;
}

TEST(OriginalNames, LeadBack) {
  using models::Role;
  const auto& unet = models::published_conv("sd1.5");
  const auto& vae = models::published_conv("sd-vae");
  const auto part = [](const char* name, const models::PublishedNetwork& n) {
    return DiffusersPart(name, std::string(n.class_name), n.config, nullptr, nullptr);
  };
  expect_back(part("unet", unet), parameters_of(unet, {Role::denoiser}), original_unet_names);
  expect_back(part("vae", vae), parameters_of(vae, {Role::encoder, Role::decoder}), original_vae_names);
  EXPECT_EQ(original_name(part("unet", unet), "up_blocks.0.upsamplers.0.conv.weight"),
            "model.diffusion_model.output_blocks.2.1.conv.weight");
  EXPECT_EQ(original_name(part("unet", unet), "up_blocks.1.upsamplers.0.conv.weight"),
            "model.diffusion_model.output_blocks.5.2.conv.weight");
  expect_refused(message_of([&] { original_name(part("unet", unet), "add_embedding.linear_1.weight"); }), "unsupported",
                 {"add_embedding.linear_1.weight", "1.x"});
  expect_refused(
      message_of([&] { original_name(DiffusersPart("t", "T5EncoderModel", {}, nullptr, nullptr), "shared.weight"); }),
      "unsupported", {"T5EncoderModel"});
}

}  // namespace
}  // namespace thimble::formats
