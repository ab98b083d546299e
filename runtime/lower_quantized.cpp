// Quantised linear layers: activations rounded while they are packed, once for all layers that read them, and products
// of integers with the epilogues that products of floats have.
#include <algorithm>

#include "base/error.h"
#include "base/index.h"
#include "runtime/lower_product.h"

namespace thimble::runtime {

using namespace graph;

namespace {

struct Sizes {
  std::int64_t M, N, K, group;
};

// Weight and scale as kernels read them: (N, K) of int8 or of two int4 a byte, and (N, groups) of f32.
struct Stored {
  Tensor numbers, scale;
  explicit Stored(std::span<const Tensor> from) : numbers(from[0]), scale(from[1].to(DType::f32)) {}
  kernels::QWeights weights(const Sizes& s, bool nibbles) const {
    return {.q = numbers.data(), .ld = s.K, .nibbles = nibbles, .scale = scale.as<float>().data()};
  }
};

FixedBuffer packed_sources(const Lowering& l, const Unit& u) {
  FixedBuffer b;
  for (std::size_t i : {1, 2}) b.sources.push_back(l.source(l.node(u).inputs[i]));
  b.key = b.sources[0].key() + ' ' + b.sources[1].key();
  return b;
}

Located place_of(Lowering& l, FixedBuffer b) {
  const auto bytes = static_cast<std::int64_t>(b.bytes);
  return dense_at(l.fixed_buffer(std::move(b)), {DType::u8, {bytes}});
}

Lowering::Kernel describe(const Lowering& l, const kernels::QgemmKernel& kernel, std::int64_t group) {
  Lowering::Kernel k{std::string(kernel.name)};
  for (const auto& choice : kernels::explain_qgemm(kernel.weight_bits, group, l.isa)) {
    if (choice.kernel == &kernel) break;
    k.refused += fmt::format("{}{}: {}", k.refused.empty() ? "" : ", ", choice.kernel->name, choice.refused);
  }
  return k;
}

// Rows of f32 or bf16, in whichever of the two they lie.
Located rows_of(Lowering& l, ValueId v) { return l.read_rows(v, l.held(v) == DType::bf16 ? DType::bf16 : DType::f32); }

// The unit's input as int8 in the kernel's order. Layers that read one input with like kernels share it.
Located packed_activations(Lowering& l, const Unit& u, const kernels::QgemmKernel& kernel, const Sizes& s,
                           bool asymmetric) {
  const std::string key = fmt::format("%{} {} {} {} {} {} {}", u.x, static_cast<int>(kernel.a_panel), kernel.mr,
                                      kernel.kr, kernel.kc, s.group, asymmetric);
  if (const auto it = l.packed_activations.find(key); it != l.packed_activations.end()) return it->second;
  const Located x = rows_of(l, u.x);
  const auto bytes = static_cast<std::int64_t>(kernels::qgemm_activation_bytes(kernel, s.M, s.K, s.group));
  const Located packed = l.temporary({DType::u8, {bytes}});
  PackActivationsStep step{&kernel, s.M, s.K, s.group, {}};
  step.source.type = x.dtype;
  step.source.ld = as_rows(x)->stride;
  step.source.how = asymmetric ? kernels::Quantize::asymmetric : kernels::Quantize::symmetric;
  l.emit(nullptr, "quantize", {fmt::format("pack for {}", kernel.name)}, step,
         {.in = {Lowering::at(x)}, .out = Lowering::at(packed)}, packed);
  l.packed_activations.emplace(key, packed);
  return packed;
}

void lower_integers(Lowering& l, const Unit& u, const QuantLinear& op, const Sizes& s) {
  const kernels::QgemmKernel& kernel = kernels::pick_qgemm(static_cast<int>(op.bits), s.group, l.isa);
  Operands io;
  const Located a = packed_activations(l, u, kernel, s, op.asymmetric);
  FixedBuffer b = packed_sources(l, u);
  b.key += fmt::format(" panels {} of {} by {}, {} bits, groups of {}", static_cast<int>(kernel.layout), kernel.nr,
                       kernel.kr, op.bits, s.group);
  b.bytes = kernels::qgemm_weight_bytes(kernel, s.N, s.K, s.group);
  b.fill = [&kernel, s](std::span<const Tensor> from, ThreadPool& pool, std::byte* to) {
    const Stored stored(from);
    const kernels::QWeights w = stored.weights(s, kernel.weight_bits == 4);
    pool.parallel_for((s.N + kernel.nr - 1) / kernel.nr, 1, [&](std::int64_t begin, std::int64_t end, int) {
      kernels::pack_qweight_panels(kernel, s.N, s.K, s.group, w, to, begin, end);
    });
  };
  const Located w = place_of(l, std::move(b));
  QgemmStep step{&kernel, {}};
  step.args.epilogue = epilogue(l, u, io);
  const Located y = l.result(u, {u.residual});
  step.args.M = s.M;
  step.args.N = s.N;
  step.args.K = s.K;
  step.args.group = s.group;
  step.args.ldc = s.N;
  step.args.c_type = step.args.residual_type = y.dtype;
  io.in[0] = Lowering::at(a);
  io.in[1] = Lowering::at(w);
  io.out = Lowering::at(y);
  l.emit(&u, u.name, describe(l, kernel, s.group), step, io, y,
         kernels::qgemm_scratch_bytes(kernel, s.M, s.N, s.K, s.group, l.threads));
}

// Activations as they are: int4 weights become floats panel by panel, int8 ones once, when they are packed.
void lower_floats(Lowering& l, const Unit& u, const QuantLinear& op, const Sizes& s) {
  const kernels::GemmKernel& gemm = kernels::pick_gemm(product_type(l, u), l.isa);
  Operands io;
  const Located x = l.read_rows(u.x, gemm.type);
  FixedBuffer b = packed_sources(l, u);
  kernels::GemmArgs args;
  args.M = s.M;
  args.N = args.ldc = s.N;
  args.K = s.K;
  args.lda = as_rows(x)->stride;
  args.epilogue = epilogue(l, u, io);
  Lowering::Kernel kernel = describe(l, gemm);
  std::optional<Step> step;
  std::size_t scratch = 0;
  const Located y = l.result(u, {u.residual});
  args.c_type = y.dtype;
  if (op.bits == 4) {
    const kernels::W4A16Kernel w4 = kernels::w4a16_kernel(gemm);
    b.key += fmt::format(" w4a16 {} {}, groups of {}", layout_key(gemm), gemm.kc, s.group);
    b.bytes = kernels::w4a16_weight_bytes(w4, s.N, s.K, s.group);
    b.fill = [w4, s](std::span<const Tensor> from, ThreadPool&, std::byte* to) {
      kernels::pack_w4a16(w4, s.N, s.K, s.group, Stored(from).weights(s, true), to);
    };
    kernel.name = fmt::format("w4a16 {}", gemm.name);
    step = W4A16Step{w4, args, s.group};
    scratch = kernels::w4a16_scratch_bytes(w4, s.M, s.N, s.K, l.threads);
  } else {
    b.key += fmt::format(" widened {}, groups of {}", layout_key(gemm), s.group);
    b.bytes = kernels::packed_bytes(gemm, s.N, s.K);
    b.fill = [&gemm, s](std::span<const Tensor> from, ThreadPool& pool, std::byte* to) {
      const Stored stored(from);
      const auto* q = reinterpret_cast<const std::int8_t*>(stored.numbers.data());
      const float* scale = stored.scale.as<float>().data();
      const std::int64_t group = s.group > 0 ? s.group : s.K, groups = s.K > 0 ? (s.K + group - 1) / group : 1;
      pool.parallel_for((s.N + gemm.nr - 1) / gemm.nr, 1, [&](std::int64_t begin, std::int64_t end, int) {
        std::vector<float> rows;
        for (std::int64_t panel = begin; panel < end; ++panel) {
          const std::int64_t first = panel * gemm.nr, columns = std::min<std::int64_t>(gemm.nr, s.N - first);
          rows.resize(index(columns * s.K));
          for (std::int64_t n = 0; n < columns; ++n) {
            for (std::int64_t k = 0; k < s.K; ++k) {
              rows[index(n * s.K + k)] =
                  static_cast<float>(q[(first + n) * s.K + k]) * scale[(first + n) * groups + k / group];
            }
          }
          kernels::pack_weights(gemm, columns, s.K, rows.data(), DType::f32, s.K,
                                to + kernels::packed_bytes(gemm, first, s.K));
        }
      });
    };
    kernel.refused += fmt::format("{}w8a16: no such kernel, weights of 8 bits are widened when packed",
                                  kernel.refused.empty() ? "" : ", ");
    step = GemmStep{&gemm, args};
    scratch = kernels::gemm_scratch_bytes(gemm, s.M, s.N, s.K, l.threads);
  }
  io.in[0] = Lowering::at(x);
  io.in[1] = Lowering::at(place_of(l, std::move(b)));
  io.out = Lowering::at(y);
  l.emit(&u, u.name, std::move(kernel), *std::move(step), io, y, scratch);
}

}  // namespace

void lower(Lowering& l, const Unit& u, const QuantLinear& op) {
  const Shape& x = l.type(u.x).shape;
  const std::int64_t K = x.back(), N = l.type(l.node(u).inputs[1]).shape[0];
  const Sizes s{l.type(u.x).elements() / std::max<std::int64_t>(K, 1), N, K, op.group};
  if (op.activations == 8) {
    lower_integers(l, u, op, s);
  } else {
    lower_floats(l, u, op, s);
  }
}

}  // namespace thimble::runtime
