// Words of a prompt that count more or less: "(word:1.3)". Not here: what a weight does to an encoder's states
// (text_encoding.cpp).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace thimble::diffusion {

inline constexpr double kMaxPromptWeight = 10;

struct PromptPiece {
  std::string text;
  double weight = 1;
  bool operator==(const PromptPiece&) const = default;
};

// "(text:w)" with 0 <= w <= kMaxPromptWeight; weights of brackets inside brackets multiply. Other brackets are text,
// and so are "\(" and "\)", without the backslash. At least one piece, none of them empty unless the prompt is.
std::vector<PromptPiece> split_weighted(std::string_view prompt);

}  // namespace thimble::diffusion
