// Quantised convolutions: pictures rounded once for all layers that read them, and a product of integers with the
// epilogues that convolutions of floats have.
#include <algorithm>

#include "base/error.h"
#include "base/index.h"
#include "runtime/lower_product.h"

namespace thimble::runtime {

using namespace graph;

namespace {

// The unit's input as int8. Convolutions that read one input alike share it.
Located rounded(Lowering& l, const Unit& u, const kernels::QConvPlan& plan, bool asymmetric) {
  const std::string key = fmt::format("%{} pictures {} {}", u.x, static_cast<int>(plan.kernel->a_panel), asymmetric);
  if (const auto it = l.packed_activations.find(key); it != l.packed_activations.end()) return it->second;
  const Located x = l.read_rows(u.x, l.held(u.x) == DType::bf16 ? DType::bf16 : DType::f32);
  const auto bytes = static_cast<std::int64_t>(kernels::rounded_bytes(plan));
  const Located to = l.temporary({DType::u8, {bytes}});
  RoundPicturesStep step{plan, {}};
  step.args.type = x.dtype;
  step.args.x_ld = as_rows(x)->stride;
  step.args.asymmetric = asymmetric;
  l.emit(nullptr, "quantize", {fmt::format("pictures for {}", plan.kernel->name)}, step,
         {.in = {Lowering::at(x)}, .out = Lowering::at(to)}, to);
  l.packed_activations.emplace(key, to);
  return to;
}

}  // namespace

void lower(Lowering& l, const Unit& u, const QuantConv2d& op) {
  const Node& node = l.node(u);
  const kernels::QConvPlan plan = kernels::plan_qconv(
      conv_shape(l.type(u.x).shape, l.type(node.inputs[1]).shape, op, u.upsample), l.threads, l.isa);
  Operands io;
  const Located x = rounded(l, u, plan, op.asymmetric);
  FixedBuffer b;
  for (std::size_t i : {1, 2}) b.sources.push_back(l.source(node.inputs[i]));
  b.key = fmt::format("{} {} conv panels {} of {} by {}", b.sources[0].key(), b.sources[1].key(),
                      static_cast<int>(plan.kernel->layout), plan.kernel->nr, plan.kernel->kr);
  b.bytes = kernels::qconv_packed_bytes(plan);
  b.fill = [plan](std::span<const Tensor> from, ThreadPool&, std::byte* to) {
    const Tensor scale = from[1].to(DType::f32);
    kernels::qconv_pack(plan, reinterpret_cast<const std::int8_t*>(from[0].data()), scale.as<float>().data(), to);
  };
  io.in[1] = {l.fixed_buffer(std::move(b)), 0};
  QConvStep step{plan, {}};
  step.args.epilogue = epilogue(l, u, io);
  const Located y = l.result(u, {u.residual});
  step.args.y_ld = y.shape[3];
  step.args.y_type = y.dtype;
  io.in[0] = Lowering::at(x);
  io.out = Lowering::at(y);
  Lowering::Kernel kernel{fmt::format("implicit {}", plan.kernel->name)};
  for (const auto& choice : kernels::explain_qgemm(8, 0, l.isa)) {
    if (choice.kernel == plan.kernel) break;
    kernel.refused += fmt::format("{}{}: {}", kernel.refused.empty() ? "" : ", ", choice.kernel->name, choice.refused);
  }
  l.emit(&u, u.name, std::move(kernel), step, io, y, kernels::qconv_scratch_bytes(plan));
}

}  // namespace thimble::runtime
