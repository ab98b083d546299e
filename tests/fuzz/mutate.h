// Mutations of one input. Blind ones (bits, chunks, splices) and ones that know how files lie: numbers in text and in
// binary are replaced by values at the edges of their types.
#pragma once

#include <string>
#include <vector>

#include "base/rng.h"

namespace thimble::fuzz {

// Applies one to eight mutations. `pool` serves splices; the result has at most `max_bytes`.
std::string mutate(std::string input, const std::vector<std::string>& pool, Rng& rng, std::size_t max_bytes);

}  // namespace thimble::fuzz
