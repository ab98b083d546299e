// ONNX's products, convolutions, pooling, resizing and normalisations. Pictures come as (N, C, H, W), signals as
// (N, C, L); both are handed on as (N, H, W, C), a signal with H 1.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "gauge/import/onnx_ops.h"

namespace thimble::gauge {

using namespace graph;

namespace {

std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

Value to_picture(Context& c, const Value& x) {
  if (x.rank() == 4) return c.e.transpose(x, {0, 2, 3, 1});
  if (x.rank() != 3) fail(ErrorKind::unsupported, "{} axes; pictures and signals are served", x.rank());
  return c.e.reshape(c.e.transpose(x, {0, 2, 1}), {x.dim(0), 1, x.dim(2), x.dim(1)});
}

Value from_picture(Context& c, const Value& y, std::int64_t rank) {
  if (rank == 4) return c.e.transpose(y, {0, 3, 1, 2});
  return c.e.transpose(c.e.reshape(y, {y.dim(0), y.dim(2), y.dim(3)}), {0, 2, 1});
}

// Products of two such numbers do not overflow.
void want_small(std::int64_t n) {
  if (n > (std::int64_t{1} << 30) || n < -(std::int64_t{1} << 30)) fail(ErrorKind::bad_file, "a size of {}", n);
}

// Two numbers from an attribute that holds one an axis.
Ints pair(const Context& c, const char* key, std::int64_t fallback, std::int64_t rank) {
  const auto v = c.op.integers(key);
  if (v.empty()) return {rank == 3 ? 1 : fallback, fallback};
  if (v.size() != index(rank - 2)) fail(ErrorKind::bad_file, "{} of {} numbers", key, v.size());
  for (const std::int64_t n : v) want_small(n);
  return rank == 3 ? Ints{1, v[0]} : Ints{v[0], v[1]};
}

// `kernel` over picture x; pads begin, begin …, end, end ….
Window window_of(const Context& c, const Value& x, Ints kernel, std::int64_t rank) {
  Window w;
  w.kernel = std::move(kernel);
  w.stride = pair(c, "strides", 1, rank);
  w.dilation = pair(c, "dilations", 1, rank);
  if (std::ranges::min(w.stride) < 1 || std::ranges::min(w.dilation) < 1) fail(ErrorKind::bad_file, "a stride under 1");
  const std::string_view automatic = c.op.text("auto_pad", "NOTSET");
  if (automatic == "SAME_UPPER" || automatic == "SAME_LOWER") {
    for (std::size_t a = 0; a < 2; ++a) {
      const std::int64_t in = x.dim(static_cast<std::int64_t>(a) + 1), out = (in + w.stride[a] - 1) / w.stride[a];
      const std::int64_t total =
          std::max<std::int64_t>((out - 1) * w.stride[a] + (w.kernel[a] - 1) * w.dilation[a] + 1 - in, 0);
      const std::int64_t low = automatic == "SAME_UPPER" ? total / 2 : total - total / 2;
      w.padding[a] = low;
      w.padding[a + 2] = total - low;
    }
  } else if (automatic != "VALID") {
    const auto p = c.op.integers("pads");
    if (!p.empty() && p.size() != index(2 * (rank - 2))) fail(ErrorKind::bad_file, "{} pads", p.size());
    for (const std::int64_t n : p) want_small(n);
    if (!p.empty()) w.padding = rank == 3 ? Ints{0, p[0], 0, p[1]} : Ints{p[0], p[1], p[2], p[3]};
  }
  return w;
}

Value filter_of(Context& c, const Value& w) {  // (O, I/groups, kh, kw)
  if (w.rank() == 4) return w;
  if (w.rank() != 3) fail(ErrorKind::unsupported, "a filter {}", to_string(w.type));
  return c.e.reshape(w, {w.dim(0), w.dim(1), 1, w.dim(2)});
}

// Negative padding cuts the picture first.
Value cut(Context& c, Value x, Ints& padding) {
  const Ints low{0, std::min<std::int64_t>(padding[0], 0), std::min<std::int64_t>(padding[1], 0), 0},
      high{0, std::min<std::int64_t>(padding[2], 0), std::min<std::int64_t>(padding[3], 0), 0};
  for (std::int64_t& p : padding) p = std::max<std::int64_t>(p, 0);
  return c.e.pad(x, low, high, 0);
}

void conv(Context& c) {
  const std::int64_t rank = c.in(0).rank();
  const Value filter = filter_of(c, c.in(1));
  Value x = to_picture(c, c.in(0));
  Window w = window_of(c, x, {filter.dim(2), filter.dim(3)}, rank);
  x = cut(c, x, w.padding);
  c.out(from_picture(c, c.e.conv2d(x, filter, c.optional(2), w, c.op.integer("group", 1)), rank));
}

void conv_transpose(Context& c) {
  const std::int64_t rank = c.in(0).rank();
  const Value filter = filter_of(c, c.in(1)), x = to_picture(c, c.in(0));
  if (c.op.text("auto_pad", "NOTSET") != "NOTSET" || c.op.has("output_shape")) {
    fail(ErrorKind::unsupported, "a transposed convolution to a given shape");
  }
  const Window w = window_of(c, x, {filter.dim(2), filter.dim(3)}, rank);
  const Value y = c.e.conv_transpose2d(x, filter, c.optional(2), w, c.op.integer("group", 1),
                                       pair(c, "output_padding", 0, rank == 3 ? 3 : 4));
  c.out(from_picture(c, y, rank));
}

template <PoolKind kind>
void pool(Context& c) {
  const std::int64_t rank = c.in(0).rank();
  const Value x = to_picture(c, c.in(0));
  Window w = window_of(c, x, pair(c, "kernel_shape", 1, rank), rank);
  if (c.op.integer("storage_order", 0) != 0) fail(ErrorKind::unsupported, "storage order");
  const bool count = c.op.integer("count_include_pad", 0) != 0;
  if (c.op.integer("ceil_mode", 0) != 0) {  // a last window that is not whole: room behind
    for (std::size_t a = 0; a < 2; ++a) {
      const std::int64_t in = x.dim(static_cast<std::int64_t>(a) + 1) + w.padding[a] + w.padding[a + 2];
      std::int64_t out = (in - w.kernel[a] + w.stride[a] - 1) / w.stride[a] + 1;
      // A window must start inside the picture or its padding before it.
      if ((out - 1) * w.stride[a] >= x.dim(static_cast<std::int64_t>(a) + 1) + w.padding[a]) --out;
      const std::int64_t more = (out - 1) * w.stride[a] + w.kernel[a] - in;
      if (more > 0 && count && kind == PoolKind::average) {
        fail(ErrorKind::unsupported, "averages that count padding, over windows that are not whole");
      }
      w.padding[a + 2] += std::max<std::int64_t>(more, 0);
    }
  }
  c.out(from_picture(c, c.e.pool2d(kind, x, w, count), rank));
}

template <ReduceKind kind>
void global_pool(Context& c) {
  Ints axes(c.in(0).shape().size());
  std::iota(axes.begin(), axes.end(), 0);
  axes.erase(axes.begin(), axes.begin() + std::min<std::ptrdiff_t>(2, std::ssize(axes)));
  c.out(c.e.reduce(kind, c.in(0), axes, true));
}

void gemm(Context& c) {
  const double alpha = c.op.number("alpha", 1), beta = c.op.number("beta", 1);
  Value a = c.in(0), b = c.in(1);
  if (a.rank() != 2 || b.rank() != 2) fail(ErrorKind::bad_file, "{} times {}", to_string(a.type), to_string(b.type));
  if (c.op.integer("transA", 0) != 0) a = c.e.transpose(a, {1, 0});
  const Value weight = c.op.integer("transB", 0) != 0 ? b : c.e.transpose(b, {1, 0});  // (O, I)
  const Value* bias = c.optional(2);
  const bool vector = bias != nullptr && alpha == 1 && beta == 1 && bias->type.elements() == weight.dim(0) &&
                      bias->rank() >= 1 && bias->shape().back() == weight.dim(0);
  if (vector) {
    const Value flat = c.e.reshape(*bias, {weight.dim(0)});
    return c.out(c.e.linear(a, weight, &flat));
  }
  Value y = c.e.linear(a, weight, nullptr);
  if (alpha != 1) y = c.e.mul(y, c.e.scalar(alpha));
  if (bias) y = c.e.add(y, beta == 1 ? *bias : c.e.mul(*bias, c.e.scalar(beta)));
  c.out(y);
}

void matmul(Context& c) {
  Value a = c.in(0), b = c.in(1);
  const bool row = a.rank() == 1, column = b.rank() == 1;
  if (row) a = c.e.reshape(a, {1, a.dim(0)});
  if (column) b = c.e.reshape(b, {b.dim(0), 1});
  Value y =
      b.rank() == 2 && b.constant && !a.constant ? c.e.linear(a, c.e.transpose(b, {1, 0}), nullptr) : c.e.matmul(a, b);
  if (row || column) {
    Shape shape = y.shape();
    if (column) shape.pop_back();
    if (row) shape.erase(shape.end() - (column ? 1 : 2));
    y = c.e.reshape(y, shape);
  }
  c.out(y);
}

void batch_normalization(Context& c) {
  const Value& x = c.in(0);
  const Value deviation = c.e.unary(UnaryKind::sqrt, c.e.add(c.in(4), c.e.scalar(c.op.number("epsilon", 1e-5))));
  const Value scale = c.e.div(c.in(1), deviation), shift = c.e.sub(c.in(2), c.e.mul(c.in(3), scale));
  Ints last(x.shape().size()), back(x.shape().size());  // channels to the end and back
  if (x.rank() < 2) fail(ErrorKind::unsupported, "{}", to_string(x.type));
  std::iota(last.begin(), last.end(), 0);
  std::rotate(last.begin() + 1, last.begin() + 2, last.end());
  for (std::size_t i = 0; i < last.size(); ++i) back[index(last[i])] = static_cast<std::int64_t>(i);
  c.out(c.e.transpose(c.e.scale_shift(c.e.transpose(x, last), scale, shift, c.sole_reader(0)), back));
}

// (x - mean) / sqrt(variance + eps) over `axes`.
Value normalised(Context& c, const Value& x, const Ints& axes, double eps) {
  const Value centred = c.e.sub(x, c.e.reduce(ReduceKind::mean, x, axes, true));
  const Value variance = c.e.reduce(ReduceKind::mean, c.e.unary(UnaryKind::square, centred), axes, true);
  return c.e.mul(centred, c.e.unary(UnaryKind::rsqrt, c.e.add(variance, c.e.scalar(eps))));
}

void layer_normalization(Context& c) {
  const Value& x = c.in(0);
  Ints axes;
  for (std::int64_t a = Context::axis(c.op.integer("axis", -1), x.rank()); a < x.rank(); ++a) axes.push_back(a);
  Value y = c.e.mul(normalised(c, x, axes, c.op.number("epsilon", 1e-5)), c.in(1));
  c.out(c.has(2) ? c.e.add(y, c.in(2)) : y);
}

void instance_normalization(Context& c) {
  const Value& x = c.in(0);
  Ints axes;
  Shape channels(x.shape().size(), 1);
  for (std::int64_t a = 2; a < x.rank(); ++a) axes.push_back(a);
  if (x.rank() < 3) fail(ErrorKind::unsupported, "{}", to_string(x.type));
  channels[1] = x.dim(1);
  const Value y = normalised(c, x, axes, c.op.number("epsilon", 1e-5));
  c.out(c.e.add(c.e.mul(y, c.e.reshape(c.in(1), channels)), c.e.reshape(c.in(2), channels)));
}

// Where position o of `out` reads in `in`, by the rules of nearest neighbours.
std::vector<std::int64_t> nearest_sources(std::int64_t in, std::int64_t out, std::string_view grid,
                                          std::string_view rounding) {
  std::vector<std::int64_t> sources;
  for (std::int64_t o = 0; o < out; ++o) {
    const auto p = static_cast<double>(o), n = static_cast<double>(in), m = static_cast<double>(out);
    double at = (p + 0.5) * n / m - 0.5;
    if (grid == "asymmetric") at = p * n / m;
    if (grid == "align_corners") at = out == 1 ? 0 : p * (n - 1) / (m - 1);
    if (grid == "tf_half_pixel_for_nn") at = (p + 0.5) * n / m;
    double place = std::ceil(at - 0.5);  // round_prefer_floor
    if (rounding == "round_prefer_ceil") place = std::floor(at + 0.5);
    if (rounding == "floor") place = std::floor(at);
    if (rounding == "ceil") place = std::ceil(at);
    sources.push_back(std::clamp<std::int64_t>(static_cast<std::int64_t>(place), 0, in - 1));
  }
  return sources;
}

bool reads_like(ResizeGrid grid, std::int64_t in, const std::vector<std::int64_t>& sources) {
  const auto out = static_cast<std::int64_t>(sources.size());
  for (std::int64_t o = 0; o < out; ++o) {
    const std::int64_t i = grid == ResizeGrid::half_pixel ? (2 * o + 1) * in / (2 * out) : o * in / out;
    if (i != sources[index(o)]) return false;
  }
  return true;
}

void resize_to(Context& c, const Value& x, const Shape& size, std::string_view mode, std::string_view grid) {
  std::vector<std::int64_t> changed;
  for (std::int64_t a = 0; a < x.rank(); ++a) {
    if (size[index(a)] < 1) fail(ErrorKind::bad_file, "a size of {}", size[index(a)]);
    if (size[index(a)] != x.dim(a)) changed.push_back(a);
  }
  if (changed.empty()) return c.out(x);
  if (mode == "nearest") {
    const std::string_view rounding = c.op.text("nearest_mode", "round_prefer_floor");
    std::vector<std::vector<std::int64_t>> sources;
    for (std::int64_t a = 0; a < x.rank(); ++a) {
      if (size[index(a)] > (1 << 20)) fail(ErrorKind::unsupported, "a size of {}", size[index(a)]);
      sources.push_back(nearest_sources(x.dim(a), size[index(a)], grid, rounding));
    }
    if (x.rank() == 4 && changed.front() >= 2) {
      for (const ResizeGrid g : {ResizeGrid::half_pixel, ResizeGrid::asymmetric}) {
        if (!reads_like(g, x.dim(2), sources[2]) || !reads_like(g, x.dim(3), sources[3])) continue;
        const Value y = c.e.resize(c.e.transpose(x, {0, 2, 3, 1}),
                                   {.mode = ResizeMode::nearest, .height = size[2], .width = size[3], .grid = g});
        return c.out(c.e.transpose(y, {0, 3, 1, 2}));
      }
    }
    Value y = x;
    for (const std::int64_t a : changed) y = c.e.gather(y, c.e.integers(sources[index(a)]), a);
    return c.out(y);
  }
  if (mode != "linear") fail(ErrorKind::unsupported, "mode '{}'", mode);
  ResizeGrid g = ResizeGrid::half_pixel;
  if (grid == "asymmetric") g = ResizeGrid::asymmetric;
  if (grid == "align_corners") g = ResizeGrid::align_corners;
  const bool served = grid == "asymmetric" || grid == "align_corners" || grid == "half_pixel" ||
                      (grid == "pytorch_half_pixel" && size[index(x.rank() - 1)] > 1 && size[index(x.rank() - 2)] > 1);
  if (!served) fail(ErrorKind::unsupported, "coordinates '{}'", grid);
  if (x.rank() != 4 || (changed.front() < 2 && (changed.front() < 1 || changed.back() > 2))) {
    fail(ErrorKind::unsupported, "from {} to {}", to_string(x.type), to_string(size));
  }
  const bool first = changed.front() >= 2;  // channels first, else last
  const Value picture = first ? c.e.transpose(x, {0, 2, 3, 1}) : x;
  const std::size_t h = first ? 2 : 1;
  const Value y =
      c.e.resize(picture, {.mode = ResizeMode::bilinear, .height = size[h], .width = size[h + 1], .grid = g});
  c.out(first ? c.e.transpose(y, {0, 3, 1, 2}) : y);
}

// The size that factors give; factors between whole sizes have a grid of their own and are refused.
Shape scaled(const Value& x, const std::vector<double>& scales) {
  if (scales.size() != x.shape().size())
    fail(ErrorKind::bad_file, "{} scales for {}", scales.size(), to_string(x.type));
  Shape size;
  for (std::size_t a = 0; a < scales.size(); ++a) {
    const double exact = static_cast<double>(x.shape()[a]) * scales[a];
    if (!(exact < 1e9)) fail(ErrorKind::bad_file, "a scale of {}", scales[a]);
    size.push_back(static_cast<std::int64_t>(std::floor(exact + 1e-4)));
    if (std::fabs(exact - static_cast<double>(size.back())) > 1e-3) {
      fail(ErrorKind::unsupported, "a size of {} times {}", x.shape()[a], scales[a]);
    }
  }
  return size;
}

void resize(Context& c) {
  const Value& x = c.in(0);
  const bool old = opset(c) < 11;  // input 1 is the scales
  Shape size;
  const std::size_t at = old ? 1 : 2;
  if (c.has(at) && c.in(at).type.elements() > 0) {
    size = scaled(x, c.e.known_numbers(c.in(at), "scales"));
  } else {
    size = c.e.known_integers(c.in(3), "sizes");
    if (c.op.has("axes") || c.op.text("keep_aspect_ratio_policy", "stretch") != "stretch") {
      fail(ErrorKind::unsupported, "sizes of some axes alone");
    }
    if (size.size() != x.shape().size()) fail(ErrorKind::bad_file, "{} sizes for {}", size.size(), to_string(x.type));
  }
  resize_to(c, x, size, c.op.text("mode", "nearest"),
            old ? "asymmetric" : c.op.text("coordinate_transformation_mode", "half_pixel"));
}

void upsample(Context& c) {
  const auto scales = c.op.has("scales") ? c.op.numbers("scales") : c.e.known_numbers(c.in(1), "scales");
  resize_to(c, c.in(0), scaled(c.in(0), scales), c.op.text("mode", "nearest"), "asymmetric");
}

}  // namespace

HandlerTable onnx_layer_handlers() {
  return {{"Conv", conv},
          {"ConvTranspose", conv_transpose},
          {"MaxPool", pool<PoolKind::max>},
          {"AveragePool", pool<PoolKind::average>},
          {"GlobalAveragePool", global_pool<ReduceKind::mean>},
          {"GlobalMaxPool", global_pool<ReduceKind::max>},
          {"Gemm", gemm},
          {"MatMul", matmul},
          {"BatchNormalization", batch_normalization},
          {"LayerNormalization", layer_normalization},
          {"InstanceNormalization", instance_normalization},
          {"Resize", resize},
          {"Upsample", upsample}};
}

}  // namespace thimble::gauge
