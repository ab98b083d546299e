#include "formats/diffusers/single_file.h"

#include <algorithm>
#include <array>
#include <set>

#include "base/error.h"
#include "formats/diffusers/lazy_checkpoint.h"
#include "formats/diffusers/published_sd.h"
#include "formats/diffusers/weight_files.h"

namespace thimble::formats {
namespace {

constexpr const char* kFirstConvolution = "model.diffusion_model.input_blocks.0.0.weight";

bool has(const TensorMap& stored, const std::string& prefix) {
  const auto at = stored.lower_bound(prefix);
  return at != stored.end() && at->first.starts_with(prefix);
}

// Models that are told by a tensor and not read in this form, and what to use instead.
struct Foreign {
  const char *prefix, *what, *instead;
};
constexpr const char* kUseDirectory = "use the model's diffusers directory";
constexpr Foreign kForeign[] = {
    {"model.diffusion_model.joint_blocks.", "Stable Diffusion 3 in its original names", kUseDirectory},
    {"joint_blocks.", "Stable Diffusion 3 in its original names", kUseDirectory},
    {"model.diffusion_model.double_blocks.", "FLUX in its original names", kUseDirectory},
    {"double_blocks.", "FLUX in its original names", kUseDirectory},
    {"cond_stage_model.model.", "Stable Diffusion 2", "versions 1.x and XL are read from one file"},
    {"conditioner.embedders.0.model.", "the refiner of Stable Diffusion XL", "the base model is read"},
    {"control_model.", "a ControlNet", "models without one are read"},
    {"lora_", "a LoRA, a change to a model", "name the model itself, and this file with --lora"},
    {"unet.", "a LoRA, a change to a model", "name the model itself, and this file with --lora"},
    {"transformer.transformer_blocks.", "a LoRA, a change to a model",
     "name the model itself, and this file with --lora"},
    {"controlnet_", "a ControlNet", "models without one are read"},
    {"input_hint_block.", "a ControlNet", "models without one are read"},
    {"down_blocks.", "one network in diffusers' names", "put it into a folder with its config.json"},
    {"transformer_blocks.", "one network in diffusers' names", "put it into a folder with its config.json"},
};

void refuse_foreign(const TensorMap& stored, const std::string& file) {
  for (const auto& [prefix, what, instead] : kForeign) {
    if (has(stored, prefix)) fail(ErrorKind::unsupported, "{} is {}, which is not read here; {}", file, what, instead);
  }
  if (!stored.contains(kFirstConvolution)) {
    fail(ErrorKind::bad_file, "{} is no Stable Diffusion checkpoint: none of its {} tensors is '{}'{}", file,
         stored.size(), kFirstConvolution,
         stored.empty() ? std::string() : "; its first is '" + stored.begin()->first.substr(0, 80) + "'");
  }
}

// What training leaves in a file: averages, schedules, losses, counters.
bool is_leftover(std::string_view name) {
  static constexpr std::array<std::string_view, 11> kStarts{"model_ema.",
                                                            "first_stage_model.loss.",
                                                            "alphas_cumprod",
                                                            "betas",
                                                            "sqrt_",
                                                            "log_one_minus_alphas_cumprod",
                                                            "posterior_",
                                                            "lvlb_weights",
                                                            "denoiser.",
                                                            "logvar",
                                                            "cond_stage_model.logit_scale"};
  return name.ends_with("embeddings.position_ids") || name.ends_with(".logit_scale") ||
         std::ranges::any_of(kStarts, [&](std::string_view s) { return name.starts_with(s); });
}

struct Kind {
  int in_channels;
  bool xl;
  const char* pipeline_class;
};
constexpr Kind kKinds[] = {
    {4, false, "StableDiffusionPipeline"},
    {9, false, "StableDiffusionInpaintPipeline"},
    {8, false, "StableDiffusionInstructPix2PixPipeline"},
    {4, true, "StableDiffusionXLPipeline"},
    {9, true, "StableDiffusionXLInpaintPipeline"},
};

const Kind& kind_of(const TensorMap& stored, const std::string& file) {
  const bool xl = has(stored, "model.diffusion_model.label_emb.") || has(stored, "conditioner.embedders.1.");
  const auto& shape = stored.at(kFirstConvolution).shape;
  const std::int64_t channels = shape.size() == 4 ? shape[1] : 0;
  for (const Kind& k : kKinds) {
    if (k.xl == xl && k.in_channels == channels) return k;
  }
  fail(ErrorKind::unsupported,
       "{}: '{}' has shape {}; second dimensions that are known are 4, 8 (InstructPix2Pix) and 9 "
       "(inpainting){}",
       file, kFirstConvolution, graph::to_string(shape), xl ? ", for XL 4 and 9" : "");
}

}  // namespace

DiffusersModel open_single_file(const std::filesystem::path& path) {
  refuse_pickle(path);
  const auto checkpoint = std::make_shared<LazyCheckpoint>(path);
  const TensorMap& stored = checkpoint->get()->tensors();
  refuse_foreign(stored, path.string());
  const Kind& kind = kind_of(stored, path.string());
  const PublishedSd published = kind.xl ? published_sdxl(kind.in_channels) : published_sd15(kind.in_channels);

  DiffusersModel model;
  model.path = path;
  model.pipeline_class = kind.pipeline_class;
  model.settings = Json::object();
  model.scheduler_class = published.scheduler_class;
  model.scheduler = published.scheduler;
  model.tokenizers.push_back({"tokenizer", "CLIPTokenizer", Json::object(), {}, {}, {}, {}});
  if (kind.xl) {
    model.tokenizers.push_back({"tokenizer_2", "CLIPTokenizer", Json::object(), {}, {}, {}, {}});
    model.settings["force_zeros_for_empty_prompt"] = true;
  }

  std::set<std::string> taken;
  const auto add = [&](const char* name, const char* class_name, const Json& config, Naming naming) {
    const NameMap names = with_context("while reading " + path.string(), [&] { return naming(stored); });
    for (const auto& [today, from] : names) taken.insert(from.name);
    if (names.empty()) {
      model.absent.push_back(name);
    } else {
      model.parts.push_back({name, class_name, config, checkpoint, naming});
    }
  };
  add("text_encoder", "CLIPTextModel", published.text_encoder, original_clip_names);
  if (kind.xl) add("text_encoder_2", "CLIPTextModelWithProjection", published.text_encoder_2, original_bigg_names);
  add("unet", "UNet2DConditionModel", published.unet, original_unet_names);
  add("vae", "AutoencoderKL", published.vae, original_vae_names);
  for (const auto& [name, info] : stored) {
    if (!taken.contains(name) && !is_leftover(name)) model.unused.push_back(name);
  }
  return model;
}

}  // namespace thimble::formats
