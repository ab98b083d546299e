// Prompts to what the denoiser reads, by the model's text plan. A token that counts w times as much (prompt_weights.h)
// has its states multiplied by w, after which all states of the prompt are scaled back to the mean they had.
// Not here: the plan itself (text_plan.h).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "diffusion/published/stage.h"

namespace thimble::diffusion {

struct PromptText {
  std::string text;
  bool negative = false;  // without the plan's instruction
  bool zeros = false;     // nothing is encoded
  bool operator==(const PromptText&) const = default;
};

// A prompt as the encoders take it.
struct TokenizedPrompt {
  struct Row {
    std::vector<std::int32_t> ids;
    std::size_t length = 0;           // before the padding
    std::vector<float> weights = {};  // by id; empty: all are 1
  };
  bool zeros = false;
  std::vector<Row> rows;  // one for each source of the plan
};

// bad_input for invalid UTF-8 and absurd lengths. `warnings` gains one line for each prompt that is cut.
TokenizedPrompt tokenize_prompt(const PublishedModel& model, const PromptText& prompt,
                                std::vector<std::string>& warnings);

constexpr int kPromptsTogether = 4;  // in one run of an encoder

// Runs one encoder after another over all prompts, `together` of them at once.
std::vector<TextStates> encode_prompts(StageContext& stage, std::span<const TokenizedPrompt> prompts,
                                       int together = kPromptsTogether);

}  // namespace thimble::diffusion
