#include "diffusion/published/published_pipeline.h"

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "diffusion/published/budget.h"
#include "diffusion/published/decoding.h"
#include "diffusion/published/denoising.h"
#include "diffusion/published/trig_flow.h"

namespace thimble::diffusion {
namespace {

// The prompts of all requests, each once, and which of them each request reads.
struct Prompts {
  std::vector<PromptText> texts;
  std::vector<std::size_t> prompt, negative;  // by request; `negative` is empty when no pass reads one

  std::size_t add(PromptText text) {
    const auto it = std::ranges::find(texts, text);
    if (it != texts.end()) return static_cast<std::size_t>(it - texts.begin());
    texts.push_back(std::move(text));
    return texts.size() - 1;
  }
};

Prompts gather_prompts(const TextPlan& plan, std::span<const PublishedRequest> requests, bool negative) {
  Prompts all;
  for (const PublishedRequest& r : requests) {
    all.prompt.push_back(all.add({.text = r.prompt}));
    if (!negative) continue;
    const bool zeros = !r.negative_prompt && plan.zero_negative;
    // Without an instruction a negative prompt is read as any other.
    all.negative.push_back(
        all.add({.text = r.negative_prompt.value_or(""), .negative = !plan.instruction.empty(), .zeros = zeros}));
  }
  return all;
}

}  // namespace

PublishedResult PublishedPipeline::generate(std::span<const PublishedRequest> requests, const PublishedOptions& options,
                                            const ProgressFn& progress, const CancelToken* cancel) {
  PublishedSettings s = settle(model_, requests, options);
  PublishedResult result;
  result.width = s.width;
  result.height = s.height;
  result.steps = s.steps;
  result.guidance = s.guidance;
  result.sampler = s.scheduler.sampler;
  const int calls = make_published_sampler(s.scheduler, s.levels, s.scheduler.options, 1)->calls();

  const Prompts prompts = gather_prompts(model_.facts().text, requests, s.negative);
  std::vector<TokenizedPrompt> tokenized;
  for (const PromptText& p : prompts.texts) tokenized.push_back(tokenize_prompt(model_, p, result.warnings));

  const int together = fit_memory(model_, options_, options.max_memory, tokenized, s);
  result.batch = s.batch;
  result.passes_apart = s.passes_apart;

  for (const std::string& w : model_.adapters().warnings()) result.warnings.push_back(w);
  StageContext stage{model_, executor_, options_, cancel, result, options.max_memory};
  const std::vector<TextStates> states = encode_prompts(stage, tokenized, together);
  std::vector<PictureText> texts;
  for (std::size_t r = 0; r < requests.size(); ++r) {
    texts.push_back({&states[prompts.prompt[r]], s.negative ? &states[prompts.negative[r]] : nullptr});
  }
  const std::vector<PictureStart> starts = prepare_starts(stage, requests, s);

  const auto batch = static_cast<std::size_t>(s.batch);
  const auto batches = static_cast<std::int64_t>((requests.size() + batch - 1) / batch);
  std::int64_t done = 0;
  DenoisingWatch watch;
  if (progress) watch.on_call = [&] { progress(++done, batches * calls, {}); };
  std::optional<Previewer> previewer;
  if (options.preview) {
    previewer.emplace(stage, s);
    watch.on_estimate = [&](int run, int total, std::span<const float> clean) {
      if (run % options.preview_every == 0) options.preview(run, total, (*previewer)(clean));
    };
  }
  const auto latents = denoise(stage, s, starts, texts, watch);
  previewer.reset();
  result.images = decode_latents(stage, s, latents);
  return result;
}

}  // namespace thimble::diffusion
