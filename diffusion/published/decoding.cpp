#include "diffusion/published/decoding.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/error.h"
#include "base/rng.h"
#include "diffusion/picture.h"
#include "diffusion/published/stopwatch.h"

namespace thimble::diffusion {
namespace {

using graph::Tensor;

std::unique_ptr<Network> open_decoder(StageContext& stage, const formats::DiffusersPart& part, int height, int width) {
  return open_network(stage, part, models::Role::decoder, {.height = height, .width = width});
}

// The next tile to try: what memory says at a cost in proportion to the cells, and smaller than the last.
TileSize smaller_tile(TileSize tile, const graph::MemoryReport& memory, std::size_t limit) {
  const double fixed = static_cast<double>(memory.weight_bytes + memory.scratch_bytes);
  const double room = std::max(0.0, static_cast<double>(limit) - fixed);
  const double factor = std::min(0.85, 0.97 * std::sqrt(room / static_cast<double>(memory.activation_bytes)));
  const auto shrunk = [&](int side) {
    const int even = static_cast<int>(side * factor) / 2 * 2;
    return std::min(side, std::max(even, kLeastTile));
  };
  return {shrunk(tile.height), shrunk(tile.width)};
}

class TiledDecoder {
 public:
  TiledDecoder(StageContext& stage, const PublishedSettings& s)
      : stage_(stage), s_(s), tile_(s.tile.height > 0 ? s.tile : TileSize{s.latent.height, s.latent.width}) {
    const formats::DiffusersPart& part = stage.model.part(stage.model.facts().autoencoder);
    network_ = open_decoder(stage, part, tile_.height, tile_.width);
    while (stage.max_memory > 0 && network_->memory().peak_bytes() > stage.max_memory) {
      const TileSize next = smaller_tile(tile_, network_->memory(), stage.max_memory);
      if (next == tile_) break;
      tile_ = next;
      network_.reset();
      network_ = open_decoder(stage, part, tile_.height, tile_.width);
    }
    rows_ = tile_starts(s.latent.height, tile_.height, overlap(tile_.height));
    columns_ = tile_starts(s.latent.width, tile_.width, overlap(tile_.width));
  }

  const Network& network() const { return *network_; }
  int tiles() const { return static_cast<int>(rows_.size() * columns_.size()); }

  media::Image operator()(std::span<const float> latent) {
    const auto pixels = static_cast<std::size_t>(s_.width) * static_cast<std::size_t>(s_.height);
    if (tiles() == 1) return to_image(run(latent, 0, 0), s_.width, s_.height, 3);
    std::vector<float> sum(3 * pixels, 0), weight(pixels, 0);
    for (const int row : rows_) {
      for (const int column : columns_) add(run(latent, row, column), row, column, sum, weight);
    }
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] /= weight[i / 3];
    return to_image(sum, s_.width, s_.height, 3);
  }

 private:
  static int overlap(int tile) { return std::max(1, tile / 4); }

  std::span<const float> run(std::span<const float> latent, int row, int column) {
    const PublishedFacts& facts = stage_.model.facts();
    const auto scale = static_cast<float>(facts.latent_scale), shift = static_cast<float>(facts.latent_shift);
    const auto channels = static_cast<std::size_t>(s_.latent.channels);
    Tensor part({DType::f32, {1, tile_.height, tile_.width, s_.latent.channels}});
    auto to = part.mutable_as<float>().begin();
    for (int y = 0; y < tile_.height; ++y) {
      const std::size_t from = (static_cast<std::size_t>(row + y) * static_cast<std::size_t>(s_.latent.width) +
                                static_cast<std::size_t>(column)) *
                               channels;
      const auto line = latent.subspan(from, static_cast<std::size_t>(tile_.width) * channels);
      to = std::ranges::transform(line, to, [&](float v) { return v / scale + shift; }).out;
    }
    return network_->run({{"latent", part}}, stage_.cancel).at("image").as<float>();
  }

  void add(std::span<const float> pixels, int row, int column, std::vector<float>& sum, std::vector<float>& weight) {
    const int cell = s_.height / s_.latent.height;
    const int height = tile_.height * cell, width = tile_.width * cell;
    const bool above = row > 0, below = row + tile_.height < s_.latent.height;
    const bool left = column > 0, right = column + tile_.width < s_.latent.width;
    for (int y = 0; y < height; ++y) {
      const float wy = tile_weight(y, height, overlap(tile_.height) * cell, above, below);
      for (int x = 0; x < width; ++x) {
        const float w = wy * tile_weight(x, width, overlap(tile_.width) * cell, left, right);
        const std::size_t to = static_cast<std::size_t>(row * cell + y) * static_cast<std::size_t>(s_.width) +
                               static_cast<std::size_t>(column * cell + x);
        const std::size_t from =
            static_cast<std::size_t>(y) * static_cast<std::size_t>(width) + static_cast<std::size_t>(x);
        weight[to] += w;
        for (std::size_t c = 0; c < 3; ++c) sum[3 * to + c] += w * pixels[3 * from + c];
      }
    }
  }

  StageContext& stage_;
  const PublishedSettings& s_;
  TileSize tile_;
  std::unique_ptr<Network> network_;
  std::vector<int> rows_, columns_;
};

// Solves a x = b for a symmetric positive matrix (n, n), in place, with three right sides (n, 3).
void solve_symmetric(std::vector<double>& a, std::vector<double>& b, std::size_t n) {
  for (std::size_t k = 0; k < n; ++k) {
    for (std::size_t i = k + 1; i < n; ++i) {
      const double f = a[i * n + k] / a[k * n + k];
      for (std::size_t j = k; j < n; ++j) a[i * n + j] -= f * a[k * n + j];
      for (std::size_t c = 0; c < 3; ++c) b[3 * i + c] -= f * b[3 * k + c];
    }
  }
  for (std::size_t i = n; i-- > 0;) {
    for (std::size_t c = 0; c < 3; ++c) {
      for (std::size_t j = i + 1; j < n; ++j) b[3 * i + c] -= a[i * n + j] * b[3 * j + c];
      b[3 * i + c] /= a[i * n + i];
    }
  }
}

// Colours in [-1, 1] of a cell with latent z: rows 0 .. channels - 1 times z plus the last row; (channels + 1, 3).
std::vector<double> fit_colours(StageContext& stage, int channels) {
  constexpr int kSide = 16, kPatch = 4, kRuns = 4;  // cells; patches of one value, so that neighbours matter little
  const PublishedFacts& facts = stage.model.facts();
  const formats::DiffusersPart& part = stage.model.part(facts.autoencoder);
  const auto decoder = open_decoder(stage, part, kSide, kSide);
  const auto c = static_cast<std::size_t>(channels), n = c + 1;
  std::vector<double> a(n * n, 0), b(n * 3, 0);
  const int cell = facts.compression, width = kSide * cell;
  for (std::uint64_t pass = 0; pass < kRuns; ++pass) {
    std::vector<float> patches(c * (kSide / kPatch) * (kSide / kPatch));
    fill_normal(patches, 1, pass);
    Tensor latent({DType::f32, {1, kSide, kSide, channels}});
    const auto values = latent.mutable_as<float>();
    const auto patch_of = [&](int y, int x) {
      return patches.data() + static_cast<std::size_t>(y / kPatch * (kSide / kPatch) + x / kPatch) * c;
    };
    for (int y = 0; y < kSide; ++y) {
      for (int x = 0; x < kSide; ++x) {
        for (std::size_t k = 0; k < c; ++k) {
          values[static_cast<std::size_t>(y * kSide + x) * c + k] =
              static_cast<float>(patch_of(y, x)[k] / facts.latent_scale + facts.latent_shift);
        }
      }
    }
    const auto pixels = decoder->run({{"latent", latent}}, stage.cancel).at("image").as<float>();
    for (int y = 0; y < kSide; ++y) {
      for (int x = 0; x < kSide; ++x) {
        double mean[3] = {0, 0, 0};
        for (int i = 0; i < cell * cell; ++i) {
          const auto at = static_cast<std::size_t>((y * cell + i / cell) * width + x * cell + i % cell);
          for (std::size_t k = 0; k < 3; ++k) mean[k] += pixels[3 * at + k] / (cell * cell);
        }
        const auto z = [&](std::size_t k) { return k < c ? double{patch_of(y, x)[k]} : 1.0; };
        for (std::size_t i = 0; i < n; ++i) {
          for (std::size_t j = 0; j < n; ++j) a[i * n + j] += z(i) * z(j);
          for (std::size_t k = 0; k < 3; ++k) b[3 * i + k] += z(i) * mean[k];
        }
      }
    }
  }
  for (std::size_t i = 0; i < n; ++i) a[i * n + i] += 1e-3;
  solve_symmetric(a, b, n);
  return b;
}

}  // namespace

TileSize fit_tile(const PublishedModel& model, const PublishedPipelineOptions& options, const PublishedSettings& s,
                  std::size_t limit) {
  const formats::DiffusersPart& part = model.part(model.facts().autoencoder);
  TileSize tile{s.latent.height, s.latent.width};
  while (true) {
    const auto memory =
        plan_network(model, options, part, models::Role::decoder, {.height = tile.height, .width = tile.width});
    if (!memory || memory->peak_bytes() <= limit) return tile;
    const TileSize next = smaller_tile(tile, *memory, limit);
    if (next == tile) return {};
    tile = next;
  }
}

std::vector<int> tile_starts(int length, int tile, int overlap) {
  std::vector<int> starts{0};
  while (starts.back() + tile < length) starts.push_back(std::min(starts.back() + tile - overlap, length - tile));
  return starts;
}

float tile_weight(int p, int length, int ramp, bool neighbour_before, bool neighbour_behind) {
  const auto rise = [&](int distance) { return std::min(1.0F, (static_cast<float>(distance) + 0.5F) / ramp); };
  return (neighbour_before ? rise(p) : 1) * (neighbour_behind ? rise(length - 1 - p) : 1);
}

std::vector<media::Image> decode_latents(StageContext& stage, const PublishedSettings& s,
                                         std::span<const std::vector<float>> latents) {
  Stopwatch watch;
  TiledDecoder decoder(stage, s);
  ComponentReport report{.part = stage.model.part(stage.model.facts().autoencoder).name + " decoder",
                         .load = watch.lap(),
                         .memory = decoder.network().memory(),
                         .stored_bytes = decoder.network().stored_bytes()};
  warn_above_limit(stage, report);
  stage.result.decode_tiles = decoder.tiles();
  std::vector<media::Image> images;
  for (const std::vector<float>& one : latents) images.push_back(decoder(one));
  report.run = watch.lap();
  stage.result.components.push_back(std::move(report));
  return images;
}

struct Previewer::Impl {
  StageContext& stage;
  const PublishedSettings& settings;
  const PreviewAutoencoder* tiny;
  std::unique_ptr<Network> network = {};
  std::vector<double> colours = {};
};

Previewer::Previewer(StageContext& stage, const PublishedSettings& settings)
    : impl_(new Impl{stage, settings, stage.model.preview_autoencoder()}) {
  const LatentSize& latent = settings.latent;
  if (impl_->tiny != nullptr) {
    impl_->network = open_decoder(stage, impl_->tiny->part, latent.height, latent.width);
  } else {
    impl_->colours = fit_colours(stage, latent.channels);
  }
}

Previewer::~Previewer() = default;

media::Image Previewer::operator()(std::span<const float> clean) {
  const LatentSize& size = impl_->settings.latent;
  if (impl_->tiny != nullptr) {
    Tensor latent({DType::f32, {1, size.height, size.width, size.channels}});
    const auto scale = static_cast<float>(impl_->tiny->scale), shift = static_cast<float>(impl_->tiny->shift);
    std::ranges::transform(clean, latent.mutable_as<float>().begin(), [&](float v) { return v / scale + shift; });
    const NamedTensors& out = impl_->network->run({{"latent", latent}}, impl_->stage.cancel);
    const int cell = impl_->tiny->compression;
    return to_image(out.at("image").as<float>(), size.width * cell, size.height * cell, 3);
  }
  const auto channels = static_cast<std::size_t>(size.channels);
  std::vector<float> pixels(3 * size.cells());
  for (std::size_t i = 0; i < size.cells(); ++i) {
    for (std::size_t k = 0; k < 3; ++k) {
      double v = impl_->colours[3 * channels + k];
      for (std::size_t j = 0; j < channels; ++j) v += impl_->colours[3 * j + k] * clean[i * channels + j];
      pixels[3 * i + k] = static_cast<float>(v);
    }
  }
  return to_image(pixels, size.width, size.height, 3);
}

}  // namespace thimble::diffusion
