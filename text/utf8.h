// UTF-8: checking, walking and writing code points. Not here: normalisation (text/sentencepiece.h has its model's own).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace thimble::text {

// Length in bytes (1 to 4) of the valid code point at `at`; 0 when there is none: a stray or missing continuation
// byte, an overlong form, a surrogate, a code point past U+10FFFF.
std::size_t utf8_length(std::string_view text, std::size_t at);

// The code point at `at` of valid UTF-8; `at` moves past it.
char32_t next_code_point(std::string_view text, std::size_t& at);

void append_utf8(std::string& out, char32_t code_point);

// Throws bad_input with the offset of the first byte that is not valid UTF-8.
void check_utf8(std::string_view text);

}  // namespace thimble::text
