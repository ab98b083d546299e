// A call under a limit of memory: what each component would plan with is asked before anything is read. Prompts and
// pictures run one by one, the passes of guidance one after another, the decoder in tiles, as far as each is needed.
// What cannot fit is refused, with what it needs and what would help. Components follow one another and never stand
// side by side, so each has the whole limit to itself.
#pragma once

#include <span>

#include "diffusion/published/text_encoding.h"

namespace thimble::diffusion {

struct PublishedSettings;

// Changes the settings' batch, passes and tile; returns how many prompts run together. Without a limit or a planner
// nothing changes. bad_input, naming the component, where nothing helps.
int fit_memory(const PublishedModel& model, const PublishedPipelineOptions& options, std::size_t limit,
               std::span<const TokenizedPrompt> prompts, PublishedSettings& settings);

}  // namespace thimble::diffusion
