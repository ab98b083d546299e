#include "diffusion/published/prompt_weights.h"

#include <charconv>
#include <cstddef>
#include <optional>

namespace thimble::diffusion {
namespace {

constexpr std::size_t kNowhere = std::string_view::npos;

bool is_escape(std::string_view s, std::size_t at) {
  return s[at] == '\\' && at + 1 < s.size() && (s[at + 1] == '(' || s[at + 1] == ')');
}

// Where the bracket at each place closes; kNowhere for all that is no opening bracket, or one left open.
std::vector<std::size_t> closing_brackets(std::string_view s) {
  std::vector<std::size_t> closes(s.size(), kNowhere), open;
  for (std::size_t i = 0; i < s.size(); ++i) {
    if (is_escape(s, i)) {
      ++i;
    } else if (s[i] == '(') {
      open.push_back(i);
    } else if (s[i] == ')' && !open.empty()) {
      closes[open.back()] = i;
      open.pop_back();
    }
  }
  return closes;
}

struct Weighted {
  std::size_t colon;
  double weight;
};

// "…:1.3" between two places.
std::optional<Weighted> weight_at_end(std::string_view s, std::size_t begin, std::size_t end) {
  const std::size_t colon = s.substr(0, end).rfind(':');
  if (colon == kNowhere || colon < begin) return std::nullopt;
  std::string_view digits = s.substr(colon + 1, end - colon - 1);
  while (digits.starts_with(' ')) digits.remove_prefix(1);
  while (digits.ends_with(' ')) digits.remove_suffix(1);
  double weight = 0;
  const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), weight);
  if (error != std::errc() || stop != digits.data() + digits.size()) return std::nullopt;
  if (!(weight >= 0 && weight <= kMaxPromptWeight)) return std::nullopt;
  return Weighted{colon, weight};
}

}  // namespace

std::vector<PromptPiece> split_weighted(std::string_view s) {
  const std::vector<std::size_t> closes = closing_brackets(s);
  struct Inside {
    std::size_t colon, close;
    double outer;
  };
  std::vector<Inside> inside;
  std::vector<PromptPiece> pieces;
  double weight = 1;
  const auto put = [&](char c) {
    if (pieces.empty() || pieces.back().weight != weight) pieces.push_back({{}, weight});
    pieces.back().text.push_back(c);
  };
  for (std::size_t i = 0; i < s.size(); ++i) {
    if (!inside.empty() && i == inside.back().colon) {
      i = inside.back().close;
      weight = inside.back().outer;
      inside.pop_back();
    } else if (is_escape(s, i)) {
      put(s[++i]);
    } else if (closes[i] == kNowhere) {
      put(s[i]);
    } else if (const auto found = weight_at_end(s, i + 1, closes[i])) {
      inside.push_back({found->colon, closes[i], weight});
      weight *= found->weight;
    } else {
      put(s[i]);
    }
  }
  if (pieces.empty()) pieces.push_back({});
  return pieces;
}

}  // namespace thimble::diffusion
