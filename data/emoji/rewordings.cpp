#include "data/emoji/rewordings.h"

#include <algorithm>
#include <cctype>
#include <string_view>
#include <vector>

namespace thimble::data {
namespace {

// Frames stand before the label. Those of held_out_caption() and of the evaluation's sentences are not among them:
// whether a model reads a frame it never saw is what these measure.
constexpr std::string_view kFrames[] = {
    "a drawing of",
    "an image of",
    "an emoji of",
    "a small icon of",
    "illustration of",
    "draw",
    "paint",
    "make",
    "make me",
    "create",
    "create an",
    "show",
    "show me",
    "give me",
    "i want",
    "i would like",
    "can you make",
    "let me see",
    "here is",
    "this is",
    "there is",
    "it is",
    "a cute",
    "a nice",
    "a little",
    "a big",
    "the",
    "a",
    "an",
    "some",
    "my",
    "a simple",
    "a clean",
    "a sticker of",
    "a symbol for",
    "the sign of",
    "a logo with",
    "artwork of",
    "clip art of",
    "a cartoon of",
    "a sketch of",
    "a render of",
    "generate",
    "design",
    "only",
    "just",
    "a single",
    "emoji:",
};
constexpr std::string_view kEndings[] = {"emoji", "icon",    "symbol", "sticker",   "thanks",        "now",
                                         "again", "to see",  "today",  "as a gift", "for my friend", "in colour",
                                         "art",   "cartoon", "design", "of course", "for a message", "if you can"};
// Single words that say nothing about the picture; each may stand anywhere.
constexpr std::string_view kFillers[] = {
    "the",  "a",    "an",   "one",     "some",    "this",   "that",   "please", "showing", "drawn",  "look",  "looking",
    "very", "so",   "just", "really",  "picture", "image",  "icon",   "emoji",  "me",      "you",    "it",    "is",
    "of",   "in",   "with", "for",     "like",    "style",  "simple", "nice",   "cute",    "pretty", "shown", "here",
    "and",  "draw", "make", "drawing", "want",    "little", "small",  "big",    "made",    "as",     "at",    "by",
};
constexpr std::string_view kSyllables[] = {"ba",  "ko", "ri",  "ta", "ne",  "lum", "sor", "vi",
                                           "dax", "mo", "pel", "zu", "gra", "ti",  "wen", "ho",
                                           "cla", "ju", "fer", "ny", "que", "xi",  "sto", "ul"};

template <std::size_t N>
std::string_view one_of(const std::string_view (&list)[N], Rng& rng) {
  return list[rng.below(N)];
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const auto space = std::min(text.find(' '), text.size());
    if (space > 0) words.emplace_back(text.substr(0, space));
    text.remove_prefix(std::min(space + 1, text.size()));
  }
  return words;
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& w : words) {
    if (!out.empty()) out += ' ';
    out += w;
  }
  return out;
}

std::string nonsense(Rng& rng) {
  std::string word;
  for (std::uint64_t n = 2 + rng.below(2); n > 0; --n) word += one_of(kSyllables, rng);
  return word;
}

// What is in the picture: the label, the label less a word, tags, or both.
std::string subject(const Entry& entry, Rng& rng) {
  const std::string label = rng.chance(0.6) ? spoken_label(entry) : entry.label;
  const double kind = rng.uniform();
  if (entry.tags.empty() || kind < 0.65) {
    std::vector<std::string> words = words_of(label);
    if (words.size() > 2 && rng.chance(0.15)) words.erase(words.begin() + static_cast<long>(rng.below(words.size())));
    return joined(words);
  }
  const std::string& tag = entry.tags[rng.below(entry.tags.size())];
  const std::string& other = entry.tags[rng.below(entry.tags.size())];
  if (kind < 0.75) return tag + " " + label;
  if (kind < 0.85) return label + " " + tag;
  return tag == other ? tag : tag + " " + other;
}

std::string with_style(std::string text, std::string_view style, Rng& rng) {
  const std::string s(style);
  switch (rng.below(10)) {
    case 0: return s + " " + text;
    case 1: return text + " " + s;
    case 2: return text + ", " + s;
    case 3: return text + " in " + s + " style";
    case 4: return s + " style " + text;
    case 5: return text + ", " + s + " version";
    case 6: return "a " + s + " " + text;
    default: return text;  // most people name no style
  }
}

std::string with_ground(std::string text, const NamedColour* ground, Rng& rng) {
  if (ground == nullptr) return text;
  const std::string name(ground->name);
  switch (rng.below(5)) {
    case 0: return text + " on " + name;
    case 1: return text + ", " + name + " background";
    case 2: return text + " with " + name + " behind it";
    case 3: return text + " in front of " + name;
    default: return text + " on a " + name + " background";
  }
}

void insert_anywhere(std::vector<std::string>& words, std::string word, Rng& rng) {
  words.insert(words.begin() + static_cast<long>(rng.below(words.size() + 1)), std::move(word));
}

}  // namespace

std::string reworded_caption(const Entry& entry, Rng& rng, const NamedColour* background) {
  std::string text = with_style(subject(entry, rng), style_info(entry.style).word, rng);
  if (rng.chance(0.6)) text = std::string(one_of(kFrames, rng)) + " " + text;
  text = with_ground(std::move(text), background, rng);
  if (rng.chance(0.15)) text += " " + std::string(one_of(kEndings, rng));
  std::vector<std::string> words = words_of(text);
  if (rng.chance(0.4)) insert_anywhere(words, std::string(one_of(kFillers, rng)), rng);
  if (rng.chance(0.2)) insert_anywhere(words, std::string(one_of(kFillers, rng)), rng);
  if (rng.chance(0.15)) insert_anywhere(words, nonsense(rng), rng);
  text = joined(words);
  if (rng.chance(0.1) && !text.empty()) text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  if (rng.chance(0.1)) text += rng.chance(0.5) ? "." : "!";
  for (int w = 0; w < kHeldOutCaptions; ++w) {
    if (text == held_out_caption(entry, w, background)) return entry.label;  // fillers may have met one
  }
  return text;
}

}  // namespace thimble::data
