// Paths: the geometry of images along the axes, and batches of them through the kernels.
#include "dsp/room/paths.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numbers>

namespace thimble::dsp::room {
namespace {

static_assert(kTaps == kTapsOfDelay && kTaps == 2 * kResponseLead);

// The sinc at 20 points a sample, joined by straight lines. The points' places add up in f32: that drift of 4e-4
// samples is what makes responses agree with pyroomacoustics.
std::unique_ptr<const DelayTable> make_delay_table() {
  constexpr int kStep = kPhases - 1;
  std::vector<double> sinc(static_cast<std::size_t>((kTaps + 3) * kStep));
  float at = -static_cast<float>(kTaps / 2 + 1);
  for (double& v : sinc) {
    const float x = std::numbers::pi_v<float> * at;
    v = at == 0 ? 1.0 : std::sin(static_cast<double>(x)) / x;
    at += 1.0f / kStep;
  }
  auto table = std::make_unique<DelayTable>();
  for (int p = 0; p < kPhases; ++p) {
    for (int k = 0; k < kTaps; ++k) {
      const double window = 0.5 - 0.5 * std::cos(2 * std::numbers::pi * k / kTaps);
      const auto i = static_cast<std::size_t>(k * kStep + p);
      table->value[p][k] = static_cast<float>(window * sinc[i]);
      table->step[p][k] = static_cast<float>(window * (sinc[i + 1] - sinc[i]));
    }
  }
  return table;
}

const DelayTable& delay_table() {
  static const auto table = make_delay_table();
  return *table;
}

// Products of reflections along one axis; `low` and `high` are the walls' amplitudes by band.
std::vector<float> axis_gains(const std::vector<float>& low, const std::vector<float>& high, int order) {
  const int count = 2 * order + 1;
  std::vector<float> out(low.size() * static_cast<std::size_t>(count));
  std::vector<float> low_powers(static_cast<std::size_t>(order) + 2, 1.0f), high_powers = low_powers;
  for (std::size_t b = 0; b < low.size(); ++b) {
    for (std::size_t i = 1; i < low_powers.size(); ++i) {
      low_powers[i] = low_powers[i - 1] * low[b];
      high_powers[i] = high_powers[i - 1] * high[b];
    }
    for (int i = -order; i <= order; ++i) {
      // Walls take turns; the last one is on the image's side.
      const auto more = static_cast<std::size_t>((std::abs(i) + 1) / 2),
                 less = static_cast<std::size_t>(std::abs(i) / 2);
      out[b * static_cast<std::size_t>(count) + static_cast<std::size_t>(i + order)] =
          low_powers[i < 0 ? more : less] * high_powers[i < 0 ? less : more];
    }
  }
  return out;
}

// A tabled pattern by angle and band, finely enough for straight lines between.
std::vector<float> pattern_rows(const Directivity& pattern, const BandGrid& grid) {
  std::vector<float> rows;
  rows.reserve(static_cast<std::size_t>(kPatternRows) * grid.size());
  for (int i = 0; i < kPatternRows; ++i) {
    const double angle = static_cast<double>(i) / kAnglesPerDegree;
    for (std::size_t b = 0; b < grid.size(); ++b) {
      const double db = pattern.pattern_table()->band_gain_db(angle, grid.low(b), grid.centres()[b], grid.high(b));
      rows.push_back(static_cast<float>(std::pow(10, db / 20)));
    }
  }
  return rows;
}

Vec3 unit(Vec3 v) { return v * (1 / norm(v)); }

}  // namespace

Medium::Medium(const Shoebox& room, const BandGrid& grid, bool by_band, int order)
    : bands(by_band ? static_cast<int>(grid.size()) : 1) {
  const auto spread = [&](const std::vector<double>& v) {
    return by_band ? grid.spread(v) : std::vector<double>{v.front()};
  };
  std::array<std::vector<float>, 6> reflection;
  for (std::size_t w = 0; w < 6; ++w) {
    for (const double a : spread(room.walls[w])) reflection[w].push_back(std::sqrt(1 - static_cast<float>(a)));
  }
  for (std::size_t axis = 0; axis < 3; ++axis)
    gains[axis] = axis_gains(reflection[2 * axis], reflection[2 * axis + 1], order);
  if (room.air.empty()) return;
  for (const double m : spread(room.air)) half_air.push_back(static_cast<float>(m / 2));
}

PatternGains PatternSet::of(const Directivity& pattern) {
  if (pattern.is_flat()) return {pattern.p(), nullptr};
  auto& rows = rows_[pattern.pattern_table()];
  if (rows.empty()) rows = pattern_rows(pattern, grid_);
  return {1, rows.data()};
}

Paths::Paths(const std::array<AxisPlaces, 3>& axes, const Source& source, const Microphone& microphone,
             PatternSet& patterns)
    : order(axes[0].order),
      source_pattern(patterns.of(source.pattern)),
      microphone_pattern(patterns.of(microphone.pattern)),
      omni_source(source.pattern.is_omni()),
      omni_microphone(microphone.pattern.is_omni()) {
  const Vec3 at = microphone.position, to = unit(source.facing), hears = unit(microphone.facing);
  const double place[3] = {at.x, at.y, at.z}, facing[3] = {to.x, to.y, to.z},
               listening[3] = {hears.x, hears.y, hears.z};
  for (std::size_t a = 0; a < 3; ++a) {
    for (int i = -order; i <= order; ++i) {
      const double way = place[a] - axes[a].at(i);
      square[a].push_back(way * way);
      source_along[a].push_back((i % 2 ? -way : way) * facing[a]);  // an odd image is mirrored along this axis
      microphone_along[a].push_back(-way * listening[a]);
    }
  }
}

PathSum::PathSum(const Shoebox& room, const Medium& medium, int rate)
    : medium_(medium), kernels_(image_kernels(best_isa())), table_(delay_table()), column_(room.size.x) {
  model_.bands = medium.bands;
  model_.speed = room.sound_speed;
  model_.lead = kResponseLead / static_cast<double>(rate);
  model_.rate = static_cast<float>(rate);
  model_.air = medium.half_air.empty() ? nullptr : medium.half_air.data();
}

void PathSum::run(const Paths& paths, const ResponseSize& size, int chunk, int chunks, float* out,
                  Batch& batch) const noexcept {
  PathModel model = model_;
  model.source = paths.omni_source ? nullptr : &paths.source_pattern;
  model.microphone = paths.omni_microphone ? nullptr : &paths.microphone_pattern;
  const int order = paths.order, count = 2 * order + 1;
  const double reach = (size.last + 1) / static_cast<double>(model.rate) * model.speed;
  const auto flush = [&] {
    kernels_.finish(batch, model);
    kernels_.place(batch, model.bands, table_, out, static_cast<std::int64_t>(size.images), size.last);
    batch.count = 0;
  };
  int row = 0;
  for (int k = -order; k <= order; ++k) {
    const int j_most = order - std::abs(k);
    for (int j = -j_most; j <= j_most; ++j) {
      if (row++ % chunks != chunk) continue;
      const auto y = static_cast<std::size_t>(j + order), z = static_cast<std::size_t>(k + order);
      const double left = reach * reach - (paths.square[1][y] + paths.square[2][z]);
      if (left < 0) continue;
      // Further out no image can arrive in time.
      const int i_most = static_cast<int>(std::min<double>(j_most - std::abs(j), std::sqrt(left) / column_ + 2));
      float side[kMaxBands];
      float loudest = 0;
      for (int b = 0; b < model.bands; ++b) {
        const auto of_band = static_cast<std::size_t>(b * count);
        side[b] = medium_.gains[1][of_band + y] * medium_.gains[2][of_band + z];
        loudest = std::max(loudest, side[b]);
      }
      if (loudest == 0) continue;
      for (int i = -i_most; i <= i_most;) {
        const int n = std::min(kBatch - batch.count, i_most - i + 1);
        append(paths, static_cast<std::size_t>(i + order), y, z, side, n, batch);
        i += n;
        if (batch.count == kBatch) flush();
      }
    }
  }
  flush();
}

void PathSum::append(const Paths& paths, std::size_t x, std::size_t y, std::size_t z, const float* side, int n,
                     Batch& batch) const noexcept {
  const auto sum = [&](const std::array<std::vector<double>, 3>& axes, double* to) {
    const double rest = axes[1][y] + axes[2][z];
    const double* from = axes[0].data() + x;
    for (int i = 0; i < n; ++i) to[i] = from[i] + rest;
  };
  sum(paths.square, batch.square + batch.count);
  if (!paths.omni_source) sum(paths.source_along, batch.source_along + batch.count);
  if (!paths.omni_microphone) sum(paths.microphone_along, batch.microphone_along + batch.count);
  const auto count = static_cast<std::size_t>(2 * paths.order + 1);
  for (int b = 0; b < medium_.bands; ++b) {
    const float* from = medium_.gains[0].data() + static_cast<std::size_t>(b) * count + x;
    float* to = batch.gain[b] + batch.count;
    for (int i = 0; i < n; ++i) to[i] = from[i] * side[b];
  }
  batch.count += n;
}

namespace {
#define THIMBLE_IMAGES(isa, name) constexpr Isa isa_of_##name = Isa::isa;
#include "dsp/room/kernel.inc"
#undef THIMBLE_IMAGES
}  // namespace

#define THIMBLE_IMAGES(isa, name) extern const ImageKernels name;
#include "dsp/room/kernel.inc"
#undef THIMBLE_IMAGES

const ImageKernels& image_kernels(Isa cap) {
#define THIMBLE_IMAGES(isa, name) \
  if (isa_of_##name <= cap && supports(cpu(), isa_of_##name)) return name;
#include "dsp/room/kernel.inc"
#undef THIMBLE_IMAGES
  return images_portable;
}

}  // namespace thimble::dsp::room
