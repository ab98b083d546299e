// What the stages of one call share, and how each of them gets its network: with LoRA files and added words, quantised
// where the call asks for it, planned before anything is packed. Not here: what the stages do (text_encoding.h,
// latent_start.h, denoising.h, decoding.h), how a call is made to fit a limit (budget.h).
#pragma once

#include <memory>
#include <optional>
#include <set>

#include "diffusion/published/network.h"
#include "diffusion/published/published_pipeline.h"
#include "models/classes.h"

namespace thimble::diffusion {

struct StageContext {
  const PublishedModel& model;
  graph::Executor& executor;
  const PublishedPipelineOptions& options;
  const CancelToken* cancel;
  PublishedResult& result;
  std::size_t max_memory = 0;  // bytes, 0: no limit
};

// Text encoders and denoisers are quantised, autoencoders never: they are convolutions. A LoRA of a quantised layer
// runs beside it (passes/lora_branch.h), others are merged. `steady`: see network.h.
std::unique_ptr<Network> open_network(StageContext& stage, const formats::DiffusersPart& part, models::Role role,
                                      const models::BuildSize& size, const std::set<std::string>& steady = {});

// What such a network would plan with; nothing where the pipeline was given no planner.
std::optional<graph::MemoryReport> plan_network(const PublishedModel& model, const PublishedPipelineOptions& options,
                                                const formats::DiffusersPart& part, models::Role role,
                                                const models::BuildSize& size,
                                                const std::set<std::string>& steady = {});

// Adds a warning when a component plans with more than the limit.
void warn_above_limit(StageContext& stage, const ComponentReport& report);

}  // namespace thimble::diffusion
