// The table of pipeline classes, and what each does with a prompt.
#include <algorithm>
#include <array>

#include "base/error.h"
#include "diffusion/published/published_model.h"
#include "models/clip_text.h"
#include "models/gemma_text.h"
#include "models/t5_text.h"

namespace thimble::diffusion {
namespace {

TextSource clip(std::string part, std::string tokenizer) {
  TextSource s;
  s.part = std::move(part);
  s.tokenizer = std::move(tokenizer);
  return s;
}

TextSource t5(std::string part, std::string tokenizer, int tokens) {
  TextSource s = clip(std::move(part), std::move(tokenizer));
  s.tokens = tokens;
  return s;
}

TextPlan one_clip(const PublishedFacts&) { return {.sources = {clip("text_encoder", "tokenizer")}}; }

// Both read what the last layer reads; the second also gives the vector, and pads with another token.
TextPlan two_clips(const PublishedFacts&) {
  TextPlan plan{.sources = {clip("text_encoder", "tokenizer"), clip("text_encoder_2", "tokenizer_2")}};
  for (TextSource& s : plan.sources) s.states = "penultimate";
  plan.sources[1].pooled = "pooled";
  plan.sources[1].frame.pad = 0;
  return plan;
}

TextPlan xl(const PublishedFacts& facts) {
  TextPlan plan = two_clips(facts);
  plan.zero_negative = true;
  return plan;
}

TextPlan two_clips_and_t5(const PublishedFacts& facts) {
  TextPlan plan = two_clips(facts);
  plan.sources[0].pooled = "pooled";
  plan.sources.push_back(t5("text_encoder_3", "tokenizer_3", 256));
  plan.sources.back().group = 1;
  return plan;
}

TextPlan pooled_clip_and_t5(const PublishedFacts& facts) {
  TextPlan plan{
      .sources = {clip("text_encoder", "tokenizer"),
                  t5("text_encoder_2", "tokenizer_2", facts.guidance_kind == GuidanceKind::embedded ? 512 : 256)}};
  plan.sources[0].states.clear();
  plan.sources[0].pooled = "pooled";
  plan.sources[0].group = -1;
  return plan;
}

TextPlan masked_t5(const PublishedFacts&) {
  TextPlan plan{.sources = {t5("text_encoder", "tokenizer", 300)}, .lower = true, .mask = true};
  plan.sources[0].masks_padding = true;
  return plan;
}

// What Sana's encoder, a language model, is told to make of the prompt.
constexpr const char* kInstruction =
    "Given a user prompt, generate an 'Enhanced prompt' that provides detailed visual descriptions suitable for image "
    "generation. Evaluate the level of detail in the user prompt:\n"
    "- If the prompt is simple, focus on adding specifics about colors, shapes, sizes, textures, and spatial "
    "relationships to create vivid and concrete scenes.\n"
    "- If the prompt is already detailed, refine and enhance the existing details slightly without overcomplicating.\n"
    "Here are examples of how to transform or refine prompts:\n"
    "- User Prompt: A cat sleeping -> Enhanced: A small, fluffy white cat curled up in a round shape, sleeping "
    "peacefully on a warm sunny windowsill, surrounded by pots of blooming red flowers.\n"
    "- User Prompt: A busy city street -> Enhanced: A bustling city street scene at dusk, featuring glowing street "
    "lamps, a diverse crowd of people in colorful clothing, and a double-decker bus passing by towering glass "
    "skyscrapers.\n"
    "Please generate only the enhanced description for the prompt below and avoid including any additional commentary "
    "or "
    "evaluations:\n"
    "User Prompt: ";

TextPlan instructed_gemma(const PublishedFacts& facts) {
  TextPlan plan = masked_t5(facts);
  plan.sources[0].frame.end = false;
  plan.instruction = kInstruction;
  return plan;
}

// New pipelines: one row.
constexpr std::array kClasses{
    PipelineClass{"StableDiffusionPipeline", "unet", 50, 7.5, 0.8, one_clip},
    PipelineClass{"StableDiffusionInpaintPipeline", "unet", 50, 7.5, 1.0, one_clip},
    PipelineClass{"StableDiffusionInstructPix2PixPipeline", "unet", 100, 7.5, 1.0, one_clip},
    PipelineClass{"LatentConsistencyModelPipeline", "unet", 4, 8.5, 0.8, one_clip},
    PipelineClass{"StableDiffusionXLPipeline", "unet", 50, 5.0, 0.3, xl},
    PipelineClass{"PixArtSigmaPipeline", "transformer", 20, 4.5, 0.8, masked_t5},
    PipelineClass{"StableDiffusion3Pipeline", "transformer", 28, 7.0, 0.6, two_clips_and_t5},
    PipelineClass{"SanaPipeline", "transformer", 20, 4.5, 0.6, instructed_gemma},
    PipelineClass{"SanaSprintPipeline", "transformer", 2, 4.5, 0.6, instructed_gemma},
    PipelineClass{"FluxPipeline", "transformer", 28, 3.5, 0.6, pooled_clip_and_t5},
};

struct Widths {
  int states, pooled, longest;
};

Widths widths_of(const formats::DiffusersPart& part) {
  if (part.class_name.starts_with("CLIPTextModel")) {
    const auto c = models::clip_text_from_json(part.config);
    const bool projects = part.class_name == "CLIPTextModelWithProjection";
    return {c.hidden_size, projects ? c.projection_dim : c.hidden_size, c.max_position_embeddings};
  }
  if (part.class_name == "T5EncoderModel") return {models::t5_text_from_json(part.config).d_model, 0, 0};
  if (part.class_name == "Gemma2Model") return {models::gemma_text_from_json(part.config).hidden_size, 0, 0};
  fail(ErrorKind::unsupported, "{}: there is no text encoder for the class '{}'", part.name, part.class_name);
}

}  // namespace

const PipelineClass& pipeline_class(std::string_view name) {
  std::string known;
  for (const PipelineClass& c : kClasses) {
    if (c.name == name) return c;
    known += (known.empty() ? "" : ", ") + std::string(c.name);
  }
  fail(ErrorKind::unsupported, "there is no pipeline for the class '{}'; there are {}", name, known);
}

void complete_text_plan(const formats::DiffusersModel& files, const PublishedFacts& facts, TextPlan& plan) {
  for (TextSource& s : plan.sources) {
    const bool last_group = s.group > 0;
    if (files.find(s.part) == nullptr && last_group) {
      s.absent = true;
      s.width = facts.text_width;
      continue;
    }
    const Widths w = widths_of(files.part(s.part));
    s.width = s.group >= 0 ? w.states : 0;
    s.pooled_width = s.pooled.empty() ? 0 : w.pooled;
    if (s.tokens == 0) s.tokens = w.longest;
    if (s.tokens == 0 || (!s.pooled.empty() && w.pooled == 0)) {
      fail(ErrorKind::unsupported, "{}: a {} does not serve a {}", s.part, files.part(s.part).class_name,
           facts.pipeline_class);
    }
  }
  if (plan.zero_negative) {
    const auto it = files.settings.find("force_zeros_for_empty_prompt");
    plan.zero_negative = it == files.settings.end() || !it->is_boolean() || it->get<bool>();
  }
  if (plan.width() != facts.text_width) {
    fail(ErrorKind::bad_file, "the denoiser reads text of {} channels, its text encoders give {}", facts.text_width,
         plan.width());
  }
}

namespace {

// f(tokens, width) of each group.
template <class F>
void for_each_group(const TextPlan& plan, F&& f) {
  int groups = 0;
  for (const TextSource& s : plan.sources) groups = std::max(groups, s.group + 1);
  for (int g = 0; g < groups; ++g) {
    int tokens = 0, width = 0;
    for (const TextSource& s : plan.sources) {
      if (s.group != g) continue;
      tokens = s.tokens;
      width += s.width;
    }
    f(tokens, width);
  }
}

}  // namespace

int TextPlan::tokens() const {
  int sum = 0;
  for_each_group(*this, [&](int tokens, int) { sum += tokens; });
  return sum;
}

int TextPlan::width() const {
  int widest = 0;
  for_each_group(*this, [&](int, int width) { widest = std::max(widest, width); });
  return widest;
}

int TextPlan::pooled_width() const {
  int sum = 0;
  for (const TextSource& s : sources) sum += s.pooled_width;
  return sum;
}

}  // namespace thimble::diffusion
