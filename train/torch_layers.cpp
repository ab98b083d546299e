#include "train/torch_layers.h"

#include "train/elementwise_kernels.h"
#include "train/norm_kernels.h"

namespace thimble::train {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

at::Tensor as_f32(const at::Tensor& t) { return t.defined() ? t.to(at::kFloat).contiguous() : t; }
float* floats(const at::Tensor& t) { return t.defined() ? t.data_ptr<float>() : nullptr; }

// Calls f with pointers of the tensors' own type.
template <class F>
void by_type(const at::Tensor& t, F&& f) {
  if (t.scalar_type() == at::kBFloat16) {
    f(bf16{});
  } else {
    check(t.scalar_type() == at::kFloat, "norms take f32 or bf16");
    f(float{});
  }
}
template <class T>
T* data(const at::Tensor& t) {
  return static_cast<T*>(t.data_ptr());
}

class GroupNormFunction : public torch::autograd::Function<GroupNormFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& input, const at::Tensor& weight_in,
                            const at::Tensor& bias_in, std::int64_t groups, double eps) {
    const at::Tensor x = input.contiguous(), weight = as_f32(weight_in), bias = as_f32(bias_in);
    const GroupNormShape shape{x.size(0), x.numel() / (x.size(0) * x.size(-1)), x.size(-1), groups, eps};
    at::Tensor y = at::empty_like(x);
    at::Tensor mean = at::empty({x.size(0), groups}, weight.options()), rstd = at::empty_like(mean);
    by_type(x, [&]<class T>(T) {
      group_norm_forward(shape, data<T>(x), floats(weight), floats(bias), data<T>(y), floats(mean), floats(rstd));
    });
    context->save_for_backward({x, weight, mean, rstd});
    context->saved_data["groups"] = groups;
    context->saved_data["eps"] = eps;
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1], &mean = saved[2], &rstd = saved[3];
    const GroupNormShape shape{x.size(0), x.numel() / (x.size(0) * x.size(-1)), x.size(-1),
                               context->saved_data["groups"].toInt(), context->saved_data["eps"].toDouble()};
    const at::Tensor dy = gradients[0].to(x.scalar_type()).contiguous();
    at::Tensor dx = at::empty_like(x), dweight = at::empty_like(weight), dbias = at::empty_like(weight);
    by_type(x, [&]<class T>(T) {
      group_norm_backward(shape, data<T>(x), data<T>(dy), floats(weight), floats(mean), floats(rstd), data<T>(dx),
                          floats(dweight), floats(dbias));
    });
    return {dx, dweight, dbias, at::Tensor(), at::Tensor()};
  }
};

// Function::apply takes a tensor that may be missing only so.
#if TORCH_VERSION_MAJOR >= 2
using MaybeTensor = std::optional<at::Tensor>;
#else
using MaybeTensor = c10::optional<at::Tensor>;
#endif
MaybeTensor maybe(const at::Tensor& t) { return t.defined() ? MaybeTensor(t) : MaybeTensor(); }
at::Tensor as_f32(const MaybeTensor& t) { return t.has_value() ? as_f32(*t) : at::Tensor(); }

class RowNormFunction : public torch::autograd::Function<RowNormFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& input, const MaybeTensor& weight_in,
                            const MaybeTensor& bias_in, bool centre, double eps) {
    const at::Tensor x = input.contiguous(), weight = as_f32(weight_in), bias = as_f32(bias_in);
    const RowNormShape shape{x.numel() / x.size(-1), x.size(-1), eps, centre};
    at::Tensor y = at::empty_like(x);
    at::Tensor mean = at::empty({shape.rows}, x.options().dtype(at::kFloat)), rstd = at::empty_like(mean);
    by_type(x, [&]<class T>(T) {
      row_norm_forward(shape, data<T>(x), floats(weight), floats(bias), data<T>(y), floats(mean), floats(rstd));
    });
    context->save_for_backward({x, weight, mean, rstd});
    context->saved_data["bias"] = bias.defined();
    context->saved_data["centre"] = centre;
    context->saved_data["eps"] = eps;
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1], &mean = saved[2], &rstd = saved[3];
    const RowNormShape shape{x.numel() / x.size(-1), x.size(-1), context->saved_data["eps"].toDouble(),
                             context->saved_data["centre"].toBool()};
    const at::Tensor dy = gradients[0].to(x.scalar_type()).contiguous();
    at::Tensor dx = at::empty_like(x), dweight, dbias;
    if (weight.defined()) dweight = at::empty_like(weight);
    if (context->saved_data["bias"].toBool()) dbias = at::empty({x.size(-1)}, mean.options());
    by_type(x, [&]<class T>(T) {
      row_norm_backward(shape, data<T>(x), data<T>(dy), floats(weight), floats(mean), floats(rstd), data<T>(dx),
                        floats(dweight), floats(dbias));
    });
    return {dx, dweight, dbias, at::Tensor(), at::Tensor()};
  }
};

class GateFunction : public torch::autograd::Function<GateFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& input, std::int64_t gate) {
    const at::Tensor x = input.contiguous();
    at::Tensor y = at::empty_like(x);
    by_type(x, [&]<class T>(T) { gate_forward(static_cast<Gate>(gate), data<T>(x), data<T>(y), x.numel()); });
    context->save_for_backward({x});
    context->saved_data["gate"] = gate;
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const at::Tensor x = context->get_saved_variables()[0];
    const at::Tensor dy = gradients[0].to(x.scalar_type()).contiguous();
    at::Tensor dx = at::empty_like(x);
    const auto gate = static_cast<Gate>(context->saved_data["gate"].toInt());
    by_type(x, [&]<class T>(T) { gate_backward(gate, data<T>(x), data<T>(dy), data<T>(dx), x.numel()); });
    return {dx, at::Tensor()};
  }
};

class ModulateFunction : public torch::autograd::Function<ModulateFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& input, const at::Tensor& shift_in,
                            const at::Tensor& scale_in) {
    const at::Tensor x = input.contiguous(), shift = as_f32(shift_in), scale = as_f32(scale_in);
    at::Tensor y = at::empty_like(x);
    by_type(x,
            [&]<class T>(T) { modulate_forward(shape_of(x), data<T>(x), floats(shift), floats(scale), data<T>(y)); });
    context->save_for_backward({x, scale});
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &scale = saved[1];
    const at::Tensor dy = gradients[0].to(x.scalar_type()).contiguous();
    at::Tensor dx = at::empty_like(x), dshift = at::empty_like(scale), dscale = at::empty_like(scale);
    by_type(x, [&]<class T>(T) {
      modulate_backward(shape_of(x), data<T>(x), data<T>(dy), floats(scale), data<T>(dx), floats(dshift),
                        floats(dscale));
    });
    return {dx, dshift, dscale};
  }

 private:
  static ModulateShape shape_of(const at::Tensor& x) { return {x.size(0), x.size(1), x.size(2)}; }
};

bool has_kernels(const at::Tensor& x) {
  return x.device().is_cpu() && (x.scalar_type() == at::kBFloat16 || x.scalar_type() == at::kFloat);
}

}  // namespace

at::Tensor gelu_tanh(const at::Tensor& x) {
  return has_kernels(x) ? GateFunction::apply(x, static_cast<std::int64_t>(Gate::gelu_tanh)) : at::gelu(x, "tanh");
}
at::Tensor silu(const at::Tensor& x) {
  return has_kernels(x) ? GateFunction::apply(x, static_cast<std::int64_t>(Gate::silu)) : at::silu(x);
}

at::Tensor modulate(const at::Tensor& x, const at::Tensor& shift, const at::Tensor& scale) {
  const bool plain = shift.sizes() == scale.sizes() && shift.size(0) == x.size(0) && shift.size(1) == 1;
  if (has_kernels(x) && plain) return ModulateFunction::apply(x, shift, scale);
  return at::addcmul(shift.to(x.scalar_type()), x, (scale.to(at::kFloat) + 1).to(x.scalar_type()));
}

at::Tensor group_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, std::int64_t groups,
                      double eps) {
  if (has_kernels(x)) return GroupNormFunction::apply(x, weight, bias, groups, eps);
  const at::Tensor planes = x.to(at::kFloat).movedim(-1, 1);
  return at::group_norm(planes, groups, weight.to(at::kFloat), bias.to(at::kFloat), eps)
      .movedim(1, -1)
      .to(x.scalar_type());
}

at::Tensor row_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, bool centre, double eps) {
  if (has_kernels(x)) return RowNormFunction::apply(x, maybe(weight), maybe(bias), centre, eps);
  const at::Tensor wide = x.to(at::kFloat);
  at::Tensor y;
  if (centre) {
    y = at::layer_norm(wide, {x.size(-1)}, as_f32(weight), as_f32(bias), eps);
  } else {
    y = wide * at::rsqrt(at::mean(at::square(wide), at::IntArrayRef{-1}, true) + eps);
    if (weight.defined()) y = y * weight.to(at::kFloat);
  }
  return y.to(x.scalar_type());
}

}  // namespace thimble::train
