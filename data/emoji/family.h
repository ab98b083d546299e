// Families of concepts and the split made from them. A family joins all pictures of one role or object whatever tone,
// sex or direction, so that no near-copy of a test picture is ever trained on.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "data/emoji/dataset.h"

namespace thimble::data {

// Skin tone signs, the sex sign, the joiner and the facing-right sign are dropped; man, woman and person count as one,
// and so do the single signs that stand for a couple or a sex ("princess") and the joined forms of the same.
std::string family_of(std::string_view code_point);
Sex sex_of(std::string_view code_point);
std::vector<std::string> parts_of(std::string_view code_point);  // split at '-'

// In [0, 1), from SHA-256 of the text: the same on every machine.
double hash_fraction(std::string_view text);

// Families: 5 % validation, 5 % test. Of the rest, 3 % of (family, tone) and 2 % of (style, untoned concept) are
// `combination`; the first in every style.
Split split_of(const Entry& entry);

// What needs all entries at once: a role that exists as man and as woman is `person` where no sex is said; then splits.
void complete(std::vector<Entry>& entries);

}  // namespace thimble::data
