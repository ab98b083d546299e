#include "data/emoji/captions.h"

#include <array>
#include <vector>

#include "base/error.h"

namespace thimble::data {
namespace {

constexpr NamedColour kColours[] = {
    {"red", {229, 57, 53}},   {"orange", {251, 140, 0}}, {"yellow", {253, 216, 53}}, {"green", {67, 160, 71}},
    {"teal", {0, 137, 123}},  {"blue", {30, 136, 229}},  {"navy", {26, 35, 126}},    {"purple", {142, 36, 170}},
    {"pink", {240, 98, 146}}, {"brown", {109, 76, 65}},  {"grey", {158, 158, 158}},  {"black", {0, 0, 0}},
};
static_assert(std::size(kColours) == 12);

constexpr double kColouredGround = 0.3;

struct LabelParts {
  std::string head;
  std::vector<std::string> details;  // after the colon, without tones: "woman", "red hair"
};

LabelParts split_label(const std::string& label) {
  LabelParts parts;
  const auto colon = label.find(": ");
  parts.head = label.substr(0, colon);
  std::string_view rest = colon == std::string::npos ? std::string_view() : std::string_view(label).substr(colon + 2);
  while (!rest.empty()) {
    const auto comma = std::min(rest.find(", "), rest.size());
    const std::string_view detail = rest.substr(0, comma);
    if (!detail.ends_with(" skin tone")) parts.details.emplace_back(detail);
    rest.remove_prefix(std::min(comma + 2, rest.size()));
  }
  return parts;
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& w : words) out += (out.empty() ? "" : ", ") + w;
  return out;
}

std::string with_article(const std::string& noun) {
  const bool vowel = !noun.empty() && std::string_view("aeiouAEIOU").find(noun[0]) != std::string_view::npos;
  return (vowel ? "an " : "a ") + noun;
}

std::string on_background(std::string text, const NamedColour* background) {
  if (background != nullptr) text += " on " + with_article(std::string(background->name)) + " background";
  return text;
}

}  // namespace

std::span<const NamedColour> background_colours() { return kColours; }

const NamedColour* sample_background(Rng& rng) {
  if (!rng.chance(kColouredGround)) return nullptr;
  return &kColours[rng.below(std::size(kColours))];
}

std::string_view tone_word(int tone) {
  static constexpr std::array<std::string_view, 6> words = {"",       "light",       "medium-light",
                                                            "medium", "medium-dark", "dark"};
  if (tone < 0 || tone > 5) fail(ErrorKind::bad_input, "skin tone {}, 0 to 5 are known", tone);
  return words[static_cast<std::size_t>(tone)];
}

std::string base_label(const Entry& entry) {
  const LabelParts parts = split_label(entry.label);
  return parts.details.empty() ? parts.head : parts.head + ": " + joined(parts.details);
}

std::string spoken_label(const Entry& entry) {
  LabelParts parts = split_label(entry.label);
  if (parts.head == "flag" && parts.details.size() == 1) return "flag of " + parts.details[0];
  if (parts.head == "keycap" && parts.details.size() == 1) return "keycap " + parts.details[0];
  std::string with, after;
  if (entry.tone != 0) {
    with = std::string(tone_word(entry.tone));
    if (entry.second_tone != 0) with += " and " + std::string(tone_word(entry.second_tone));
    with += " skin";
  }
  for (const std::string& detail : parts.details) {
    if (detail == "bald") {
      parts.head = "bald " + parts.head;
    } else if (detail.ends_with(" hair") || detail == "beard") {
      with += (with.empty() ? "" : " and ") + (detail == "beard" ? "a beard" : detail);
    } else {
      after += ", " + detail;
    }
  }
  std::string text = entry.sex != Sex::none ? with_article(parts.head) : parts.head;
  if (!with.empty()) text += " with " + with;
  return text + after;
}

std::string caption(const Entry& entry, Rng& rng, const NamedColour* background) {
  // Drawn in a fixed order, whatever the wording, so that the stream stays in step.
  const std::uint64_t wording = rng.below(4);
  const bool spoken = rng.chance(0.5);
  const std::uint64_t first_tag = rng.below(std::max<std::size_t>(1, entry.tags.size()));
  const std::uint64_t second_step = rng.below(std::max<std::size_t>(2, entry.tags.size()) - 1) + 1;

  const std::string label = spoken ? spoken_label(entry) : entry.label;
  const std::string style(style_info(entry.style).word);
  std::string text = label;
  if (wording == 1) text = label + ", " + style + " style";
  if (wording == 2) text = with_article(style) + " emoji of " + label;
  if (wording == 3 && entry.tags.size() >= 2) {
    text = label + ": " + entry.tags[first_tag] + ", " + entry.tags[(first_tag + second_step) % entry.tags.size()];
  }
  return on_background(std::move(text), background);
}

std::string styled_caption(const Entry& entry, const NamedColour* background) {
  return on_background(spoken_label(entry) + ", " + std::string(style_info(entry.style).word) + " style", background);
}

std::string held_out_caption(const Entry& entry, int wording, const NamedColour* background) {
  const std::string label = spoken_label(entry), style(style_info(entry.style).word);
  std::string text;
  switch (wording) {
    case 0: text = "an icon showing " + label; break;
    case 1: text = label + " drawn in the " + style + " style"; break;
    case 2: text = "picture of " + label + ", " + style; break;
    case 3: text = "please draw " + label; break;
    default: fail(ErrorKind::bad_input, "held-out wording {}, 0 to {} are known", wording, kHeldOutCaptions - 1);
  }
  return on_background(std::move(text), background);
}

}  // namespace thimble::data
