#include "diffusion/published/budget.h"

#include <algorithm>

#include "base/error.h"
#include "diffusion/published/decoding.h"
#include "diffusion/published/denoising.h"
#include "diffusion/published/published_settings.h"

namespace thimble::diffusion {
namespace {

using models::BuildSize;
using models::Role;

class Budget {
 public:
  Budget(const PublishedModel& model, const PublishedPipelineOptions& options, std::size_t limit)
      : model_(model), options_(options), limit_(limit) {}

  std::size_t need(const formats::DiffusersPart& part, Role role, const BuildSize& size) const {
    return need_with(options_, part, role, size);
  }
  bool fits(const formats::DiffusersPart& part, Role role, const BuildSize& size) const {
    return need(part, role, size) <= limit_;
  }

  // Names what the least form of a component needs, and the weights with which it would do.
  [[noreturn]] void refuse(const std::string& name, const formats::DiffusersPart& part, Role role,
                           const BuildSize& least, std::string_view other_help) const {
    std::string help;
    if (role == Role::text || role == Role::denoiser) {
      for (const int bits : {8, 4}) {
        if (options_.quantize && options_.quantize->bits <= bits) continue;
        PublishedPipelineOptions fewer = options_;
        fewer.quantize = passes::QuantizeOptions{.bits = bits};
        const std::size_t bytes = need_with(fewer, part, role, least);
        if (bytes >= need(part, role, least)) continue;
        help += fmt::format("{}weights of {} bits want {}", help.empty() ? "; " : ", ", bits, human(bytes));
      }
    }
    if (!other_help.empty()) help += fmt::format("; {}", other_help);
    fail(ErrorKind::bad_input, "the {} plans with at least {}, more than the limit of {}{}", name,
         human(need(part, role, least)), human(limit_), help);
  }

 private:
  std::size_t need_with(const PublishedPipelineOptions& options, const formats::DiffusersPart& part, Role role,
                        const BuildSize& size) const {
    const std::set<std::string> steady = role == Role::denoiser ? steady_inputs() : std::set<std::string>();
    return plan_network(model_, options, part, role, size, steady)->peak_bytes();
  }
  static std::string human(std::size_t bytes) { return human_bytes(static_cast<double>(bytes)); }

  const PublishedModel& model_;
  const PublishedPipelineOptions& options_;
  std::size_t limit_;
};

int fit_text(const PublishedModel& model, const Budget& budget, std::span<const TokenizedPrompt> prompts) {
  int together = kPromptsTogether;
  const TextPlan& plan = model.facts().text;
  for (std::size_t s = 0; s < plan.sources.size(); ++s) {
    if (plan.sources[s].absent) continue;
    std::size_t longest = 0;
    int count = 0;
    for (const TokenizedPrompt& p : prompts) {
      if (p.zeros) continue;
      longest = std::max(longest, p.rows[s].ids.size());
      ++count;
    }
    if (count == 0) continue;
    const formats::DiffusersPart& part = model.part(plan.sources[s].part);
    const auto size = [&](int batch) { return BuildSize{.batch = batch, .tokens = static_cast<int>(longest)}; };
    while (!budget.fits(part, Role::text, size(std::min(together, count)))) {
      together = std::min(together, count) / 2;
      if (together == 0) budget.refuse(part.name, part, Role::text, size(1), "");
    }
  }
  return together;
}

void fit_denoiser(const PublishedModel& model, const Budget& budget, PublishedSettings& s) {
  const formats::DiffusersPart& part = model.part(model.facts().denoiser);
  const auto fits = [&] {
    return budget.fits(part, Role::denoiser, denoiser_size(model, s, static_cast<std::size_t>(s.batch)));
  };
  while (!fits()) {
    if (s.batch > 1) {
      s.batch /= 2;
    } else if (s.passes > 1 && !s.passes_apart) {
      s.passes_apart = true;
    } else {
      budget.refuse(part.name, part, Role::denoiser, denoiser_size(model, s, 1), "a smaller picture wants less");
    }
  }
}

void fit_autoencoder(const PublishedModel& model, const PublishedPipelineOptions& options, const Budget& budget,
                     std::size_t limit, PublishedSettings& s) {
  constexpr const char* kHelp = "a tiny autoencoder wants less";
  const formats::DiffusersPart& part = model.part(model.facts().autoencoder);
  s.tile = fit_tile(model, options, s, limit);
  if (s.tile.height == 0) {
    const BuildSize least{.height = std::min(kLeastTile, s.latent.height),
                          .width = std::min(kLeastTile, s.latent.width)};
    budget.refuse(part.name + " decoder", part, Role::decoder, least, kHelp);
  }
  if (!s.draws_picture && model.facts().conditioning == Conditioning::none) return;
  const BuildSize picture{.height = s.height, .width = s.width};
  if (!budget.fits(part, Role::encoder, picture)) {
    budget.refuse(part.name + " encoder", part, Role::encoder, picture, kHelp);
  }
}

}  // namespace

int fit_memory(const PublishedModel& model, const PublishedPipelineOptions& options, std::size_t limit,
               std::span<const TokenizedPrompt> prompts, PublishedSettings& settings) {
  if (limit == 0 || !options.plan) return kPromptsTogether;
  const Budget budget(model, options, limit);
  const int together = fit_text(model, budget, prompts);
  fit_denoiser(model, budget, settings);
  fit_autoencoder(model, options, budget, limit, settings);
  return together;
}

}  // namespace thimble::diffusion
