// Products, pictures, norms and attention on ATen.
#include <algorithm>
#include <cmath>
#include <limits>

#include "train/torch_layers.h"
#include "train/torch_ops.h"

namespace thimble::train {
namespace {

at::Tensor narrow(const at::Tensor& x, const OpArguments& a) { return a.bf16 ? x.to(at::kBFloat16) : x; }

// For ATen ops that LibTorch 1.13 lacks in bf16 on the CPU.
template <class F>
at::Tensor in_f32(const at::Tensor& x, F&& f) {
  return x.scalar_type() == at::kBFloat16 ? f(x.to(at::kFloat)).to(at::kBFloat16) : f(x);
}

// A channels-last IR tensor as ATen's (B, C, H, W); the strides are channels_last, nothing is copied.
at::Tensor planes(const at::Tensor& x) { return x.permute({0, 3, 1, 2}); }
at::Tensor unplanes(const at::Tensor& x) { return x.permute({0, 2, 3, 1}); }

at::Tensor optional(const OpArguments& a, std::size_t i) { return i < a.size() ? a[i] : at::Tensor(); }

// padding {top, left, bottom, right}
bool symmetric(const graph::Ints& p) { return p[0] == p[2] && p[1] == p[3]; }
at::Tensor pad_planes(const at::Tensor& x, const graph::Ints& p, double value) {
  return at::constant_pad_nd(x, {p[1], p[3], p[0], p[2]}, value);
}

// (B, T, heads*D) -> (B, heads, T, D)
at::Tensor split_heads(const at::Tensor& x, std::int64_t heads) {
  return x.reshape({x.size(0), x.size(1), heads, x.size(2) / heads}).transpose(1, 2);
}

at::Tensor causal_mask(std::int64_t rows, std::int64_t columns, const at::Tensor& like) {
  const at::Tensor full = at::full({rows, columns}, -std::numeric_limits<float>::infinity(),
                                   at::TensorOptions().dtype(at::kFloat).device(like.device()));
  return full.triu(1);
}

}  // namespace

at::Tensor evaluate(const graph::MatMul& op, const OpArguments& args) {
  at::Tensor a = narrow(args[0], args), b = narrow(args[1], args);
  if (op.transpose_a) a = a.transpose(-2, -1);
  if (op.transpose_b) b = b.transpose(-2, -1);
  // LibTorch sums small bf16 products in bf16 on the CPU.
  if (a.scalar_type() == at::kBFloat16 && a.is_cpu())
    return at::matmul(a.to(at::kFloat), b.to(at::kFloat)).to(at::kBFloat16);
  return at::matmul(a, b);
}

at::Tensor evaluate(const graph::Linear&, const OpArguments& a) {
  const at::Tensor x = narrow(a[0], a), weight = narrow(a[1], a);
  // Two axes: ATen's path for more makes the bias a pass of its own.
  const at::Tensor rows = x.reshape({-1, x.size(-1)});
  const at::Tensor y = a.size() > 2 ? at::linear(rows, weight, narrow(a[2], a)) : at::linear(rows, weight);
  return y.reshape(a.type.shape);
}

at::Tensor evaluate(const graph::Conv2d& op, const OpArguments& a) {
  at::Tensor x = planes(narrow(a[0], a));
  const at::Tensor weight = narrow(a[1], a).contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor bias = a.size() > 2 ? narrow(a[2], a) : at::Tensor();
  std::vector<std::int64_t> padding{op.padding[0], op.padding[1]};
  if (!symmetric(op.padding)) {
    x = pad_planes(x, op.padding, 0);
    padding = {0, 0};
  }
  return unplanes(at::conv2d(x, weight, bias, op.stride, padding, op.dilation, op.groups));
}

at::Tensor evaluate(const graph::Pool2d& op, const OpArguments& a) {
  return in_f32(a[0], [&](const at::Tensor& value) {
    const at::Tensor x = planes(value);
    bool padded = false;
    for (const std::int64_t p : op.padding) padded = padded || p != 0;
    if (op.kind == graph::PoolKind::max) {
      constexpr double kLowest = -std::numeric_limits<double>::infinity();
      return unplanes(at::max_pool2d(padded ? pad_planes(x, op.padding, kLowest) : x, op.kernel, op.stride));
    }
    if (!padded) return unplanes(at::avg_pool2d(x, op.kernel, op.stride));
    const at::Tensor inside = pad_planes(at::ones({1, 1, x.size(2), x.size(3)}, x.options()), op.padding, 0);
    const at::Tensor sum = at::avg_pool2d(pad_planes(x, op.padding, 0), op.kernel, op.stride);
    return unplanes(sum / at::avg_pool2d(inside, op.kernel, op.stride));
  });
}

namespace {

// One axis of x (B, H, W, C) on a grid that ATen has no kernel for: two gathers and a blend, or one gather.
at::Tensor blend_rows(const at::Tensor& x, std::int64_t axis, std::int64_t out, const graph::Resize& op) {
  const std::int64_t in = x.size(axis);
  const bool corners = op.grid == graph::ResizeGrid::align_corners;
  const std::int64_t top = corners ? in - 1 : in, bottom = corners ? std::max<std::int64_t>(out - 1, 1) : out;
  std::vector<std::int64_t> first, second;
  std::vector<float> part;
  for (std::int64_t o = 0; o < out; ++o) {
    std::int64_t low = o * top / bottom;
    part.push_back(static_cast<float>(o * top % bottom) / static_cast<float>(bottom));
    if (op.mode == graph::ResizeMode::nearest) low = corners ? (2 * o * top + bottom) / (2 * bottom) : low;
    first.push_back(low);
    second.push_back(std::min(low + 1, in - 1));
  }
  const auto rows = [&](const std::vector<std::int64_t>& index) { return x.index_select(axis, at::tensor(index)); };
  if (op.mode == graph::ResizeMode::nearest) return rows(first);
  std::vector<std::int64_t> shape(4, 1);
  shape[static_cast<std::size_t>(axis)] = out;
  return at::lerp(rows(first), rows(second), at::tensor(part).reshape(shape));
}

}  // namespace

at::Tensor evaluate(const graph::Resize& op, const OpArguments& a) {
  const at::Tensor& x = a[0];
  const std::int64_t b = x.size(0), h = x.size(1), w = x.size(2), c = x.size(3);
  using enum graph::ResizeGrid;
  if (op.mode == graph::ResizeMode::nearest && op.grid != align_corners && op.height % h == 0 && op.width % w == 0) {
    const std::int64_t fy = op.height / h, fx = op.width / w;
    return x.reshape({b, h, 1, w, 1, c}).expand({b, h, fy, w, fx, c}).reshape(a.type.shape);
  }
  return in_f32(x, [&](const at::Tensor& value) {
    const std::vector<std::int64_t> size{op.height, op.width};
    if (op.grid == asymmetric || (op.grid == align_corners && op.mode == graph::ResizeMode::nearest)) {
      return blend_rows(blend_rows(value, 1, op.height, op), 2, op.width, op);
    }
    if (op.mode == graph::ResizeMode::nearest) return unplanes(at::_upsample_nearest_exact2d(planes(value), size));
    return unplanes(at::upsample_bilinear2d(planes(value), size, op.grid == align_corners));
  });
}

at::Tensor evaluate(const graph::PixelShuffle& op, const OpArguments& a) {
  const at::Tensor& x = a[0];
  const std::int64_t r = op.factor, h = x.size(1), w = x.size(2), c = x.size(3) / (r * r);
  return x.reshape({-1, h, w, c, r, r}).permute({0, 1, 4, 2, 5, 3}).reshape(a.type.shape);
}

at::Tensor evaluate(const graph::PixelUnshuffle& op, const OpArguments& a) {
  const at::Tensor& x = a[0];
  const std::int64_t r = op.factor, h = x.size(1) / r, w = x.size(2) / r, c = x.size(3);
  return x.reshape({-1, h, r, w, r, c}).permute({0, 1, 3, 5, 2, 4}).reshape(a.type.shape);
}

at::Tensor evaluate(const graph::LayerNorm& op, const OpArguments& a) {
  return row_norm(a[0], optional(a, 1), optional(a, 2), true, op.eps);
}

at::Tensor evaluate(const graph::RmsNorm& op, const OpArguments& a) {
  return row_norm(a[0], optional(a, 1), {}, false, op.eps);
}

at::Tensor evaluate(const graph::GroupNorm& op, const OpArguments& a) {
  return group_norm(a[0], a[1], a[2], op.groups, op.eps);
}

at::Tensor evaluate(const graph::Modulate&, const OpArguments& a) { return modulate(a[0], a[1], a[2]); }

at::Tensor evaluate(const graph::Attention& op, const OpArguments& a) {
  const at::Tensor q = split_heads(narrow(a[0], a), op.heads);
  at::Tensor k = split_heads(narrow(a[1], a), op.kv_heads), v = split_heads(narrow(a[2], a), op.kv_heads);
  if (op.heads != op.kv_heads) {
    k = k.repeat_interleave(op.heads / op.kv_heads, 1);
    v = v.repeat_interleave(op.heads / op.kv_heads, 1);
  }
  const double scale = op.scale != 0 ? op.scale : 1 / std::sqrt(static_cast<double>(q.size(-1)));
  at::Tensor mask = optional(a, 3);
  if (op.causal) {
    const at::Tensor causal = causal_mask(q.size(2), k.size(2), q);
    mask = mask.defined() ? mask.to(at::kFloat) + causal : causal;
  }
  const auto join = [&](const at::Tensor& y) { return y.transpose(1, 2).reshape(a.type.shape); };
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 1)
  const auto bias = mask.defined() ? std::optional<at::Tensor>(mask.to(q.scalar_type())) : std::nullopt;
  return join(at::scaled_dot_product_attention(q, k, v, bias, 0.0, false, scale));
#else
  // Scaled and masked in f32: in bf16 each would round the scores once more.
  at::Tensor scores = at::matmul(q, k.transpose(-2, -1)).to(at::kFloat) * scale;
  if (mask.defined()) scores = scores + mask.to(at::kFloat);
  const at::Tensor weights = at::softmax(scores, -1).to(v.scalar_type());
  return join(at::matmul(weights, v));
#endif
}

at::Tensor evaluate(const graph::SinusoidalEmbedding& op, const OpArguments& a) {
  const std::int64_t half = op.dim / 2;
  const auto options = at::TensorOptions().dtype(at::kFloat).device(a.device);
  const at::Tensor exponent = at::arange(half, options) * (-std::log(op.max_period) / static_cast<double>(half));
  const at::Tensor angle = a[0].to(at::kFloat).unsqueeze(-1) * op.scale * at::exp(exponent);
  return at::cat({at::cos(angle), at::sin(angle)}, -1);
}

}  // namespace thimble::train
