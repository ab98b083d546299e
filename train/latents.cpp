#include "train/latents.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/rng.h"
#include "data/emoji/captions.h"
#include "data/emoji/dataset.h"
#include "train/autoencoder.h"
#include "train/pictures.h"
#include "train/prefetch.h"
#include "train/torch_executor.h"

namespace thimble::train {
namespace {

constexpr int kSide = data::kPictureSide;
constexpr std::size_t kPixels = std::size_t{kSide} * kSide * 4;
constexpr std::uint64_t kGroundSeed = 5;

// Different colours for one picture, the same in every build.
std::vector<std::int32_t> grounds_of(int id, int count) {
  std::vector<std::int32_t> all;
  for (std::size_t i = 0; i < data::background_colours().size(); ++i) all.push_back(static_cast<std::int32_t>(i));
  Rng rng(kGroundSeed, static_cast<std::uint64_t>(id));
  for (std::size_t i = all.size() - 1; i > 0; --i) std::swap(all[i], all[rng.below(i + 1)]);
  all.resize(static_cast<std::size_t>(count));
  return all;
}

// All versions of one picture, (1 + grounds, side, side, 4).
std::vector<float> versions(const data::EmojiSet& set, int id, int grounds) {
  std::vector<float> out((1 + static_cast<std::size_t>(grounds)) * kPixels);
  const media::Image picture = set.picture(id);
  const auto colours = grounds_of(id, grounds);
  for (std::size_t v = 0; v <= colours.size(); ++v) {
    const media::Rgb* ground =
        v == 0 ? nullptr : &data::background_colours()[static_cast<std::size_t>(colours[v - 1])].rgb;
    sample_window(picture, {.side = kSide}, ground, {out.data() + v * kPixels, kPixels});
  }
  return out;
}

struct Moments {
  std::vector<double> sum, square;
  double count = 0;
  void add(std::span<const float> values, std::size_t channels) {
    sum.resize(channels);
    square.resize(channels);
    for (std::size_t i = 0; i < values.size(); ++i) {
      sum[i % channels] += values[i];
      square[i % channels] += double{values[i]} * values[i];
    }
    count += static_cast<double>(values.size() / channels);
  }
};

template <class T>
std::span<const std::byte> bytes_of(const std::vector<T>& v) {
  return std::as_bytes(std::span(v));
}

template <class T>
std::vector<T> read_tensor(const formats::SafetensorsFile& file, const char* name, DType dtype) {
  const formats::TensorInfo& info = file.at(name);
  if (info.dtype() != dtype)
    fail(ErrorKind::bad_file, "{}: tensor '{}' must be {}", file.name(), name, to_string(dtype));
  std::vector<T> values(static_cast<std::size_t>(info.elements()));
  std::memcpy(values.data(), info.data().data(), info.data().size());
  return values;
}

}  // namespace

std::size_t build_latents(const LatentsOptions& o, const ProgressFn& progress, const CancelToken& cancel) {
  if (o.grounds < 0 || o.grounds > static_cast<int>(data::background_colours().size()) || o.batch < 1) {
    fail(ErrorKind::bad_input, "0 to {} grounds and a positive batch were wanted", data::background_colours().size());
  }
  check_writable(o.out);
  const auto set = data::EmojiSet::open(o.data);
  const TrainedAutoencoder coder = load_autoencoder(o.autoencoder);
  const int repeats = 1 + o.grounds;
  const int pictures = std::max(1, o.batch / repeats);  // a run of the encoder takes all versions of so many
  const graph::Graph encoder = models::build_encoder(coder.config, pictures * repeats, kSide);
  const auto executor = make_torch_executor(o.device, o.threads);
  const auto program = executor->compile(encoder, coder.weights, {.precision = graph::Precision::bf16});
  const graph::Shape shape = program->output_types()[0].shape;
  const auto size = static_cast<std::size_t>(shape[1] * shape[2] * shape[3]);

  const std::size_t count = set->entries().size();
  std::vector<f16> latents(count * repeats * size);
  std::vector<std::int32_t> ids(count), grounds;
  Moments moments;
  graph::Tensor in(encoder.type(encoder.inputs[0])), out(program->output_types()[0]);
  Prefetch<std::vector<float>> source(0, static_cast<std::size_t>(2 * pictures), [&](std::int64_t i) {
    return versions(*set, std::min(static_cast<int>(i), static_cast<int>(count) - 1), o.grounds);
  });
  for (std::size_t first = 0; first < count; first += static_cast<std::size_t>(pictures)) {
    cancel.throw_if_cancelled();
    const std::size_t here = std::min<std::size_t>(static_cast<std::size_t>(pictures), count - first);
    const auto pixels = in.mutable_as<float>();
    for (std::size_t i = 0; i < here; ++i) {
      const std::vector<float> picture = source.next();
      std::copy(picture.begin(), picture.end(), pixels.begin() + static_cast<std::ptrdiff_t>(i * picture.size()));
    }
    const std::vector<graph::TensorView> inputs{in.view()};
    const std::vector<graph::MutableTensorView> outputs{out.mutable_view()};
    program->run(inputs, outputs, &cancel);
    const auto values = out.as<float>().first(here * repeats * size);
    convert(DType::f32, values.data(), DType::f16, latents.data() + first * repeats * size, values.size());
    for (std::size_t i = 0; i < here; ++i) {
      const int id = static_cast<int>(first + i);
      ids[first + i] = id;
      for (const std::int32_t g : grounds_of(id, o.grounds)) grounds.push_back(g);
      if (set->entries()[first + i].split == data::Split::train) {
        moments.add(values.subspan(i * repeats * size, repeats * size), static_cast<std::size_t>(shape[3]));
      }
    }
    if (progress) progress(static_cast<std::int64_t>(first + here), static_cast<std::int64_t>(count), "pictures");
  }

  if (moments.count == 0) fail(ErrorKind::bad_input, "{} has no training pictures", o.data.string());
  std::vector<float> mean, deviation;
  for (std::size_t c = 0; c < moments.sum.size(); ++c) {
    const double m = moments.sum[c] / moments.count;
    mean.push_back(static_cast<float>(m));
    deviation.push_back(static_cast<float>(std::sqrt(std::max(1e-8, moments.square[c] / moments.count - m * m))));
  }
  const auto n = static_cast<std::int64_t>(count);
  const std::int64_t channels = shape[3];
  formats::SafetensorsWriter writer(o.out,
                                    {{"latents", DType::f16, {n, repeats, shape[1], shape[2], channels}},
                                     {"ids", DType::i32, {n}},
                                     {"grounds", DType::i32, {n, o.grounds}},
                                     {"mean", DType::f32, {channels}},
                                     {"std", DType::f32, {channels}}},
                                    {{"autoencoder", models::to_json(coder.config).dump()}});
  const auto order = writer.order();
  for (const formats::TensorSpec& t : order) {
    writer.write(t.name, t.name == "latents"   ? bytes_of(latents)
                         : t.name == "ids"     ? bytes_of(ids)
                         : t.name == "grounds" ? bytes_of(grounds)
                         : t.name == "mean"    ? bytes_of(mean)
                                               : bytes_of(deviation));
  }
  writer.commit();
  return count;
}

LatentCache LatentCache::open(const std::filesystem::path& path) {
  const auto file = formats::SafetensorsFile::open(path);
  const auto config = file.metadata().find("autoencoder");
  const formats::TensorInfo& info = file.at("latents");
  if (config == file.metadata().end() || info.shape.size() != 5) {
    fail(ErrorKind::bad_file, "{}: not a latent cache (thimble train latents)", path.string());
  }
  LatentCache cache;
  cache.config_ = models::autoencoder_from_json(parse_json(config->second, path.string()));
  cache.grounds_ = static_cast<int>(info.shape[1]) - 1;
  cache.grid_ = static_cast<int>(info.shape[2]);
  cache.latents_ = read_tensor<f16>(file, "latents", DType::f16);
  cache.ground_ = read_tensor<std::int32_t>(file, "grounds", DType::i32);
  cache.mean_ = read_tensor<float>(file, "mean", DType::f32);
  cache.std_ = read_tensor<float>(file, "std", DType::f32);
  const auto ids = read_tensor<std::int32_t>(file, "ids", DType::i32);
  const std::size_t n = ids.size(), versions = static_cast<std::size_t>(cache.grounds_) + 1;
  const auto colours = static_cast<std::int32_t>(data::background_colours().size());
  const bool fits =
      cache.grid_ > 0 && info.shape[3] == info.shape[2] && info.shape[4] == cache.channels() &&
      cache.latents_.size() == n * versions * cache.elements() && cache.ground_.size() == n * (versions - 1) &&
      cache.mean_.size() == static_cast<std::size_t>(cache.channels()) && cache.std_.size() == cache.mean_.size();
  const auto bad_id = [](std::int32_t id) { return id < 0 || id > 1 << 24; };
  const auto bad_colour = [&](std::int32_t g) { return g < 0 || g >= colours; };
  if (!fits || std::any_of(ids.begin(), ids.end(), bad_id) ||
      std::any_of(cache.ground_.begin(), cache.ground_.end(), bad_colour)) {
    fail(ErrorKind::bad_file, "{}: the tensors of this latent cache do not fit each other", path.string());
  }
  for (std::size_t i = 0; i < n; ++i) {
    const auto id = static_cast<std::size_t>(ids[i]);
    if (cache.rows_.size() <= id) cache.rows_.resize(id + 1, -1);
    cache.rows_[id] = static_cast<int>(i);
  }
  return cache;
}

void LatentCache::read(int id, int version, std::span<float> out) const {
  check(contains(id) && version >= 0 && version <= grounds_ && out.size() == elements(), "LatentCache::read");
  const std::size_t at =
      (static_cast<std::size_t>(row(id)) * static_cast<std::size_t>(grounds_ + 1) + static_cast<std::size_t>(version)) *
      elements();
  convert(DType::f16, latents_.data() + at, DType::f32, out.data(), out.size());
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::size_t c = i % mean_.size();
    out[i] = (out[i] - mean_[c]) / std_[c];
  }
}

int LatentCache::ground(int id, int version) const {
  check(contains(id) && version >= 1 && version <= grounds_, "LatentCache::ground");
  return ground_[static_cast<std::size_t>(row(id)) * static_cast<std::size_t>(grounds_) +
                 static_cast<std::size_t>(version - 1)];
}

}  // namespace thimble::train
