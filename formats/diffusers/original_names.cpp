// The way back from single_file_names.cpp: names of today as the original names of Stable Diffusion 1.x and
// XL, for writing.
#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>

#include "base/error.h"
#include "formats/diffusers/single_file.h"

namespace thimble::formats {
namespace {

using NamePair = std::pair<std::string_view, std::string_view>;

constexpr std::array kUnetEnds{
    NamePair{"time_embedding.linear_1.", "time_embed.0."},
    NamePair{"time_embedding.linear_2.", "time_embed.2."},
    NamePair{"add_embedding.linear_1.", "label_emb.0.0."},
    NamePair{"add_embedding.linear_2.", "label_emb.0.2."},
    NamePair{"conv_in.", "input_blocks.0.0."},
    NamePair{"conv_norm_out.", "out.0."},
    NamePair{"conv_out.", "out.2."},
    NamePair{"mid_block.attentions.0.", "middle_block.1."},
};
constexpr std::array kUnetLayers{
    NamePair{"norm1.", "in_layers.0."},          NamePair{"conv1.", "in_layers.2."},
    NamePair{"time_emb_proj.", "emb_layers.1."}, NamePair{"norm2.", "out_layers.0."},
    NamePair{"conv2.", "out_layers.3."},         NamePair{"conv_shortcut.", "skip_connection."},
};
constexpr std::array kOpenClipLayer{
    NamePair{"layer_norm1.", "ln_1."},
    NamePair{"layer_norm2.", "ln_2."},
    NamePair{"self_attn.out_proj.", "attn.out_proj."},
    NamePair{"mlp.fc1.", "mlp.c_fc."},
    NamePair{"mlp.fc2.", "mlp.c_proj."},
};
constexpr std::array kVaeAttention{
    NamePair{"group_norm.", "norm."},   NamePair{"to_q.", "q."}, NamePair{"to_k.", "k."}, NamePair{"to_v.", "v."},
    NamePair{"to_out.0.", "proj_out."},
};

bool strip(std::string_view& name, std::string_view prefix) {
  if (!name.starts_with(prefix)) return false;
  name.remove_prefix(prefix.size());
  return true;
}

// "12.rest" -> 12, leaving "rest".
std::optional<int> strip_number(std::string_view& name) {
  int value = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), value);
  const auto used = static_cast<std::size_t>(end - name.data());
  if (error != std::errc() || value < 0 || used >= name.size() || name[used] != '.') return std::nullopt;
  name.remove_prefix(used + 1);
  return value;
}

template <class Rows>
std::string exchanged(std::string_view name, const Rows& rows) {
  for (const auto& [today, original] : rows) {
    if (strip(name, today)) return std::string(original) + std::string(name);
  }
  return {};
}

std::string joined(const std::string& block, const std::string& inner) { return inner.empty() ? inner : block + inner; }

std::string unet_original(std::string_view name, const Json& config) {
  if (std::string end = exchanged(name, kUnetEnds); !end.empty()) return end;
  if (strip(name, "mid_block.resnets.")) {
    const auto i = strip_number(name);
    return i ? joined(fmt::format("middle_block.{}.", 2 * *i), exchanged(name, kUnetLayers)) : std::string();
  }
  const bool down = name.starts_with("down_blocks.");
  if (!strip(name, "down_blocks.") && !strip(name, "up_blocks.")) return {};
  const int period = static_cast<int>(config.value("layers_per_block", 2)) + 1;
  const auto level = strip_number(name);
  if (!level) return {};
  const auto block = [&](int layer, int child) {
    return fmt::format("{}_blocks.{}.{}.", down ? "input" : "output", *level * period + layer + (down ? 1 : 0), child);
  };
  if (strip(name, "downsamplers.0.conv.")) return block(period - 1, 0) + "op." + std::string(name);
  if (strip(name, "upsamplers.0.")) {
    const Json types = config.value("up_block_types", Json::array());
    const auto at = static_cast<std::size_t>(*level);
    const bool attends = at < types.size() && types[at] == "CrossAttnUpBlock2D";
    return block(period - 1, attends ? 2 : 1) + std::string(name);
  }
  if (strip(name, "resnets.")) {
    const auto layer = strip_number(name);
    return layer ? joined(block(*layer, 0), exchanged(name, kUnetLayers)) : std::string();
  }
  if (strip(name, "attentions.")) {
    const auto layer = strip_number(name);
    return layer ? block(*layer, 1) + std::string(name) : std::string();
  }
  return {};
}

std::string with_old_shortcut(std::string_view name) {
  std::string text(name);
  if (text.starts_with("conv_shortcut.")) text.replace(0, 13, "nin_shortcut");
  return text;
}

std::string vae_original(std::string_view name, const Json& config) {
  if (name.starts_with("quant_conv.") || name.starts_with("post_quant_conv.")) return std::string(name);
  const bool encoder = name.starts_with("encoder.");
  if (!strip(name, "encoder.") && !strip(name, "decoder.")) return {};
  const std::string side = encoder ? "encoder." : "decoder.";
  if (name.starts_with("conv_in.") || name.starts_with("conv_out.")) return side + std::string(name);
  if (strip(name, "conv_norm_out.")) return side + "norm_out." + std::string(name);
  if (strip(name, "mid_block.attentions.0.")) return joined(side + "mid.attn_1.", exchanged(name, kVaeAttention));
  if (strip(name, "mid_block.resnets.")) {
    const auto i = strip_number(name);
    return i ? fmt::format("{}mid.block_{}.{}", side, *i + 1, with_old_shortcut(name)) : std::string();
  }
  const bool down = name.starts_with("down_blocks.");
  if (!strip(name, "down_blocks.") && !strip(name, "up_blocks.")) return {};
  const auto level = strip_number(name);
  if (!level) return {};
  const int levels = static_cast<int>(config.value("block_out_channels", Json::array({0, 0, 0, 0})).size());
  const std::string block = fmt::format("{}{}.{}.", side, down ? "down" : "up", down ? *level : levels - 1 - *level);
  if (strip(name, "downsamplers.0.")) return block + "downsample." + std::string(name);
  if (strip(name, "upsamplers.0.")) return block + "upsample." + std::string(name);
  if (!strip(name, "resnets.")) return {};
  const auto layer = strip_number(name);
  return layer ? fmt::format("{}block.{}.{}", block, *layer, with_old_shortcut(name)) : std::string();
}

// OpenCLIP's, of the second encoder of XL. Query, key and value go into one name.
std::string bigg_original(std::string_view name) {
  if (name == "text_projection.weight") return "text_projection";
  if (!strip(name, "text_model.")) return {};
  if (name == "embeddings.position_embedding.weight") return "positional_embedding";
  if (strip(name, "embeddings.token_embedding.")) return "token_embedding." + std::string(name);
  if (strip(name, "final_layer_norm.")) return "ln_final." + std::string(name);
  if (!strip(name, "encoder.layers.")) return {};
  const auto layer = strip_number(name);
  if (!layer) return {};
  const std::string block = fmt::format("transformer.resblocks.{}.", *layer);
  for (const char* of : {"self_attn.q_proj.", "self_attn.k_proj.", "self_attn.v_proj."}) {
    if (strip(name, of)) return block + "attn.in_proj_" + std::string(name);
  }
  return joined(block, exchanged(name, kOpenClipLayer));
}

OriginalTensor::Form form_of(const DiffusersPart& part, std::string_view name) {
  const bool matrix = name.ends_with(".weight");
  if (part.class_name == "AutoencoderKL" && matrix && name.find(".attentions.0.to_") != std::string_view::npos) {
    return OriginalTensor::Form::filter;
  }
  return part.class_name == "CLIPTextModelWithProjection" && name == "text_projection.weight"
             ? OriginalTensor::Form::transposed
             : OriginalTensor::Form::as_is;
}

std::string original_name(const DiffusersPart& part, std::string_view today, bool xl) {
  std::string prefix, inner;
  if (part.class_name == "UNet2DConditionModel") {
    prefix = "model.diffusion_model.";
    inner = !xl && today.starts_with("add_embedding.") ? std::string() : unet_original(today, part.config);
  } else if (part.class_name == "AutoencoderKL") {
    prefix = "first_stage_model.";
    inner = vae_original(today, part.config);
  } else if (part.class_name == "CLIPTextModel") {
    prefix = xl ? "conditioner.embedders.0.transformer." : "cond_stage_model.transformer.";
    inner = clip_text_name(today);
  } else if (part.class_name == "CLIPTextModelWithProjection" && xl) {
    prefix = "conditioner.embedders.1.model.";
    inner = bigg_original(today);
  } else {
    fail(ErrorKind::unsupported, "a {} has no name in a single file of Stable Diffusion 1.x or XL", part.class_name);
  }
  if (inner.empty()) {
    fail(ErrorKind::unsupported, "{}: '{}' has no name in a single file of Stable Diffusion {}", part.name, today,
         xl ? "XL" : "1.x");
  }
  return prefix + inner;
}

}  // namespace

std::vector<OriginalTensor> original_tensors(const DiffusersPart& part, const std::vector<std::string>& names,
                                             bool xl) {
  std::vector<OriginalTensor> made;
  std::map<std::string, std::size_t> places;
  for (const std::string& today : names) {
    const std::string name = original_name(part, today, xl);
    const auto [at, is_new] = places.try_emplace(name, made.size());
    if (is_new) made.push_back({name, {}, form_of(part, today)});
    made[at->second].sources.push_back(today);
  }
  // Query, key, value, in whatever order the names came.
  const auto rank = [](const std::string& name) {
    return name.find(".q_proj.") != std::string::npos ? 0 : name.find(".k_proj.") != std::string::npos ? 1 : 2;
  };
  for (OriginalTensor& t : made) std::ranges::stable_sort(t.sources, {}, rank);
  return made;
}

}  // namespace thimble::formats
