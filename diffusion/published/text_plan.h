// How a published pipeline turns a prompt into what its denoiser reads: which encoders, how their tokens are framed,
// and how their outputs are joined. Not here: running them (text_encoding.h), vocabularies (tokenizers.h).
#pragma once

#include <string>
#include <vector>

#include "text/tokenizer.h"

namespace thimble::diffusion {

// One text encoder at work.
struct TextSource {
  std::string part = {}, tokenizer = {};  // names in the model's directory
  int tokens = 0;  // that the denoiser reads of it, begin and end included; 0: all the encoder takes
  text::FrameRules frame;
  // Names of the encoder's outputs: a state per token, and one vector for the text; empty where it is not read.
  std::string states = "last_hidden_state", pooled;
  bool masks_padding = false;  // the encoder attends to the prompt's tokens only
  // Sources of one group are joined along the channels; groups follow one another along the tokens, narrower ones
  // filled up with zeros to the widest. -1: the states are not read.
  int group = 0;
  int width = 0;  // channels of the states; 0 where they are not read
  int pooled_width = 0;
  // The directory has no such encoder (Stable Diffusion 3 without T5): its states are zeros.
  bool absent = false;
};

struct TextPlan {
  std::vector<TextSource> sources = {};
  bool lower = false;  // prompts are lowercased, white space around them is dropped
  bool mask = false;   // the denoiser is told which tokens are padding
  std::string instruction =
      {};  // goes before the prompt, not before the negative one; its states are dropped but the last
  bool zero_negative = false;  // without a negative prompt all states are zeros, those of an empty prompt else

  int tokens() const;        // of all groups together
  int width() const;         // of the widest group
  int pooled_width() const;  // 0: there is no pooled vector
};

// One prompt as the denoiser reads it, row-major f32.
struct TextStates {
  std::vector<float> states;  // (tokens, width)
  std::vector<float> pooled;  // (pooled_width)
  std::vector<float> mask;    // (tokens): 0 on tokens that are read, kMaskedScore on others
};

}  // namespace thimble::diffusion
