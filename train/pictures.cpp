#include "train/pictures.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "base/error.h"

namespace thimble::train {
namespace {

// Premultiplied, [0, 1].
std::array<float, 4> pixel(const media::Image& image, int x, int y) {
  if (x < 0 || y < 0 || x >= image.width || y >= image.height) return {0, 0, 0, 0};
  const std::uint8_t* p = image.at(x, y);
  const float a = static_cast<float>(p[3]) * (1.0f / 255), f = a * (1.0f / 255);
  return {static_cast<float>(p[0]) * f, static_cast<float>(p[1]) * f, static_cast<float>(p[2]) * f, a};
}

std::array<float, 4> blend(const std::array<float, 4>& a, const std::array<float, 4>& b, float t) {
  return {a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1]), a[2] + t * (b[2] - a[2]), a[3] + t * (b[3] - a[3])};
}

// A code point without its skin tones, so that all tones of a concept count as one.
std::string without_tones(const std::string& code_point) {
  std::string out;
  for (std::size_t at = 0; at < code_point.size();) {
    const std::size_t end = std::min(code_point.find('-', at), code_point.size());
    const std::string part = code_point.substr(at, end - at);
    const bool tone = part.size() == 5 && part >= "1f3fb" && part <= "1f3ff";
    if (!tone) out += (out.empty() ? "" : "-") + part;
    at = end + 1;
  }
  return out;
}

}  // namespace

void sample_window(const media::Image& rgba, const Window& w, const media::Rgb* background, std::span<float> out) {
  check(rgba.channels == 4, "sample_window takes RGBA");
  check(out.size() == static_cast<std::size_t>(w.side) * w.side * 4, "sample_window: room for the window");
  const bool plain = w.scale == 1 && w.x == std::floor(w.x) && w.y == std::floor(w.y);
  const std::array<float, 3> ground =
      background ? std::array<float, 3>{background->r / 255.0f, background->g / 255.0f, background->b / 255.0f}
                 : std::array<float, 3>{0, 0, 0};
  float* o = out.data();
  for (int i = 0; i < w.side; ++i) {
    const double y = w.y + i * w.scale;
    const int y0 = static_cast<int>(std::floor(y));
    const float fy = static_cast<float>(y - y0);
    for (int j = 0; j < w.side; ++j, o += 4) {
      const double x = w.x + j * w.scale;
      const int x0 = static_cast<int>(std::floor(x));
      std::array<float, 4> p = pixel(rgba, x0, y0);
      if (!plain) {
        const float fx = static_cast<float>(x - x0);
        const auto top = blend(p, pixel(rgba, x0 + 1, y0), fx);
        const auto bottom = blend(pixel(rgba, x0, y0 + 1), pixel(rgba, x0 + 1, y0 + 1), fx);
        p = blend(top, bottom, fy);
      }
      const float hidden = background ? 1 - p[3] : 0;
      for (int c = 0; c < 3; ++c) o[c] = 2 * (p[c] + hidden * ground[c]) - 1;
      o[3] = background ? 1 : 2 * p[3] - 1;
    }
  }
}

media::Image to_image(std::span<const float> values, int side) {
  media::Image image(side, side, 4);
  check(values.size() == image.pixels.size(), "to_image: four values a pixel");
  const auto byte = [](float v) { return static_cast<std::uint8_t>(std::lround(std::clamp(v, 0.0f, 1.0f) * 255)); };
  for (std::size_t i = 0; i < values.size(); i += 4) {
    const float a = std::clamp(0.5f * (values[i + 3] + 1), 0.0f, 1.0f);
    image.pixels[i + 3] = byte(a);
    for (std::size_t c = 0; c < 3; ++c) {
      image.pixels[i + c] = image.pixels[i + 3] == 0 ? std::uint8_t{0} : byte(0.5f * (values[i + c] + 1) / a);
    }
  }
  return image;
}

Sampler::Sampler(const std::vector<data::Entry>& entries, data::Split split) {
  std::map<data::Style, std::map<std::string, std::vector<int>>> styles;
  for (const data::Entry& e : entries) {
    if (e.split != split) continue;
    styles[e.style][without_tones(e.code_point)].push_back(e.id);
    ids_.push_back(e.id);
  }
  if (ids_.empty())
    fail(ErrorKind::bad_input, "the data set has no pictures in the split '{}'", data::to_string(split));
  for (const auto& [style, concepts] : styles) {
    Group group;
    double total = 0;
    for (const auto& [code_point, ids] : concepts) {
      for (const int id : ids) {
        group.ids.push_back(id);
        group.cumulative.push_back(total += 1 / static_cast<double>(ids.size()));
      }
    }
    styles_.push_back(std::move(group));
  }
}

int Sampler::draw(Rng& rng) const {
  const Group& group = styles_[rng.below(styles_.size())];
  const double at = rng.uniform() * group.cumulative.back();
  const auto found = std::upper_bound(group.cumulative.begin(), group.cumulative.end(), at);
  return group
      .ids[std::min<std::size_t>(static_cast<std::size_t>(found - group.cumulative.begin()), group.ids.size() - 1)];
}

std::vector<int> fixed_choice(const std::vector<data::Entry>& entries, data::Split split, int count) {
  const Sampler sampler(entries, split);
  Rng rng(20260101, 7);
  std::vector<int> chosen;
  for (int tries = 0; tries < 50 * count && static_cast<int>(chosen.size()) < count; ++tries) {
    const int id = sampler.draw(rng);
    if (std::find(chosen.begin(), chosen.end(), id) == chosen.end()) chosen.push_back(id);
  }
  return chosen;
}

}  // namespace thimble::train
