// Linear layers, products by fixed matrices, convolutions, and products of two computed matrices.
#include <algorithm>

#include "base/error.h"
#include "base/index.h"
#include "runtime/lower_product.h"

namespace thimble::runtime {

using namespace graph;

namespace {

kernels::Activation activation(std::optional<UnaryKind> kind) {
  if (!kind) return kernels::Activation::none;
  switch (*kind) {
    case UnaryKind::relu: return kernels::Activation::relu;
    case UnaryKind::gelu: return kernels::Activation::gelu_erf;
    case UnaryKind::gelu_tanh: return kernels::Activation::gelu_tanh;
    case UnaryKind::silu: return kernels::Activation::silu;
    case UnaryKind::sigmoid: return kernels::Activation::sigmoid;
    case UnaryKind::tanh: return kernels::Activation::tanh;
    case UnaryKind::hard_swish: return kernels::Activation::hard_swish;
    default: fail(ErrorKind::internal, "an activation was fused that no product applies");
  }
}

// Output channels (C, r * r) along the first axis of a static operand, in the order (r * r, C).
StaticSource space_first(const Lowering& l, ValueId v, std::int64_t r) {
  StaticSource s = l.source(v);
  Located& x = s.view;
  const std::int64_t stride = x.strides[0];
  x.shape.insert(x.shape.begin(), r * r);
  x.strides.insert(x.strides.begin(), stride);
  x.shape[1] /= r * r;
  x.strides[1] = stride * r * r;
  s.whole = false;
  return s;
}

Located shuffled_bias(Lowering& l, const Unit& u) {
  FixedBuffer b;
  b.sources.push_back(space_first(l, u.bias, u.shuffle));
  b.key = fmt::format("{} as f32",
                      b.sources[0].literal ? fmt::format("%{} shuffled {}", u.bias, u.shuffle) : b.sources[0].key());
  const std::int64_t n = l.type(u.bias).elements();
  b.bytes = index(n) * sizeof(float);
  b.fill = [n](std::span<const Tensor> from, ThreadPool&, std::byte* to) {
    convert(from[0].type().dtype, from[0].data(), DType::f32, to, index(n));
  };
  return dense_at(l.fixed_buffer(std::move(b)), {DType::f32, {n}});
}

}  // namespace

DType product_type(const Lowering& l, const Unit& u) {
  const DType type = l.type(u.x).dtype;
  return type == DType::f32 ? l.activations : type;
}

kernels::Epilogue epilogue(Lowering& l, const Unit& u, Operands& io) {
  kernels::Epilogue e;
  const Shape& shape = l.type(u.output).shape;
  if (u.bias >= 0) io.in[2] = Lowering::at(u.shuffle > 0 ? shuffled_bias(l, u) : l.read_f32(u.bias));
  e.act = activation(u.activation);
  e.act_last = u.act_last;
  if (u.most) e.most = static_cast<float>(*u.most);
  if (u.slope >= 0) io.in[5] = Lowering::at(l.read_f32(u.slope));
  if (u.gate >= 0) {
    const DType as = l.held(u.gate) == DType::bf16 ? DType::bf16 : DType::f32;
    Located gate = l.read(u.gate, as);
    if (!as_batch_vector(gate, shape)) gate = l.read_dense(u.gate, as);
    const BatchVector v = as_batch_vector(gate, shape).value();
    e.gate_type = as;
    e.gate_batch_stride = v.stride;
    e.rows_per_batch = v.rows;
    io.in[3] = Lowering::at(gate);
  }
  if (u.residual >= 0) {
    const Located residual = l.read_rows(u.residual, l.stored(u.output));
    e.residual_ld = as_rows(residual)->stride;
    io.in[4] = Lowering::at(residual);
  }
  return e;
}

Lowering::Kernel describe(const Lowering& l, const kernels::GemmKernel& kernel) {
  Lowering::Kernel k{std::string(kernel.name)};
  for (const auto& choice : kernels::explain_gemm(kernel.type, l.isa)) {
    if (choice.kernel == &kernel) break;
    k.refused += fmt::format("{}{}: {}", k.refused.empty() ? "" : ", ", choice.kernel->name, choice.refused);
  }
  return k;
}

std::string layout_key(const kernels::GemmKernel& kernel) {
  return fmt::format("panels {} of {} by {}", static_cast<int>(kernel.layout), kernel.nr, kernel.kr);
}

namespace {

std::string source_key(const Lowering& l, ValueId v) {
  const StaticSource s = l.source(v);
  return s.literal ? fmt::format("%{}", v) : s.key();
}

bool packs(DType type) { return type == DType::f32 || type == DType::bf16 || type == DType::f16; }

// The rows of all sources, (N, K) each or (K, N) if `transposed`, packed one after another.
Located packed_matrix(Lowering& l, const kernels::GemmKernel& kernel, const std::vector<ValueId>& weights,
                      bool transposed, std::int64_t N, std::int64_t K) {
  FixedBuffer b;
  for (ValueId v : weights) {
    b.sources.push_back(l.source(v));
    b.key += source_key(l, v) + ' ';
  }
  b.key += fmt::format("{} {}", transposed ? "transposed" : "as", layout_key(kernel));
  b.bytes = kernels::packed_bytes(kernel, N, K);
  b.fill = [&kernel, transposed, N, K](std::span<const Tensor> from, ThreadPool& pool, std::byte* to) {
    Tensor whole = from[0];
    const DType stored = whole.type().dtype;
    const bool alike = std::ranges::all_of(from, [&](const Tensor& t) { return t.type().dtype == stored; });
    if (from.size() > 1 && alike && !transposed && packs(stored)) {  // as they are: reading is the slow part of a load
      whole = Tensor(TensorType{stored, {N, K}});
      std::byte* out = whole.mutable_data();
      for (const Tensor& part : from) out = std::copy_n(part.data(), part.type().bytes(), out);
    } else if (from.size() > 1 || transposed || !packs(stored)) {
      whole = Tensor(TensorType{DType::f32, {N, K}});
      float* out = whole.mutable_as<float>().data();
      for (const Tensor& part : from) {
        const Tensor f32 = part.to(DType::f32);
        const auto values = f32.as<float>();
        for (std::int64_t i = 0; i < f32.type().elements(); ++i) {
          *out++ = values[index(transposed ? i % K * N + i / K : i)];
        }
      }
    }
    const std::int64_t panels = (N + kernel.nr - 1) / kernel.nr;
    pool.parallel_for(panels, 4, [&](std::int64_t begin, std::int64_t end, int) {
      kernels::pack_weight_panels(kernel, N, K, whole.data(), whole.type().dtype, K, to, begin, end);
    });
  };
  const auto bytes = static_cast<std::int64_t>(b.bytes);
  return dense_at(l.fixed_buffer(std::move(b)), {DType::u8, {bytes}});
}

// Weights that the graph computes are packed at every run.
Located packed_at_run(Lowering& l, const kernels::GemmKernel& kernel, ValueId weight, std::int64_t N, std::int64_t K) {
  const Located from = l.read_dense(weight, l.held(weight));
  const auto bytes = static_cast<std::int64_t>(kernels::packed_bytes(kernel, N, K));
  const Located to = l.temporary({DType::u8, {bytes}});
  l.emit(nullptr, "pack", {"pack_weights"}, PackGemmStep{&kernel, N, K, K, from.dtype},
         {.in = {Lowering::at(from)}, .out = Lowering::at(to)}, to);
  return to;
}

// y = epilogue(x W^T): W given as (N, K), or (K, N) if `transposed`.
void lower_product(Lowering& l, const Unit& u, ValueId weight, bool transposed, std::int64_t N, std::int64_t K) {
  const kernels::GemmKernel& kernel = kernels::pick_gemm(product_type(l, u), l.isa);
  Operands io;
  const Located x = l.read_rows(u.x, kernel.type);
  const Located w =
      l.fixed(weight) ? packed_matrix(l, kernel, {weight}, transposed, N, K) : packed_at_run(l, kernel, weight, N, K);
  GemmStep step{&kernel, {}};
  step.args.epilogue = epilogue(l, u, io);
  const Located y = l.result(u, {u.residual});
  step.args.M = y.elements() / std::max<std::int64_t>(N, 1);
  step.args.N = N;
  step.args.K = K;
  step.args.lda = as_rows(x)->stride;
  step.args.ldc = N;
  step.args.c_type = y.dtype;
  io.in[0] = Lowering::at(x);
  io.in[1] = Lowering::at(w);
  io.out = Lowering::at(y);
  l.emit(&u, u.name, describe(l, kernel), step, io, y,
         kernels::gemm_scratch_bytes(kernel, step.args.M, N, K, l.threads));
}

// Several linears of one input as one product; each result is a slice of its columns.
void lower_merged(Lowering& l, const Unit& u) {
  const kernels::GemmKernel& kernel = kernels::pick_gemm(product_type(l, u), l.isa);
  std::vector<ValueId> weights, biases;
  std::int64_t N = 0;
  for (int n : u.merged) {
    const Node& node = l.g.nodes[index(n)];
    weights.push_back(node.inputs[1]);
    if (node.inputs.size() > 2) biases.push_back(node.inputs[2]);
    N += l.type(node.output).shape.back();
  }
  const std::int64_t K = l.type(u.x).shape.back();
  Shape shape = l.type(u.x).shape;
  shape.back() = N;
  Operands io;
  const Located x = l.read_rows(u.x, kernel.type);
  const Located w = packed_matrix(l, kernel, weights, false, N, K);
  const Located y = l.temporary({l.stored(u.output), shape});
  if (!biases.empty()) {
    FixedBuffer b;
    for (ValueId v : biases) {
      b.sources.push_back(l.source(v));
      b.key += source_key(l, v) + ' ';
    }
    b.key += "joined as f32";
    b.bytes = index(N) * sizeof(float);
    b.fill = [](std::span<const Tensor> from, ThreadPool&, std::byte* to) {
      for (const Tensor& part : from) {
        const auto n = index(part.type().elements());
        convert(part.type().dtype, part.data(), DType::f32, to, n);
        to += n * sizeof(float);
      }
    };
    io.in[2] = Lowering::at(dense_at(l.fixed_buffer(std::move(b)), {DType::f32, {N}}));
  }
  std::int64_t column = 0;
  for (int n : u.merged) {
    const ValueId v = l.g.nodes[index(n)].output;
    const std::int64_t size = l.type(v).shape.back();
    l.place(v, sliced(y, Slice{static_cast<std::int64_t>(shape.size()) - 1, column, column + size, 1}));
    column += size;
  }
  GemmStep step{&kernel, {}};
  step.args.M = y.elements() / N;
  step.args.N = step.args.ldc = N;
  step.args.K = K;
  step.args.lda = as_rows(x)->stride;
  step.args.c_type = y.dtype;
  io.in[0] = Lowering::at(x);
  io.in[1] = Lowering::at(w);
  io.out = Lowering::at(y);
  l.emit(&u, u.name, describe(l, kernel), step, io, y,
         kernels::gemm_scratch_bytes(kernel, step.args.M, N, K, l.threads));
}

// Weights that the graph computes: brought into the order of patches, (O, kh, kw, I), and packed group by group.
Located conv_packed_at_run(Lowering& l, const kernels::ConvPlan& plan, ValueId weight) {
  const Located from = transposed(l.read(weight, l.held(weight)), {0, 2, 3, 1});
  const Located ordered = l.temporary({from.dtype, from.shape});
  l.copy(from, ordered, "transpose");
  const auto bytes = static_cast<std::int64_t>(kernels::conv_packed_bytes(plan));
  const Located to = l.temporary({DType::u8, {bytes}});
  for (std::int64_t group = 0; group < plan.shape.groups; ++group) {
    Place in = Lowering::at(ordered), out = Lowering::at(to);
    in.offset += group * plan.N * plan.K * static_cast<std::int64_t>(size_of(from.dtype));
    out.offset += group * static_cast<std::int64_t>(plan.group_packed_bytes);
    l.emit(nullptr, "pack", {"pack_weights"}, PackGemmStep{plan.gemm, plan.N, plan.K, plan.K, from.dtype},
           {.in = {in}, .out = out}, to);
  }
  return to;
}

}  // namespace

void lower(Lowering& l, const Unit& u, const Linear&) {
  if (!u.merged.empty()) return lower_merged(l, u);
  const ValueId weight = l.node(u).inputs[1];
  lower_product(l, u, weight, false, l.type(weight).shape[0], l.type(weight).shape[1]);
}

void lower(Lowering& l, const Unit& u, const MatMul& op) {
  const ValueId av = l.node(u).inputs[0], bv = l.node(u).inputs[1];
  const Shape &as = l.type(av).shape, &bs = l.type(bv).shape, &ys = l.type(u.output).shape;
  const std::int64_t N = ys.back(), K = as[as.size() - (op.transpose_a ? 2 : 1)];
  if (is_linear_matmul(l.g, l.f, l.node(u))) return lower_product(l, u, bv, !op.transpose_b, N, K);

  const DType type = l.stored(u.output);
  if (type != DType::f32 && type != DType::bf16) want_kernel<kernels::GemmKernel>(nullptr, type, "matmul");
  const Located a = l.read(av, type), b = l.read(bv, type), y = l.result(u);
  MatMulStep step{.type = type, .M = ys[ys.size() - 2], .N = N, .K = K, .a_row = 0, .a_k = 0, .b_k = 0, .b_column = 0};
  step.rank = static_cast<int>(ys.size()) - 2;
  if (step.rank > kernels::kMaxRank) fail(ErrorKind::unsupported, "[matmul] {} has too many axes", to_string(ys));
  const auto batch_strides = [&](const Located& x, std::int64_t* out) {
    const std::size_t own = x.shape.size() - 2, missing = index(step.rank) - own;
    for (std::size_t i = 0; i < own; ++i) out[missing + i] = x.shape[i] == 1 ? 0 : x.strides[i];
  };
  std::copy_n(ys.begin(), step.rank, step.batch);
  batch_strides(a, step.a_batch);
  batch_strides(b, step.b_batch);
  step.a_row = a.strides[as.size() - 2];
  step.a_k = a.strides[as.size() - 1];
  if (op.transpose_a) std::swap(step.a_row, step.a_k);
  step.b_k = b.strides[bs.size() - 2];
  step.b_column = b.strides[bs.size() - 1];
  if (op.transpose_b) std::swap(step.b_k, step.b_column);
  l.emit(&u, u.name, {}, step, {.in = {Lowering::at(a), Lowering::at(b)}, .out = Lowering::at(y)}, y);
}

void lower(Lowering& l, const Unit& u, const Conv2d& op) {
  const ValueId weight = l.node(u).inputs[1];
  const Shape& y_shape = l.type(l.node(u).output).shape;
  const kernels::ConvShape s = conv_shape(l.type(u.x).shape, l.type(weight).shape, op, u.upsample);
  const DType type = product_type(l, u);
  ConvStep step{l.fixed(weight) ? kernels::plan_conv(s, type, l.threads, l.isa)
                                : kernels::plan_conv_with(s, kernels::pick_gemm(type, l.isa), l.threads),
                {}};
  const kernels::ConvPlan& plan = step.plan;
  Operands io;
  const Located x = l.read_rows(u.x, plan.type);
  if (l.fixed(weight)) {
    FixedBuffer b;
    b.sources.push_back(u.shuffle > 0 ? space_first(l, weight, u.shuffle) : l.source(weight));
    b.key = fmt::format("{} conv {} groups {} shuffle {} {}", source_key(l, weight), op.groups,
                        kernels::conv_kernel_name(plan), u.shuffle, layout_key(*plan.gemm));
    b.bytes = kernels::conv_packed_bytes(plan);
    b.fill = [plan](std::span<const Tensor> from, ThreadPool& pool, std::byte* to) {
      const Tensor w = packs(from[0].type().dtype) ? from[0] : from[0].to(DType::f32);
      kernels::conv_pack(plan, w.data(), w.type().dtype, pool, to);
    };
    io.in[1] = {l.fixed_buffer(std::move(b)), 0};
  } else {
    io.in[1] = Lowering::at(conv_packed_at_run(l, plan, weight));
  }
  step.args.epilogue = epilogue(l, u, io);
  const Located y = u.shuffle > 0 ? l.temporary({l.stored(u.output), y_shape}) : l.result(u, {u.residual});
  step.args.x_ld = as_rows(x)->stride;
  step.args.y_ld = y_shape[3];
  step.args.y_type = y.dtype;
  io.in[0] = Lowering::at(x);
  io.out = Lowering::at(y);
  Lowering::Kernel kernel = describe(l, *plan.gemm);
  kernel.name = fmt::format("{}{}", plan.kind == kernels::ConvPlan::Kind::implicit ? "implicit " : "",
                            kernels::conv_kernel_name(plan));
  l.emit(&u, u.name, std::move(kernel), step, io, y, kernels::conv_scratch_bytes(plan));
  if (u.shuffle == 0) return;
  const Located z = l.result(u);
  const ShuffleStep move{
      false,           kernels::ShuffleOrder::space_first, y.shape[0], y.shape[1], y.shape[2], z.shape[3], u.shuffle,
      size_of(y.dtype)};
  l.emit(&u, "pixel_shuffle", {"pixel_shuffle"}, move, {.in = {Lowering::at(y)}, .out = Lowering::at(z)}, z);
}

}  // namespace thimble::runtime
