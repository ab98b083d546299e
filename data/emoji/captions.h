// Texts for an entry: captions with style, tone and ground in words. Empty captions for guidance are the trainer's
// matter.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/rng.h"
#include "data/emoji/dataset.h"

namespace thimble::data {

struct NamedColour {
  std::string_view name;
  media::Rgb rgb;
};
std::span<const NamedColour> background_colours();  // twelve; white is the ground that is not spoken of

// Null (white) in 70 of 100 draws, else one of background_colours().
const NamedColour* sample_background(Rng& rng);

// "", "light", "medium-light", "medium", "medium-dark", "dark" for 0..5.
std::string_view tone_word(int tone);

// The label without its tones: "firefighter", "woman: red hair".
std::string base_label(const Entry& entry);
// As a person would say it: "a firefighter with medium-dark skin", "a bald woman", "red apple".
std::string spoken_label(const Entry& entry);

// A caption in one of the trained wordings, drawn at random. `background`: also said, "... on a blue background".
std::string caption(const Entry& entry, Rng& rng, const NamedColour* background = nullptr);

// The one of these wordings that says what, in which style and on what: "a pilot, glossy style on a blue background".
std::string styled_caption(const Entry& entry, const NamedColour* background = nullptr);

// Wordings that caption() never makes, for measuring how well a model reads new sentences. wording in
// 0..kHeldOutCaptions-1.
inline constexpr int kHeldOutCaptions = 4;
std::string held_out_caption(const Entry& entry, int wording, const NamedColour* background = nullptr);

}  // namespace thimble::data
