#include "api/upscale.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "formats/diffusers/weight_files.h"
#include "formats/ncnn/ncnn.h"
#include "formats/safetensors/weights.h"
#include "media/transform.h"
#include "models/bind.h"

namespace thimble::api {
namespace {

graph::Weights read_upscaler(const std::filesystem::path& path) {
  const std::string end = path.extension().string();
  if (end == ".param" || end == ".bin") {
    std::filesystem::path param = path, bin = path;
    param.replace_extension(".param");
    bin.replace_extension(".bin");
    if (!std::filesystem::exists(param)) formats::refuse_pickle(path);  // a .bin may be PyTorch's
    std::vector<std::string> order;
    const graph::Weights stored = formats::read_ncnn_weights(param, bin, &order);
    graph::Weights weights;
    for (std::size_t i = 0; i < order.size(); ++i) {  // ncnn lists convolutions and PReLU in the network's order
      for (const char* leaf : {".weight", ".bias"}) {
        if (stored.contains(order[i] + leaf))
          weights.set(fmt::format("body.{}{}", i, leaf), stored.at(order[i] + leaf));
      }
    }
    return weights;
  }
  formats::refuse_pickle(path);
  const auto file = formats::SafetensorsFile::open(path);
  return formats::map_weights(file.tensors(), file.file());
}

float at_edge(const media::Image& image, int x, int y, int c) {
  return image.at(std::clamp(x, 0, image.width - 1), std::clamp(y, 0, image.height - 1))[c] / 255.0F;
}

}  // namespace

Upscaler::Upscaler(const std::filesystem::path& path, graph::Executor& executor, graph::Precision precision)
    : weights_(read_upscaler(path)),
      config_(models::real_esrgan_of(weights_, path.string())),
      executor_(executor),
      precision_(precision) {}

media::Image Upscaler::operator()(const media::Image& image, const UpscaleOptions& options, const ProgressFn& progress,
                                  const CancelToken* cancel) {
  const int scale = options.scale == 0 ? config_.scale : options.scale;
  if (scale < 1 || scale > config_.scale) {
    fail(ErrorKind::bad_input, "this network enlarges {} times; a scale of 1 to {} was wanted, {} came", config_.scale,
         config_.scale, scale);
  }
  if (options.tile < 16 || options.tile > 2048) {
    fail(ErrorKind::bad_input, "tiles have 16 to 2048 pixels a side, {} came", options.tile);
  }
  const media::Image rgb = media::to_channels(image, 3);
  const int factor = config_.scale, halo = models::real_esrgan_reach(config_);
  media::Image large(rgb.width * factor, rgb.height * factor, 3);
  const int height = std::min(options.tile, rgb.height), width = std::min(options.tile, rgb.width);
  // The network pads with zeros, as it was trained: a picture that fits whole gets no other surroundings.
  const bool whole = height == rgb.height && width == rgb.width;
  const int ring = whole ? 0 : halo, in_height = height + 2 * ring, in_width = width + 2 * ring;
  const graph::Graph g = models::build_real_esrgan(config_, 1, in_height, in_width);
  const auto program =
      executor_.compile(g, models::bind_checkpoint(g, weights_, "upscaler"), {.precision = precision_});
  graph::Tensor in({DType::f32, {1, in_height, in_width, 3}});
  const int rows = (rgb.height + height - 1) / height, columns = (rgb.width + width - 1) / width;
  for (int tile = 0; tile < rows * columns; ++tile) {
    const int top = std::min(tile / columns * height, rgb.height - height);
    const int left = std::min(tile % columns * width, rgb.width - width);
    auto to = in.mutable_as<float>().begin();
    for (int y = 0; y < in_height; ++y) {
      for (int x = 0; x < in_width; ++x) {
        for (int c = 0; c < 3; ++c) *to++ = at_edge(rgb, left + x - ring, top + y - ring, c);
      }
    }
    graph::Tensor out({DType::f32, {1, in_height * factor, in_width * factor, 3}});
    const graph::TensorView input = in.view();
    const graph::MutableTensorView output = out.mutable_view();
    program->run(std::span(&input, 1), std::span(&output, 1), cancel);
    const auto made = out.as<float>();
    for (int y = 0; y < height * factor; ++y) {
      for (int x = 0; x < width * factor; ++x) {
        const auto from = (static_cast<std::size_t>(y + ring * factor) * static_cast<std::size_t>(in_width * factor) +
                           static_cast<std::size_t>(x + ring * factor)) *
                          3;
        std::uint8_t* pixel = large.at(left * factor + x, top * factor + y);
        for (std::size_t c = 0; c < 3; ++c) {
          pixel[c] = static_cast<std::uint8_t>(std::lround(255 * std::clamp(made[from + c], 0.0F, 1.0F)));
        }
      }
    }
    if (progress) progress(tile + 1, rows * columns, {});
  }
  if (scale != factor) large = media::resize(large, rgb.width * scale, rgb.height * scale, media::Filter::bicubic);
  if (image.channels != 4) return large;
  const media::Image soft = media::resize(image, large.width, large.height, media::Filter::bicubic);
  media::Image with_alpha = media::to_channels(large, 4);
  for (std::size_t i = 3; i < with_alpha.pixels.size(); i += 4) with_alpha.pixels[i] = soft.pixels[i];
  return with_alpha;
}

}  // namespace thimble::api
