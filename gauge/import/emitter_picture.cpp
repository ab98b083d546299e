// Convolutions, pooling and resizing. Foreign pictures come as (N, H, W, C) here; callers of channels-first models
// transpose, which costs nothing until an op needs the other order.
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "gauge/import/emitter.h"

namespace thimble::gauge {

using namespace graph;

namespace {

std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

bool any(const Ints& v) {
  return std::ranges::any_of(v, [](std::int64_t i) { return i != 0; });
}

// Elements i of the first axis of `t` times factor[i], as f32.
Tensor scaled_rows(const Tensor& t, const std::vector<double>& factor) {
  Tensor out(TensorType{DType::f32, t.shape()});
  const Tensor from = t.to(DType::f32);
  const auto x = from.as<float>();
  const auto y = out.mutable_as<float>();
  const std::size_t row = x.size() / factor.size();
  for (std::size_t i = 0; i < x.size(); ++i) y[i] = static_cast<float>(double{x[i]} * factor[i / row]);
  return out;
}

}  // namespace

Value Emitter::emit_conv(const Convolution& c) {
  std::vector<Var> in{c.x, lift(constant(c.weight, c.name))};
  if (c.bias) in.push_back(lift(constant(*c.bias, c.name + ".bias")));
  const Var y = builder_.add(c.op, in);
  convolutions_[y.id] = c;
  return of(y);
}

Value Emitter::conv2d(const Value& x, const Value& weight, const Value* bias, const Window& w, std::int64_t groups) {
  Conv2d op{.stride = w.stride, .padding = w.padding, .dilation = w.dilation, .groups = groups};
  Var from = plain(x);
  // Zeros that a pad put around the picture are the convolution's own.
  const graph::Value& source = builder_.graph().value(from.id);
  if (source.producer >= 0) {
    const Node& node = builder_.graph().nodes[index(source.producer)];
    const auto* pad = std::get_if<Pad>(&node.op);
    if (pad != nullptr && pad->value == 0 && pad->before.size() == 4 && pad->before[0] + pad->after[0] == 0 &&
        pad->before[3] + pad->after[3] == 0) {
      op.padding = {op.padding[0] + pad->before[1], op.padding[1] + pad->before[2], op.padding[2] + pad->after[1],
                    op.padding[3] + pad->after[2]};
      from = {from.builder, node.inputs[0]};
    }
  }
  if (weight.constant && (bias == nullptr || bias->constant)) {
    Convolution c{from, *weight.constant, {}, op, weight.name};
    if (bias) c.bias = *bias->constant;
    return emit_conv(c);
  }
  std::vector<Var> in{from, plain(weight)};
  if (bias) in.push_back(plain(*bias));
  return of(builder_.add(op, in));
}

Value Emitter::scale_shift(const Value& x, const Value& scale, const Value& shift, bool sole) {
  const auto found = x.constant ? convolutions_.end() : convolutions_.find(x.var.id);
  const bool last = !x.constant && x.order.back() + 1 == x.rank();
  if (!sole || !last || found == convolutions_.end() || !scale.constant || !shift.constant) {
    return add(mul(x, scale), shift);
  }
  Convolution c = found->second;
  const std::vector<double> a = known_numbers(scale, "a scale"), b = known_numbers(shift, "a shift");
  const auto channels = index(c.weight.shape()[0]);
  if (a.size() != channels || b.size() != channels) return add(mul(x, scale), shift);
  c.weight = scaled_rows(c.weight, a);
  Tensor bias(TensorType{DType::f32, {static_cast<std::int64_t>(channels)}});
  const Tensor old = c.bias ? c.bias->to(DType::f32) : Tensor(bias.type());
  for (std::size_t i = 0; i < channels; ++i) {
    bias.mutable_as<float>()[i] = static_cast<float>(double{old.as<float>()[i]} * a[i] + b[i]);
  }
  c.bias = bias;
  Value y = emit_conv(c);
  y.order = x.order;
  y.type = x.type;
  return y;
}

Value Emitter::conv_transpose2d(const Value& x, const Value& weight, const Value* bias, const Window& w,
                                std::int64_t groups, const Ints& extra) {
  const Value picture = x;
  if (weight.rank() != 4 || picture.rank() != 4)
    fail(ErrorKind::unsupported, "a transposed convolution of {} axes", x.rank());
  if (!weight.constant) fail(ErrorKind::unsupported, "the filter of a transposed convolution is computed by the graph");
  const Shape k = weight.shape();  // (I, O/groups, kh, kw)
  if (groups < 1 || k[0] % groups != 0) fail(ErrorKind::bad_file, "{} groups of a filter {}", groups, to_string(k));
  const std::int64_t out_channels = k[1] * groups;
  const bool tiles = groups == 1 && k[2] == w.stride[0] && k[3] == w.stride[1] && k[2] == k[3] && !any(w.padding) &&
                     !any(extra) && w.dilation == Ints{1, 1};
  if (tiles) {  // windows side by side: a product of each pixel with every place of the window
    const Tensor rows = permuted(*weight.constant, {1, 2, 3, 0}).reshaped({k[1] * k[2] * k[3], k[0]});
    std::optional<Value> b;
    if (bias) {
      const std::vector<double> values = known_numbers(*bias, "the bias of a transposed convolution");
      std::vector<float> repeated;
      for (const double v : values) repeated.insert(repeated.end(), index(k[2] * k[3]), static_cast<float>(v));
      b = constant(Tensor::of({static_cast<std::int64_t>(repeated.size())}, repeated), bias->name);
    }
    const Tensor filter = rows.reshaped({k[1] * k[2] * k[3], k[0], 1, 1});
    const Value y = conv2d(picture, constant(filter, weight.name), b ? &*b : nullptr, {}, 1);
    return pixel_shuffle(y, k[2], false);
  }
  // Zeros between the pixels, then a convolution with the filter turned round.
  const std::int64_t n = picture.dim(0), h = picture.dim(1), v = picture.dim(2), c = picture.dim(3);
  Value wide = picture;
  if (w.stride != Ints{1, 1}) {
    const Value cells = reshape(picture, {n, h, 1, v, 1, c});
    const Value padded = pad(cells, {0, 0, 0, 0, 0, 0}, {0, 0, w.stride[0] - 1, 0, w.stride[1] - 1, 0}, 0);
    wide = reshape(padded, {n, h * w.stride[0], v * w.stride[1], c});
    wide = slice(wide, 1, 0, (h - 1) * w.stride[0] + 1);
    wide = slice(wide, 2, 0, (v - 1) * w.stride[1] + 1);
  }
  const Tensor& t = *weight.constant;
  Tensor turned(TensorType{DType::f32, {out_channels, k[0] / groups, k[2], k[3]}});
  const Tensor from = t.to(DType::f32);
  const std::int64_t in_group = k[0] / groups;
  for (std::int64_t o = 0; o < out_channels; ++o) {
    for (std::int64_t i = 0; i < in_group; ++i) {
      for (std::int64_t y = 0; y < k[2]; ++y) {
        for (std::int64_t z = 0; z < k[3]; ++z) {
          const std::int64_t source = o / k[1] * in_group + i;  // input channel
          turned.mutable_as<float>()[index(((o * in_group + i) * k[2] + k[2] - 1 - y) * k[3] + k[3] - 1 - z)] =
              from.as<float>()[index(((source * k[1] + o % k[1]) * k[2] + y) * k[3] + z)];
        }
      }
    }
  }
  const std::int64_t kh = (k[2] - 1) * w.dilation[0], kw = (k[3] - 1) * w.dilation[1];
  const Ints low{0, kh - w.padding[0], kw - w.padding[1], 0},
      high{0, kh - w.padding[2] + extra[0], kw - w.padding[3] + extra[1], 0};
  wide = pad(wide, low, high, 0);
  Window window;
  window.dilation = w.dilation;
  return conv2d(wide, constant(turned, weight.name), bias, window, groups);
}

Value Emitter::pool2d(PoolKind kind, const Value& x, const Window& w, bool count_padding) {
  Value from = x;
  Ints padding = w.padding;
  if (w.dilation != Ints{1, 1}) fail(ErrorKind::unsupported, "a pooling window with gaps");
  const bool wide =
      padding[0] >= w.kernel[0] || padding[2] >= w.kernel[0] || padding[1] >= w.kernel[1] || padding[3] >= w.kernel[1];
  if (any(padding) && kind == PoolKind::average && (count_padding || wide)) {
    from = pad(from, {0, padding[0], padding[1], 0}, {0, padding[2], padding[3], 0}, 0);
    padding = {0, 0, 0, 0};
  }
  const Pool2d op{kind, w.kernel, w.stride, padding};
  return plain_op(op, {&from, 1});
}

Value Emitter::resize(const Value& x, const Resize& op) {
  if (x.rank() == 4 && op.height == x.dim(1) && op.width == x.dim(2)) return x;
  return plain_op(op, {&x, 1});
}

Value Emitter::pixel_shuffle(const Value& x, std::int64_t r, bool space_first) {
  if (x.rank() != 4 || r < 1 || r > 1024 || x.dim(3) % (r * r) != 0) {
    fail(ErrorKind::bad_file, "blocks of {} from {}", r, to_string(x.type));
  }
  if (!space_first) return plain_op(PixelShuffle{r}, {&x, 1});
  const std::int64_t n = x.dim(0), h = x.dim(1), w = x.dim(2), c = x.dim(3) / (r * r);
  const Value cells = reshape(x, {n, h, w, r, r, c});
  return reshape(transpose(cells, {0, 1, 3, 2, 4, 5}), {n, h * r, w * r, c});
}

Value Emitter::pixel_unshuffle(const Value& x, std::int64_t r, bool space_first) {
  if (x.rank() != 4 || r < 1 || r > 1024 || x.dim(1) % r != 0 || x.dim(2) % r != 0) {
    fail(ErrorKind::bad_file, "blocks of {} into {}", r, to_string(x.type));
  }
  if (!space_first) return plain_op(PixelUnshuffle{r}, {&x, 1});
  const std::int64_t n = x.dim(0), h = x.dim(1) / r, w = x.dim(2) / r, c = x.dim(3);
  const Value cells = reshape(x, {n, h, r, w, r, c});
  return reshape(transpose(cells, {0, 1, 3, 2, 4, 5}), {n, h, w, r * r * c});
}

}  // namespace thimble::gauge
