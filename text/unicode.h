// The few Unicode properties that tokenizers ask for. Not here: normalisation, full case mappings of more than one
// code point.
#pragma once

#include <cstdint>

namespace thimble::text {

bool is_letter(char32_t c);     // general category L
bool is_number(char32_t c);     // general category N
bool is_space(char32_t c);      // property White_Space
char32_t to_lower(char32_t c);  // itself when there is no lower form of one code point

}  // namespace thimble::text
