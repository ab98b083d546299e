#include "diffusion/published/published_model.h"

#include <array>
#include <cmath>

#include "base/error.h"
#include "diffusion/published/tokenizers.h"
#include "diffusion/published/trig_flow.h"
#include "models/dc_autoencoder.h"
#include "models/flux.h"
#include "models/kl_autoencoder.h"
#include "models/pixart.h"
#include "models/sana.h"
#include "models/sd3.h"
#include "models/tiny_autoencoder.h"
#include "models/unet.h"

namespace thimble::diffusion {
namespace {

using formats::DiffusersPart;

constexpr int kMostNative = 8192;  // pixels

double number_or(const Json& config, const char* key, double fallback) {
  const auto it = config.find(key);
  if (it == config.end() || it->is_null()) return fallback;
  if (!it->is_number()) fail(ErrorKind::bad_file, "{} is no number", key);
  return it->get<double>();
}

struct AutoencoderRow {
  std::string_view class_name;
  double scale;  // where the config has none
  void (*read)(const Json& config, PublishedFacts& facts);
};

template <auto from_json>
void read_autoencoder(const Json& config, PublishedFacts& facts) {
  const auto c = from_json(config);
  facts.compression = c.compression();
  facts.latent_channels = c.latent_channels;
}

constexpr std::array kAutoencoders{
    AutoencoderRow{"AutoencoderKL", 0.18215, read_autoencoder<models::kl_autoencoder_from_json>},
    AutoencoderRow{"AutoencoderTiny", 1, read_autoencoder<models::tiny_autoencoder_from_json>},
    AutoencoderRow{"AutoencoderDC", 1, read_autoencoder<models::dc_autoencoder_from_json>},
};

// Fills what follows from the denoiser's config; native_side in latent cells, size_step in cells.
struct DenoiserRow {
  std::string_view class_name, latent_input;
  int (*read)(const Json& config, PublishedFacts& facts);  // the channels it takes
};

int read_unet(const Json& config, PublishedFacts& facts) {
  const models::UnetConfig c = models::unet_from_json(config);
  facts.text_width = c.text_width;
  facts.size_step = 1;
  facts.guidance_width = c.guidance_width;
  if (c.guidance_width > 0) facts.guidance_kind = GuidanceKind::embedded;
  const auto side = config.find("sample_size");
  if (side != config.end() && side->is_array() && !side->empty()) {
    facts.native_side = static_cast<int>(number_or({{"sample_size", side->front()}}, "sample_size", 64));
  } else {
    facts.native_side = static_cast<int>(number_or(config, "sample_size", 64));
  }
  return c.in_channels;
}

int read_pixart(const Json& config, PublishedFacts& facts) {
  const models::PixArtConfig c = models::pixart_from_json(config);
  facts.text_width = c.caption_channels > 0 ? c.caption_channels : c.cross_attention_dim;
  facts.size_step = c.patch_size;
  facts.native_side = c.sample_size;
  return c.in_channels;
}

int read_sd3(const Json& config, PublishedFacts& facts) {
  const models::Sd3Config c = models::sd3_from_json(config);
  facts.text_width = c.text_channels;
  facts.size_step = c.patch_size;
  facts.native_side = c.sample_size;
  return c.in_channels;
}

int read_sana(const Json& config, PublishedFacts& facts) {
  const models::SanaConfig c = models::sana_from_json(config);
  facts.text_width = c.caption_channels;
  facts.size_step = c.patch_size;
  facts.native_side = c.sample_size;
  facts.time_factor = c.timestep_scale;
  if (c.guidance_embeds) facts.guidance_kind = GuidanceKind::embedded;
  facts.guidance_factor = c.guidance_scale;
  return c.in_channels;
}

// Its native side is the pipeline's, not in the config; so is the guidance of the models without an input for it, which
// are distilled to a few steps.
int read_flux(const Json& config, PublishedFacts& facts) {
  const models::FluxConfig c = models::flux_from_json(config);
  facts.text_width = c.text_channels;
  facts.packed = true;
  facts.size_step = 2;
  facts.native_side = 128;
  facts.time_factor = 1e-3;
  facts.own_levels = true;
  facts.guidance_kind = c.guidance_embeds ? GuidanceKind::embedded : GuidanceKind::none;
  return c.in_channels / 4;
}

constexpr std::array kDenoisers{
    DenoiserRow{"UNet2DConditionModel", "sample", read_unet},
    DenoiserRow{"PixArtTransformer2DModel", "hidden_states", read_pixart},
    DenoiserRow{"SD3Transformer2DModel", "hidden_states", read_sd3},
    DenoiserRow{"SanaTransformer2DModel", "hidden_states", read_sana},
    DenoiserRow{"FluxTransformer2DModel", "hidden_states", read_flux},
};

template <class Rows>
const auto& row_of(const Rows& rows, const DiffusersPart& part) {
  std::string known;
  for (const auto& row : rows) {
    if (row.class_name == part.class_name) return row;
    known += (known.empty() ? "" : ", ") + std::string(row.class_name);
  }
  fail(ErrorKind::unsupported, "{}: there is nothing for the class '{}' here; there are {}", part.name, part.class_name,
       known);
}

void read_latents(const DiffusersPart& part, PublishedFacts& facts) {
  const AutoencoderRow& row = row_of(kAutoencoders, part);
  for (const auto key : {"latents_mean", "latents_std"}) {
    if (part.config.contains(key) && !part.config[key].is_null()) {
      fail(ErrorKind::unsupported, "{}: latents scaled by channel ({}) are not supported", part.name, key);
    }
  }
  facts.autoencoder = "vae";
  facts.autoencoder_class = part.class_name;
  row.read(part.config, facts);
  facts.latent_scale = number_or(part.config, "scaling_factor", row.scale);
  facts.latent_shift = number_or(part.config, "shift_factor", 0);
  if (!(facts.latent_scale > 0 && std::isfinite(facts.latent_scale))) {
    fail(ErrorKind::bad_file, "{}: scaling_factor is {}", part.name, facts.latent_scale);
  }
}

Conditioning conditioning_of(int taken, int latent_channels, const DiffusersPart& part) {
  const int more = taken - latent_channels;
  if (more == 0) return Conditioning::none;
  if (more == latent_channels) return Conditioning::image;
  if (more == latent_channels + 1) return Conditioning::mask_and_image;
  fail(ErrorKind::unsupported,
       "{}: it takes {} channels, the autoencoder's latents have {}; nothing is known to fill {}", part.name, taken,
       latent_channels, more);
}

// Sampler names and the scheduler classes they are published under.
struct Exchange {
  std::string_view sampler, class_name, flow_class;
};
constexpr std::array kExchanges{
    Exchange{"ddim", "DDIMScheduler", ""},
    Exchange{"pndm", "PNDMScheduler", ""},
    Exchange{"euler", "EulerDiscreteScheduler", "FlowMatchEulerDiscreteScheduler"},
    Exchange{"euler_ancestral", "EulerAncestralDiscreteScheduler", ""},
    Exchange{"dpmpp", "DPMSolverMultistepScheduler", "DPMSolverMultistepScheduler"},
    Exchange{"lcm", "LCMScheduler", ""},
};

std::string_view class_for(const std::string& sampler, bool flow) {
  std::string known;
  for (const Exchange& e : kExchanges) {
    const std::string_view name = flow ? e.flow_class : e.class_name;
    if (name.empty()) continue;
    if (e.sampler == sampler) return name;
    known += (known.empty() ? "" : ", ") + std::string(e.sampler);
  }
  fail(ErrorKind::bad_input, "sampler '{}' does not serve this model; {} do", sampler, known);
}

// FLUX.1-dev shifts more the more tokens a picture has; the exponential form is a shift by e^mu.
void settle_dynamic_shift(Json& config, double tokens) {
  if (!config.value("use_dynamic_shifting", Json(false)).is_boolean() ||
      !config.value("use_dynamic_shifting", Json(false)).get<bool>()) {
    return;
  }
  if (config.value("time_shift_type", Json("exponential")) != "exponential") {
    fail(ErrorKind::unsupported, "scheduler config: a linear dynamic shift is not there");
  }
  const double few = number_or(config, "base_image_seq_len", 256), many = number_or(config, "max_image_seq_len", 4096);
  const double least = number_or(config, "base_shift", 0.5), most = number_or(config, "max_shift", 1.15);
  if (!(many > few)) fail(ErrorKind::bad_file, "scheduler config: max_image_seq_len is not above base_image_seq_len");
  config["shift"] = std::exp(least + (most - least) / (many - few) * (tokens - few));
  config["use_dynamic_shifting"] = false;
}

}  // namespace

PublishedModel PublishedModel::open(const std::filesystem::path& path, const PublishedModelOptions& options) {
  return with_context(fmt::format("while opening the model {}", path.string()), [&] {
    PublishedModel m;
    m.files_ = formats::DiffusersModel::open(path, options.variant);
    if (!options.autoencoder.empty()) m.other_autoencoder_ = formats::open_diffusers_part(options.autoencoder);
    PublishedFacts& f = m.facts_;
    const PipelineClass& pipeline = pipeline_class(m.files_.pipeline_class);
    f.pipeline_class = pipeline.name;
    f.steps = pipeline.steps;
    f.guidance = pipeline.guidance;
    f.strength = pipeline.strength;
    read_latents(m.files_.part("vae"), f);
    if (m.other_autoencoder_) {
      const int channels = f.latent_channels, compression = f.compression;
      read_latents(*m.other_autoencoder_, f);
      if (f.latent_channels != channels || f.compression != compression) {
        fail(ErrorKind::bad_input, "the autoencoder {} has {} channels at 1/{}, the model's has {} at 1/{}",
             options.autoencoder.string(), f.latent_channels, f.compression, channels, compression);
      }
    }
    if (!options.preview_autoencoder.empty()) {
      formats::DiffusersPart part = formats::open_diffusers_part(options.preview_autoencoder);
      PublishedFacts preview = f;
      read_latents(part, preview);
      m.preview_ = {std::move(part), preview.latent_scale, preview.latent_shift, preview.compression};
      if (preview.latent_channels != f.latent_channels) {
        fail(ErrorKind::bad_input, "the preview autoencoder {} has {} channels, the model's has {}",
             options.preview_autoencoder.string(), preview.latent_channels, f.latent_channels);
      }
    }
    f.denoiser = pipeline.denoiser;
    const DiffusersPart& denoiser = m.files_.part(f.denoiser);
    const DenoiserRow& row = row_of(kDenoisers, denoiser);
    f.denoiser_class = denoiser.class_name;
    f.latent_input = row.latent_input;
    f.conditioning = conditioning_of(row.read(denoiser.config, f), f.latent_channels, denoiser);
    if (f.conditioning == Conditioning::image) f.guidance_kind = GuidanceKind::two_conditions;
    if (f.guidance_kind == GuidanceKind::none) {
      f.steps = 4;
      f.guidance = 0;
    }
    f.size_step *= f.compression;
    f.native_side *= f.compression;
    if (f.native_side < f.size_step || f.native_side > kMostNative) {
      fail(ErrorKind::bad_file, "{}: pictures of {} pixels a side are absurd", denoiser.name, f.native_side);
    }
    f.native_side -= f.native_side % f.size_step;
    f.text = pipeline.text(f);
    complete_text_plan(m.files_, f, f.text);
    m.open_tokenizers(options);
    m.adapters_ = Adapters(m.files_, f.denoiser, options.loras, options.embeddings);
    // The original tells the network the level itself, without the config's scale.
    if (m.scheduler({}, f.native_side, f.native_side).sampler == kTrigFlow) f.time_factor = 1;
    return m;
  });
}

void PublishedModel::open_tokenizers(const PublishedModelOptions& options) {
  for (TextSource& s : facts_.text.sources) {
    if (s.absent) continue;
    const auto own = options.tokenizers.find(s.tokenizer);
    if (own != options.tokenizers.end()) {
      tokenizers_[s.tokenizer] = open_tokenizer(own->second);
      continue;
    }
    const formats::TokenizerFiles* files = nullptr;
    for (const formats::TokenizerFiles& t : files_.tokenizers) {
      const bool empty = t.merges.empty() && t.sentencepiece.empty() && t.vocab.empty() && t.tokenizer_json.empty();
      if (t.name == s.tokenizer && !empty) files = &t;
    }
    if (files == nullptr) {
      fail(ErrorKind::bad_input, "the model has no {}; name a folder or file of its vocabulary", s.tokenizer);
    }
    tokenizers_[s.tokenizer] = open_tokenizer(*files);
    const std::int32_t pad = padding_of(*files, *tokenizers_[s.tokenizer]);
    if (pad >= 0) s.frame.pad = pad;
  }
}

const DiffusersPart& PublishedModel::part(std::string_view name) const {
  return other_autoencoder_ && name == facts_.autoencoder ? *other_autoencoder_ : files_.part(name);
}

NetworkWeights PublishedModel::weights_of(const DiffusersPart& part, const std::set<std::string>& apart) const {
  return {part.name, adapters_.applied(part.name, part.weights(), apart), [&part] { part.release_pages(); }};
}

const text::Tokenizer& PublishedModel::tokenizer(std::string_view name) const {
  const auto it = tokenizers_.find(name);
  check(it != tokenizers_.end(), "a tokenizer of the text plan");
  return *it->second;
}

PublishedScheduler PublishedModel::scheduler(const std::optional<std::string>& sampler, int width, int height) const {
  if (files_.scheduler_class == "SCMScheduler") {
    if (sampler && *sampler != kTrigFlow) {
      fail(ErrorKind::bad_input, "sampler '{}' does not serve this model; {} does", *sampler, kTrigFlow);
    }
    return trig_flow_from_json(files_.scheduler);
  }
  Json config = files_.scheduler;
  const double cells = static_cast<double>(width / facts_.compression) * (height / facts_.compression);
  settle_dynamic_shift(config, facts_.packed ? cells / 4 : cells);
  PublishedScheduler made = scheduler_from_json(config, files_.scheduler_class);
  if (sampler && *sampler != made.sampler) {
    const bool flow = made.options.prediction == Prediction::flow;
    if (flow) {
      config["use_flow_sigmas"] = true;
      config["prediction_type"] = "flow_prediction";
      config["shift"] = config["flow_shift"] = made.schedule.shift;
    }
    made = scheduler_from_json(config, class_for(*sampler, flow));
  }
  if (facts_.own_levels && made.schedule.grid == Grid::flow_match) made.schedule.grid = Grid::thimble;
  return made;
}

}  // namespace thimble::diffusion
