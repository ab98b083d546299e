// Names written into a single file lead back to where they came from, for every parameter of Stable Diffusion 1.x
// and XL.
#include <algorithm>
#include <map>

#include "formats/diffusers/single_file.h"
#include "formats/diffusers/test_dirs.h"
#include "models/catalogue.h"
#include "models/classes.h"
#include "models/published_conv.h"

namespace thimble::formats {
namespace {

void expect_back(const DiffusersPart& part, const std::vector<std::string>& parameters, Naming naming, bool xl) {
  TensorMap stored;
  std::map<std::string, StoredTensor> want;
  for (const OriginalTensor& o : original_tensors(part, parameters, xl)) {
    EXPECT_TRUE(stored.emplace(o.name, TensorInfo(o.name, "F32", {}, {})).second) << o.name;
    for (std::size_t i = 0; i < o.sources.size(); ++i) {
      want[o.sources[i]] = {o.name,
                            o.sources.size() == 3                        ? StoredTensor::Change::third
                            : o.form == OriginalTensor::Form::transposed ? StoredTensor::Change::transposed
                                                                         : StoredTensor::Change::none,
                            o.sources.size() == 3 ? static_cast<int>(i) : 0};
    }
  }
  ASSERT_EQ(want.size(), parameters.size());
  const NameMap back = naming(stored);
  ASSERT_EQ(back.size(), parameters.size()) << part.class_name;
  for (const std::string& name : parameters) {
    ASSERT_TRUE(back.contains(name)) << name << " as " << want.at(name).name;
    EXPECT_EQ(back.at(name).name, want.at(name).name);
    EXPECT_EQ(back.at(name).third, want.at(name).third) << name;
    if (want.at(name).change != StoredTensor::Change::none) {
      EXPECT_EQ(back.at(name).change, want.at(name).change) << name;
    }
  }
}

std::string original_of(const DiffusersPart& part, const std::string& name, bool xl = false) {
  return original_tensors(part, {name}, xl).front().name;
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
  expect_back(part("unet", unet), parameters_of(unet, {Role::denoiser}), original_unet_names, false);
  expect_back(part("vae", vae), parameters_of(vae, {Role::encoder, Role::decoder}), original_vae_names, false);
  EXPECT_EQ(original_of(part("unet", unet), "up_blocks.0.upsamplers.0.conv.weight"),
            "model.diffusion_model.output_blocks.2.1.conv.weight");
  EXPECT_EQ(original_of(part("unet", unet), "up_blocks.1.upsamplers.0.conv.weight"),
            "model.diffusion_model.output_blocks.5.2.conv.weight");
  expect_refused(message_of([&] { original_of(part("unet", unet), "add_embedding.linear_1.weight"); }), "unsupported",
                 {"add_embedding.linear_1.weight", "1.x"});
  for (const char* other : {"T5EncoderModel", "FluxTransformer2DModel", "SD3Transformer2DModel"}) {
    expect_refused(message_of([&] { original_of(DiffusersPart("t", other, {}, nullptr, nullptr), "shared.weight"); }),
                   "unsupported", {other, "1.x or XL"});
  }
}

TEST(OriginalNames, OfXlLeadBack) {
  using models::Role;
  const auto& unet = models::published_conv("sdxl");
  const DiffusersPart part("unet", std::string(unet.class_name), unet.config, nullptr, nullptr);
  expect_back(part, parameters_of(unet, {Role::denoiser}), original_unet_names, true);
  const auto& parts = models::find_in_catalogue("sdxl")->parts;
  const auto at = std::ranges::find(parts, "text-2", &models::CataloguePart::name);
  ASSERT_NE(at, parts.end());
  const DiffusersPart second("text_encoder_2", at->class_name, at->config, nullptr, nullptr);
  expect_back(second, parameters_of({"", at->class_name, at->config}, {Role::text}), original_bigg_names, true);
  EXPECT_EQ(original_of(second, "text_model.encoder.layers.3.mlp.fc2.bias", true),
            "conditioner.embedders.1.model.transformer.resblocks.3.mlp.c_proj.bias");
  const DiffusersPart first("text_encoder", "CLIPTextModel", {}, nullptr, nullptr);
  EXPECT_EQ(original_of(first, "text_model.final_layer_norm.bias", true),
            "conditioner.embedders.0.transformer.text_model.final_layer_norm.bias");
}

}  // namespace
}  // namespace thimble::formats
