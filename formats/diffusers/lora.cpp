#include "formats/diffusers/lora.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

#include "base/error.h"
#include "base/json.h"
#include "formats/diffusers/weight_files.h"
#include "formats/safetensors/weights.h"

namespace thimble::formats {
namespace {

enum class Half : std::uint8_t { down, up, alpha };
struct Ending {
  std::string_view text;
  Half half;
};
constexpr std::array kEndings{
    Ending{".lora_A.weight", Half::down},
    Ending{".lora_B.weight", Half::up},
    Ending{".lora_A.default.weight", Half::down},
    Ending{".lora_B.default.weight", Half::up},
    Ending{".lora_down.weight", Half::down},
    Ending{".lora_up.weight", Half::up},
    Ending{".lora.down.weight", Half::down},
    Ending{".lora.up.weight", Half::up},
    Ending{".lora_linear_layer.down.weight", Half::down},
    Ending{".lora_linear_layer.up.weight", Half::up},
    Ending{"_lora.down.weight", Half::down},
    Ending{"_lora.up.weight", Half::up},
    Ending{".alpha", Half::alpha},
};

struct OtherKind {
  std::string_view word, what;
};
constexpr std::array kOtherKinds{
    OtherKind{".hada_", "LoHa"},
    OtherKind{".lokr_", "LoKr"},
    OtherKind{"dora_scale", "DoRA"},
    OtherKind{"lora_magnitude_vector", "DoRA"},
    OtherKind{".lora_mid.", "LoCon with three factors"},
    OtherKind{".oft_", "OFT"},
    OtherKind{".boft_", "BOFT"},
    OtherKind{".lora_B.bias", "LoRA with a bias"},
    OtherKind{".diff", "a full difference of weights"},
};

struct Prefix {
  std::string_view text, owner;
};
constexpr std::string_view kDenoiser = "denoiser";
// Longer ones first where one begins with another.
constexpr std::array kPrefixes{
    Prefix{"base_model.model.", kDenoiser},
    Prefix{"unet.", kDenoiser},
    Prefix{"transformer.", kDenoiser},
    Prefix{"text_encoder_2.", "text_encoder_2"},
    Prefix{"text_encoder_3.", "text_encoder_3"},
    Prefix{"text_encoder.", "text_encoder"},
    Prefix{"lora_unet_", kDenoiser},
    Prefix{"lora_transformer_", kDenoiser},
    Prefix{"lora_te1_", "text_encoder"},
    Prefix{"lora_te2_", "text_encoder_2"},
    Prefix{"lora_te3_", "text_encoder_3"},
    Prefix{"lora_te_", "text_encoder"},
};

std::string flattened(std::string name) {
  std::ranges::replace(name, '.', '_');
  return name;
}

void replace_in(std::string& text, std::string_view what, std::string_view with) {
  if (const std::size_t at = text.find(what); at != std::string::npos) text.replace(at, what.size(), with);
}

std::optional<int> take_number(std::string_view& text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const auto used = static_cast<std::size_t>(end - text.data());
  if (error != std::errc() || value < 0 || used >= text.size() || text[used] != '_') return std::nullopt;
  text.remove_prefix(used + 1);
  return value;
}

// Original names of Stable Diffusion's UNet (single_file_names.cpp) with _ for every dot, as kohya's scripts write them
// for XL: two layers and a change of size per level. Empty for other names.
std::string today_of_original(std::string_view flat) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kResnet{
      {{"in_layers_2", "conv1"},
       {"out_layers_3", "conv2"},
       {"emb_layers_1", "time_emb_proj"},
       {"skip_connection", "conv_shortcut"},
       {"in_layers_0", "norm1"},
       {"out_layers_0", "norm2"}}};
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kOuter{
      {{"time_embed_0", "time_embedding_linear_1"},
       {"time_embed_2", "time_embedding_linear_2"},
       {"label_emb_0_0", "add_embedding_linear_1"},
       {"label_emb_0_2", "add_embedding_linear_2"},
       {"input_blocks_0_0", "conv_in"},
       {"out_2", "conv_out"}}};
  constexpr int kPeriod = 3;
  for (const auto& [old, today] : kOuter) {
    if (flat == old) return std::string(today);
  }
  const auto resnet = [&](const std::string& block, std::string_view inner) -> std::string {
    for (const auto& [old, today] : kResnet) {
      if (inner == old) return block + "_" + std::string(today);
    }
    return {};
  };
  const bool down = flat.starts_with("input_blocks_"), up = flat.starts_with("output_blocks_");
  if (flat.starts_with("middle_block_")) {
    flat.remove_prefix(std::string_view("middle_block_").size());
    const auto child = take_number(flat);
    if (!child || *child > 2) return {};
    if (*child == 1) return "mid_block_attentions_0_" + std::string(flat);
    return resnet(*child == 0 ? "mid_block_resnets_0" : "mid_block_resnets_1", flat);
  }
  if (!down && !up) return {};
  flat.remove_prefix(std::string_view(down ? "input_blocks_" : "output_blocks_").size());
  const auto count = take_number(flat);
  const auto child = count ? take_number(flat) : std::nullopt;
  if (!child || (down && *count == 0)) return {};
  const int place = *count - (down ? 1 : 0);
  const std::string level = fmt::format("{}_blocks_{}", down ? "down" : "up", place / kPeriod);
  if (down && *child == 0 && flat == "op") return level + "_downsamplers_0_conv";
  if (up && *child > 0 && flat == "conv") return level + "_upsamplers_0_conv";
  if (*child == 0) return resnet(fmt::format("{}_resnets_{}", level, place % kPeriod), flat);
  return fmt::format("{}_attentions_{}_{}", level, place % kPeriod, flat);
}

struct Place {
  std::string owner, flat;
};

Place place_of(std::string layer) {
  // Early diffusers hung the matrices on the attention's processor.
  if (layer.find(".processor.") != std::string::npos) {
    replace_in(layer, ".processor.", ".");
    if (layer.ends_with(".to_out")) layer += ".0";
  }
  for (const Prefix& p : kPrefixes) {
    if (!layer.starts_with(p.text)) continue;
    std::string flat = flattened(layer.substr(p.text.size()));
    if (p.owner == kDenoiser) {
      if (std::string today = today_of_original(flat); !today.empty()) flat = std::move(today);
    }
    return {std::string(p.owner), std::move(flat)};
  }
  return {std::string(kDenoiser), flattened(std::move(layer))};
}

// What peft writes beside the tensors: one alpha and rank for each of the pipeline's parts.
double alpha_in_metadata(const Json& metadata, const std::string& layer, const std::string& file) {
  if (!metadata.is_object()) return 0;
  for (const Prefix& p : kPrefixes) {
    if (!p.text.ends_with('.') || !layer.starts_with(p.text)) continue;
    const std::string part(p.text);
    const auto find = [&](const char* key) -> const Json* {
      const auto it = metadata.find(part + key);
      return it == metadata.end() || it->is_null() ? nullptr : &*it;
    };
    const Json* patterns = find("alpha_pattern");
    if (patterns != nullptr && !patterns->empty()) {
      fail(ErrorKind::unsupported, "{}: an alpha for each layer (alpha_pattern) is not read", file);
    }
    const Json *alpha = find("lora_alpha"), *rank = find("r"), *square = find("use_rslora");
    if (alpha == nullptr || !alpha->is_number()) return 0;
    if (square == nullptr || !square->is_boolean() || !square->get<bool>()) return alpha->get<double>();
    // Rank-stabilised: alpha / sqrt(rank).
    return rank != nullptr && rank->is_number() ? alpha->get<double>() * std::sqrt(rank->get<double>()) : 0;
  }
  return 0;
}

double scalar_of(const TensorInfo& info, const std::string& file) {
  if (info.elements() != 1 || !is_float(info.dtype())) {
    fail(ErrorKind::bad_file, "{}: '{}' is not one number", file, info.name());
  }
  double value = 0;
  convert(info.dtype(), info.data().data(), DType::f64, &value, 1);
  if (!(value > 0 && std::isfinite(value))) fail(ErrorKind::bad_file, "{}: '{}' is {}", file, info.name(), value);
  return value;
}

}  // namespace

LoraFile LoraFile::open(const std::filesystem::path& path) {
  refuse_pickle(path);
  return read(SafetensorsFile::open(path));
}

LoraFile LoraFile::parse(std::span<const std::byte> bytes, std::string name) {
  return read(SafetensorsFile::parse(bytes, std::move(name)));
}

LoraFile LoraFile::read(SafetensorsFile opened) {
  LoraFile lora;
  lora.file_ = std::make_shared<SafetensorsFile>(std::move(opened));
  const std::string& file = lora.file_->name();
  Json metadata;
  if (const auto it = lora.file_->metadata().find("lora_adapter_metadata"); it != lora.file_->metadata().end()) {
    metadata = parse_json(it->second, file + ": lora_adapter_metadata");
  }
  for (const auto& [name, info] : lora.file_->tensors()) {
    for (const OtherKind& kind : kOtherKinds) {
      if (name.find(kind.word) != std::string::npos) {
        fail(ErrorKind::unsupported, "{}: '{}' belongs to {}, which is not read; plain LoRA is", file, name, kind.what);
      }
    }
    const auto ending = std::ranges::find_if(kEndings, [&](const Ending& e) { return name.ends_with(e.text); });
    if (ending == kEndings.end()) {
      fail(ErrorKind::bad_file, "{} is no LoRA: '{}' is neither the lower nor the upper matrix of a layer", file,
           name.substr(0, 120));
    }
    const std::string layer = name.substr(0, name.size() - ending->text.size());
    Pair& pair = lora.pairs_[layer];
    switch (ending->half) {
      case Half::down: pair.down = &info; break;
      case Half::up: pair.up = &info; break;
      case Half::alpha: pair.alpha = scalar_of(info, file); break;
    }
  }
  for (auto& [layer, pair] : lora.pairs_) {
    if (pair.down == nullptr || pair.up == nullptr) {
      fail(ErrorKind::bad_file, "{}: '{}' has no {} matrix", file, layer, pair.down == nullptr ? "lower" : "upper");
    }
    Place place = place_of(layer);
    pair.owner = std::move(place.owner);
    pair.flat = std::move(place.flat);
    if (pair.alpha == 0) pair.alpha = alpha_in_metadata(metadata, layer, file);
    const auto &d = pair.down->shape, &u = pair.up->shape;
    if (d.size() < 2 || u.size() < 2 || d[0] < 1 || d[0] != u[1]) {
      fail(ErrorKind::bad_file, "{}: the matrices {} and {} of '{}' have no common rank", file, graph::to_string(d),
           graph::to_string(u), layer);
    }
  }
  if (lora.pairs_.empty()) fail(ErrorKind::bad_file, "{} is no LoRA: it holds no tensors", file);
  return lora;
}

std::vector<LoraUpdate> LoraFile::updates(std::string_view part, bool denoiser,
                                          const std::vector<std::string>& parameters) {
  static constexpr std::string_view kWeight = ".weight", kText = "text_model_";
  std::map<std::string, std::string> by_flat;
  for (const std::string& p : parameters) {
    if (!p.ends_with(kWeight)) continue;
    std::string flat = flattened(p.substr(0, p.size() - kWeight.size()));
    if (flat.starts_with(kText)) by_flat.emplace(flat.substr(kText.size()), p);  // files may leave it out
    by_flat.emplace(std::move(flat), p);
  }
  std::vector<LoraUpdate> found;
  for (auto& [layer, pair] : pairs_) {
    if (pair.owner != part && !(denoiser && pair.owner == kDenoiser)) continue;
    const auto at = by_flat.find(pair.flat);
    if (at == by_flat.end()) continue;
    pair.taken = true;
    const double rank = static_cast<double>(pair.down->shape[0]);
    found.push_back({at->second, map_tensor(*pair.down, file_), map_tensor(*pair.up, file_),
                     pair.alpha == 0 ? 1 : pair.alpha / rank});
  }
  return found;
}

std::vector<std::string> LoraFile::left() const {
  std::vector<std::string> names;
  for (const auto& [layer, pair] : pairs_) {
    if (!pair.taken) names.push_back(layer);
  }
  return names;
}

}  // namespace thimble::formats
