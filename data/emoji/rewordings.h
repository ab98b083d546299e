// Captions said in many ways, so that a text encoder that saw only these pictures reads sentences it never saw: verbs
// and frames around the label, tags in its place, other orders, filler words and words of no meaning that must be
// ignored. Not here: the plain wordings (captions.h), whose held-out ones are never made here either.
#pragma once

#include <string>

#include "base/rng.h"
#include "data/emoji/captions.h"

namespace thimble::data {

// Drawn at random; the same state of `rng` gives the same text. `background`: also said, in one of several ways.
std::string reworded_caption(const Entry& entry, Rng& rng, const NamedColour* background = nullptr);

}  // namespace thimble::data
