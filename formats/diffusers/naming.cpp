#include "formats/diffusers/naming.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "base/error.h"
#include "formats/gguf/blocks.h"

namespace thimble::formats {
namespace {

using Change = StoredTensor::Change;

NameMap as_stored(const TensorMap& stored) {
  NameMap names;
  for (const auto& [name, info] : stored) add_name(names, name, {name});
  return names;
}

// Files from before diffusers 0.17 call the attention in the middle by other words.
NameMap kl_names(const TensorMap& stored) {
  static constexpr std::string_view kAttention = ".mid_block.attentions.0.";
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kOld{
      {{"query.", "to_q."}, {"key.", "to_k."}, {"value.", "to_v."}, {"proj_attn.", "to_out.0."}}};
  NameMap names;
  for (const auto& [name, info] : stored) {
    std::string today = name;
    if (const std::size_t at = name.find(kAttention); at != std::string::npos) {
      const std::size_t leaf = at + kAttention.size();
      for (const auto& [was, is] : kOld) {
        if (std::string_view(name).substr(leaf).starts_with(was)) today.replace(leaf, was.size(), is);
      }
    }
    add_name(names, today, {name});
  }
  return names;
}

NameMap clip_names(const TensorMap& stored) {
  NameMap names;
  for (const auto& [name, info] : stored) {
    if (std::string today = clip_text_name(name); !today.empty()) add_name(names, std::move(today), {name});
  }
  return names;
}

// The embedding is stored under one of two names, or under both.
NameMap t5_names(const TensorMap& stored) {
  NameMap names;
  for (const auto& [name, info] : stored) {
    if (name != "encoder.embed_tokens.weight") {
      add_name(names, name, {name});
    } else if (!stored.contains("shared.weight")) {
      add_name(names, "shared.weight", {name});
    }
  }
  return names;
}

// Files of the whole language model nest the network and may repeat the embedding as its last layer.
NameMap gemma_names(const TensorMap& stored) {
  NameMap names;
  for (const auto& [name, info] : stored) {
    if (name == "lm_head.weight" || name.ends_with(".rotary_emb.inv_freq")) continue;
    add_name(names, name.starts_with("model.") ? name.substr(6) : name, {name});
  }
  return names;
}

// The table of sines and cosines is computed, not learned.
NameMap sd3_names(const TensorMap& stored) {
  NameMap names = as_stored(stored);
  names.erase("pos_embed.pos_embed");
  return names;
}

// TAESD's author counts the layers of each side ("decoder.3.conv.0.weight" once the side is put before); the decoder's
// first one there, which squashes latents, has no number in diffusers ("decoder.layers.2.conv.0.weight").
NameMap tiny_names(const TensorMap& stored) {
  NameMap names;
  for (const auto& [name, info] : stored) {
    const bool decoder = name.starts_with("decoder.");
    const std::size_t begin = std::string_view("encoder.").size();
    int layer = 0;
    const char* const end = name.data() + name.size();
    const char* stop = nullptr;
    if (decoder || name.starts_with("encoder.")) stop = std::from_chars(name.data() + begin, end, layer).ptr;
    if (stop == nullptr || stop == name.data() + begin || stop == end || *stop != '.') {
      add_name(names, name, {name});
    } else {
      const std::string_view rest(stop, static_cast<std::size_t>(end - stop));
      add_name(names, fmt::format("{}.layers.{}{}", decoder ? "decoder" : "encoder", layer - (decoder ? 1 : 0), rest),
               {name});
    }
  }
  return names;
}

constexpr std::array kNetworks{
    NetworkNames{"AutoencoderDC", as_stored},
    NetworkNames{"AutoencoderKL", kl_names},
    NetworkNames{"AutoencoderTiny", tiny_names},
    NetworkNames{"CLIPTextModel", clip_names},
    NetworkNames{"CLIPTextModelWithProjection", clip_names},
    NetworkNames{"FluxTransformer2DModel", as_stored},
    NetworkNames{"Gemma2ForCausalLM", gemma_names},
    NetworkNames{"Gemma2Model", gemma_names},
    NetworkNames{"PixArtTransformer2DModel", as_stored},
    NetworkNames{"SD3Transformer2DModel", sd3_names},
    NetworkNames{"SanaTransformer2DModel", as_stored},
    NetworkNames{"T5EncoderModel", t5_names},
    NetworkNames{"Transformer2DModel", as_stored},
    NetworkNames{"UNet2DConditionModel", as_stored},
};

graph::Tensor transposed(const graph::Tensor& t) {
  const std::int64_t rows = t.shape()[0], columns = t.shape()[1];
  const std::size_t width = size_of(t.type().dtype);
  graph::Tensor out(graph::TensorType{t.type().dtype, {columns, rows}});
  std::byte* to = out.mutable_data();
  for (std::int64_t c = 0; c < columns; ++c) {
    for (std::int64_t r = 0; r < rows; ++r, to += width) {
      std::memcpy(to, t.data() + static_cast<std::size_t>(r * columns + c) * width, width);
    }
  }
  return out;
}

graph::Tensor changed(graph::Tensor t, const StoredTensor& from, std::string_view what) {
  graph::Shape shape = t.shape();
  const auto refuse = [&](const char* wanted) {
    fail(ErrorKind::bad_file, "{}: tensor '{}' has shape {}, {} was wanted", what, from.name,
         graph::to_string(t.shape()), wanted);
  };
  switch (from.change) {
    case Change::none: break;
    case Change::as_matrix:
      while (shape.size() > 2 && shape.back() == 1) shape.pop_back();
      return t.reshaped(std::move(shape));
    case Change::transposed:
      if (shape.size() != 2) refuse("a matrix");
      return transposed(t);
    case Change::third: {
      if (shape.empty() || shape[0] % 3 != 0) refuse("three parts one under the other");
      shape[0] /= 3;
      const graph::TensorType type{t.type().dtype, std::move(shape)};
      return graph::Tensor(type, t.owner(), t.data() + static_cast<std::size_t>(from.third) * type.bytes());
    }
  }
  return t;
}

}  // namespace

void add_name(NameMap& names, std::string name, StoredTensor from) {
  const auto [at, is_new] = names.try_emplace(std::move(name), from);
  if (!is_new) {
    fail(ErrorKind::bad_file, "tensors '{}' and '{}' both stand for '{}', one was wanted", at->second.name, from.name,
         at->first);
  }
}

const NetworkNames* find_network(std::string_view class_name) {
  const auto at = std::ranges::find(kNetworks, class_name, &NetworkNames::class_name);
  return at == kNetworks.end() ? nullptr : &*at;
}

std::string known_networks() {
  std::string list;
  for (const NetworkNames& n : kNetworks) list += (list.empty() ? "" : ", ") + std::string(n.class_name);
  return list;
}

std::string class_of_today(const std::string& class_name, const Json& config, const std::string& what) {
  if (class_name == "Gemma2ForCausalLM") return "Gemma2Model";
  if (class_name != "Transformer2DModel") return class_name;
  const std::string norm = get_string(config, "norm_type", what);
  if (norm != "ada_norm_single") {
    fail(ErrorKind::unsupported,
         "{}: a Transformer2DModel with the norm '{}' is not known; ada_norm_single, PixArt's, is", what,
         norm.substr(0, 80));
  }
  return "PixArtTransformer2DModel";
}

std::string clip_text_name(std::string_view stored) {
  if (stored.ends_with("embeddings.position_ids") || stored == "logit_scale") return {};
  for (const std::string_view inner : {"embeddings.", "encoder.", "final_layer_norm."}) {
    if (stored.starts_with(inner)) return "text_model." + std::string(stored);
  }
  return std::string(stored);
}

graph::Weights named_weights(const NameMap& names, const TensorMap& stored, const std::shared_ptr<const void>& owner,
                             DType narrow_as, std::string_view what) {
  graph::Weights weights;
  for (const auto& [name, from] : names) {
    // Files of scaled 8-bit floats would give a picture of noise: their scales are tensors beside the weights.
    if (name.ends_with(".scale_weight") || name.ends_with(".weight_scale")) {
      fail(ErrorKind::unsupported,
           "{}: '{}' says that the weights are scaled 8-bit floats, which are not read; use the "
           "f16 or bf16 file",
           what, from.name);
    }
    const TensorInfo& info = stored.at(from.name);
    weights.set(name, changed(find_block_type(info.stored_type()) != nullptr ? expand_blocks(info, narrow_as)
                                                                             : map_tensor(info, owner, narrow_as),
                              from, what));
  }
  return weights;
}

}  // namespace thimble::formats
