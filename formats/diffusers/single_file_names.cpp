// Names of the programs that trained Stable Diffusion (Rombach et al. 2022) and of OpenCLIP, as names of today.
//
// UNet: input_blocks counts the first convolution, then per level its layers and one block that halves; output_blocks
// per level its layers, with the block that doubles as the last child of the last layer. Autoencoder: the decoder's
// levels count from the finest; attention in the middle is made of 1x1 convolutions.
#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <vector>

#include "base/error.h"
#include "formats/diffusers/single_file.h"

namespace thimble::formats {
namespace {

using Change = StoredTensor::Change;
using Row = std::pair<std::string_view, std::string_view>;

std::vector<std::string_view> split(std::string_view name) {
  std::vector<std::string_view> words;
  while (true) {
    const std::size_t dot = name.find('.');
    words.push_back(name.substr(0, dot));
    if (dot == std::string_view::npos) return words;
    name.remove_prefix(dot + 1);
  }
}

std::optional<int> number(std::string_view word) {
  int value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size() || value < 0 || value > 9999) return std::nullopt;
  return value;
}

// `name` with the first row whose left side, up to a dot, it begins with put in place.
std::optional<std::string> replaced(std::string_view name, std::span<const Row> rows) {
  for (const auto& [old, today] : rows) {
    if (name.starts_with(old) && name.size() > old.size() && name[old.size()] == '.') {
      return std::string(today) + std::string(name.substr(old.size()));
    }
  }
  return std::nullopt;
}

constexpr Row kUnetOuter[] = {
    {"time_embed.0", "time_embedding.linear_1"},
    {"time_embed.2", "time_embedding.linear_2"},
    {"label_emb.0.0", "add_embedding.linear_1"},
    {"label_emb.0.2", "add_embedding.linear_2"},
    {"input_blocks.0.0", "conv_in"},
    {"middle_block.1", "mid_block.attentions.0"},
    {"out.0", "conv_norm_out"},
    {"out.2", "conv_out"},
};
constexpr Row kUnetResnet[] = {
    {"in_layers.0", "norm1"},  {"in_layers.2", "conv1"},  {"emb_layers.1", "time_emb_proj"},
    {"out_layers.0", "norm2"}, {"out_layers.3", "conv2"}, {"skip_connection", "conv_shortcut"},
};

// The part of `name` behind its first `words` words.
std::string_view behind(std::string_view name, int words) {
  for (; words > 0; --words) name.remove_prefix(std::min(name.find('.') + 1, name.size()));
  return name;
}

std::optional<std::string> resnet_name(const std::string& block, std::string_view inner) {
  const auto today = replaced(inner, kUnetResnet);
  return today ? std::optional(block + "." + *today) : std::nullopt;
}

// `period` is the number of blocks per level: its layers and one more.
std::optional<std::string> unet_name(std::string_view name, int period) {
  if (auto outer = replaced(name, kUnetOuter)) return outer;
  const auto words = split(name);
  if (words.size() < 4) return std::nullopt;
  if (words[0] == "middle_block") {
    if (words[1] != "0" && words[1] != "2") return std::nullopt;
    return resnet_name(words[1] == "0" ? "mid_block.resnets.0" : "mid_block.resnets.1", behind(name, 2));
  }
  const bool down = words[0] == "input_blocks";
  const auto count = number(words[1]), child = number(words[2]);
  if ((!down && words[0] != "output_blocks") || !count || !child || (down && *count == 0)) return std::nullopt;
  const int place = *count - (down ? 1 : 0);
  const std::string level = fmt::format("{}_blocks.{}", down ? "down" : "up", place / period);
  const int layer = place % period;
  const std::string_view inner = behind(name, 3);
  if (down && *child == 0 && words[3] == "op") return level + ".downsamplers.0.conv." + std::string(behind(inner, 1));
  if (!down && *child > 0 && words[3] == "conv" && words.size() == 5) {
    return level + ".upsamplers.0." + std::string(inner);
  }
  if (*child == 0) return resnet_name(fmt::format("{}.resnets.{}", level, layer), inner);
  if (*child == 1) return fmt::format("{}.attentions.{}.{}", level, layer, inner);
  return std::nullopt;
}

constexpr Row kVaeMiddle[] = {
    {"block_1", "resnets.0"},
    {"block_2", "resnets.1"},
    {"attn_1.norm", "attentions.0.group_norm"},
    {"attn_1.q", "attentions.0.to_q"},
    {"attn_1.k", "attentions.0.to_k"},
    {"attn_1.v", "attentions.0.to_v"},
    {"attn_1.proj_out", "attentions.0.to_out.0"},
};

std::string with_shortcut(std::string name) {
  static constexpr std::string_view kOld = ".nin_shortcut.";
  if (const std::size_t at = name.find(kOld); at != std::string::npos) name.replace(at, kOld.size(), ".conv_shortcut.");
  return name;
}

std::optional<std::string> vae_name(std::string_view name, int levels) {
  const auto words = split(name);
  if (words[0] == "quant_conv" || words[0] == "post_quant_conv") return std::string(name);
  if ((words[0] != "encoder" && words[0] != "decoder") || words.size() < 3) return std::nullopt;
  const std::string side(words[0]);
  if (words[1] == "conv_in" || words[1] == "conv_out") return std::string(name);
  if (words[1] == "norm_out") return side + ".conv_norm_out." + std::string(behind(name, 2));
  if (words[1] == "mid") {
    const auto middle = replaced(behind(name, 2), kVaeMiddle);
    return middle ? std::optional(side + ".mid_block." + with_shortcut(*middle)) : std::nullopt;
  }
  const bool down = words[1] == "down";
  const auto stored_level = number(words[2]);
  if ((!down && words[1] != "up") || !stored_level || words.size() < 5) return std::nullopt;
  const int level = down ? *stored_level : levels - 1 - *stored_level;
  const std::string block = fmt::format("{}.{}_blocks.{}.", side, words[1], level);
  const std::string inner(behind(name, 4));
  if (words[3] == "block") return with_shortcut(block + "resnets." + inner);
  if (words[3] == "downsample" || words[3] == "upsample") return fmt::format("{}{}rs.0.{}", block, words[3], inner);
  return std::nullopt;
}

constexpr Row kOpenClipOuter[] = {
    {"token_embedding", "text_model.embeddings.token_embedding"},
    {"ln_final", "text_model.final_layer_norm"},
};
constexpr Row kOpenClipLayerRows[] = {
    {"ln_1", "layer_norm1"}, {"ln_2", "layer_norm2"},   {"attn.out_proj", "self_attn.out_proj"},
    {"mlp.c_fc", "mlp.fc1"}, {"mlp.c_proj", "mlp.fc2"},
};

// Calls f(name without `prefix`, whole name) for every tensor that has it.
template <class F>
void for_each_behind(const TensorMap& stored, std::string_view prefix, F&& f) {
  for (auto at = stored.lower_bound(std::string(prefix)); at != stored.end() && at->first.starts_with(prefix); ++at) {
    f(std::string_view(at->first).substr(prefix.size()), at->first);
  }
}

}  // namespace

NameMap original_unet_names(const TensorMap& stored) {
  static constexpr std::string_view kPrefix = "model.diffusion_model.";
  int period = 9999;
  for_each_behind(stored, kPrefix, [&](std::string_view name, const std::string&) {
    const auto words = split(name);
    if (words.size() == 5 && words[0] == "input_blocks" && words[3] == "op") {
      period = std::min(period, std::max(1, number(words[1]).value_or(period)));
    }
  });
  NameMap names;
  for_each_behind(stored, kPrefix, [&](std::string_view name, const std::string& whole) {
    if (auto today = unet_name(name, period)) add_name(names, std::move(*today), {whole});
  });
  return names;
}

NameMap original_vae_names(const TensorMap& stored) {
  static constexpr std::string_view kPrefix = "first_stage_model.";
  int levels = 0;
  for_each_behind(stored, "first_stage_model.decoder.up.", [&](std::string_view name, const std::string&) {
    levels = std::max(levels, 1 + number(split(name)[0]).value_or(0));
  });
  NameMap names;
  for_each_behind(stored, kPrefix, [&](std::string_view name, const std::string& whole) {
    auto today = vae_name(name, levels);
    if (!today) return;
    const bool attention = today->find(".mid_block.attentions.0.to_") != std::string::npos;
    add_name(names, std::move(*today), {whole, attention ? Change::as_matrix : Change::none});
  });
  return names;
}

NameMap original_clip_names(const TensorMap& stored) {
  NameMap names;
  for (const char* prefix : {"cond_stage_model.transformer.", "conditioner.embedders.0.transformer."}) {
    for_each_behind(stored, prefix, [&](std::string_view name, const std::string& whole) {
      std::string today = clip_text_name(name);
      if (today.starts_with("text_model.")) add_name(names, std::move(today), {whole});
    });
  }
  return names;
}

NameMap original_bigg_names(const TensorMap& stored) {
  NameMap names;
  for_each_behind(stored, "conditioner.embedders.1.model.", [&](std::string_view name, const std::string& whole) {
    if (name == "positional_embedding") {
      add_name(names, "text_model.embeddings.position_embedding.weight", {whole});
    } else if (name == "text_projection") {
      add_name(names, "text_projection.weight", {whole, Change::transposed});
    } else if (auto outer = replaced(name, kOpenClipOuter)) {
      add_name(names, std::move(*outer), {whole});
    } else if (const auto words = split(name);
               words.size() > 4 && words[0] == "transformer" && words[1] == "resblocks" && number(words[2])) {
      const std::string layer = fmt::format("text_model.encoder.layers.{}.", words[2]);
      const std::string_view inner = behind(name, 3);
      if (inner == "attn.in_proj_weight" || inner == "attn.in_proj_bias") {
        const char* leaf = inner.ends_with("weight") ? "weight" : "bias";
        for (int i = 0; i < 3; ++i) {
          add_name(names, fmt::format("{}self_attn.{}_proj.{}", layer, "qkv"[i], leaf), {whole, Change::third, i});
        }
      } else if (const auto today = replaced(inner, kOpenClipLayerRows)) {
        add_name(names, layer + *today, {whole});
      }
    }
  });
  return names;
}

}  // namespace thimble::formats
