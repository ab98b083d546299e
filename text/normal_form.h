// Unicode's normal form C (UAX 15): marks in their canonical order, and letters with marks composed where one code
// point stands for them. Unicode 14.0. Not here: the compatibility forms (SentencePiece models bring their own table).
#pragma once

#include <string>
#include <string_view>

namespace thimble::text {

std::string compose(std::string_view text);  // valid UTF-8 in, NFC out

}  // namespace thimble::text
