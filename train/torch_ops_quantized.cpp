// Quantised products with the arithmetic of integers said in f32: what the device multiplies in int8 is multiplied here
// as whole numbers, exactly while a sum stays below 2^24.
#include "train/torch_ops.h"

namespace thimble::train {
namespace {

constexpr double kSmallest = 0x1p-100;  // a row below it counts as zero

// (O, I) whole numbers of either form.
at::Tensor whole_numbers(const at::Tensor& weight, std::int64_t bits) {
  const at::Tensor w = weight.to(at::kFloat);
  if (bits == 8) return w;
  const at::Tensor high = at::floor(w / 16), low = w - high * 16;
  const at::Tensor nibbles = at::stack({low, high}, 2).reshape({w.size(0), 2 * w.size(1)});
  return at::where(nibbles > 7.5, nibbles - 16, nibbles);
}

struct Steps {
  at::Tensor whole, step;  // q - z, and the row's scale
};

Steps to_steps(const at::Tensor& x, bool asymmetric, at::IntArrayRef axes = {-1}) {
  if (!asymmetric) {
    const at::Tensor step = x.abs().amax(axes, true).clamp_min(kSmallest) / 127;
    return {at::round(x * (1 / step)).clamp(-127, 127), step};
  }
  const at::Tensor least = x.amin(axes, true).clamp_max(0), most = x.amax(axes, true).clamp_min(0);
  const at::Tensor step = (most - least).clamp_min(kSmallest) / 255, zero = at::round(-128 - least / step);
  return {at::minimum(at::maximum(at::round(x * (1 / step)), -128 - zero), 127 - zero), step};
}

}  // namespace

at::Tensor evaluate(const graph::QuantLinear& op, const OpArguments& a) {
  const at::Tensor x = a[0].to(at::kFloat).reshape({-1, a[0].size(-1)}), scale = a[2].to(at::kFloat);
  at::Tensor weight = whole_numbers(a[1], op.bits);
  if (op.group != 0) weight = weight * scale.repeat_interleave(op.group, 1).narrow(1, 0, weight.size(1));
  const auto product = [&](const at::Tensor& rows) {
    const at::Tensor y = at::matmul(rows, weight.t());
    return op.group == 0 ? y * scale.reshape({-1}) : y;
  };
  at::Tensor y;
  if (op.activations == 16) {
    y = product(x);
  } else {
    const Steps steps = to_steps(x, op.asymmetric);
    y = product(steps.whole) * steps.step;
  }
  if (a.size() > 3) y = y + a[3].to(at::kFloat);
  return y.to(a.bf16 ? at::kBFloat16 : at::kFloat).reshape(a.type.shape);
}

at::Tensor evaluate(const graph::QuantConv2d& op, const OpArguments& a) {
  const Steps steps = to_steps(a[0].to(at::kFloat), op.asymmetric, {1, 2, 3});
  const std::vector<at::Tensor> whole{steps.whole, a[1].to(at::kFloat)};
  const OpArguments core{whole, a.type, a.device, false};
  at::Tensor y = evaluate(graph::Conv2d{op.stride, op.padding, op.dilation, op.groups}, core);
  y = y * a[2].to(at::kFloat).reshape({-1}) * steps.step;
  if (a.size() > 3) y = y + a[3].to(at::kFloat);
  return y.to(a.bf16 ? at::kBFloat16 : at::kFloat);
}

}  // namespace thimble::train
