// Planning and packing of convolutions: which kernel, and weights in its order.
#include <algorithm>
#include <type_traits>
#include <vector>

#include "base/error.h"
#include "base/memory.h"
#include "kernels/conv/conv.h"
#include "kernels/conv/depthwise.h"
#include "kernels/conv/direct.h"

namespace thimble::kernels {
namespace {

constexpr DepthwiseKernel kDepthwise[] = {
#define THIMBLE_DEPTHWISE(isa, type) \
  {"depthwise_" #type "_" #isa, Isa::isa, DType::type, internal::depthwise_##type##_##isa},
#define THIMBLE_DIRECT(kind, isa, type, nr)
#include "kernels/conv/kernels.inc"
#undef THIMBLE_DIRECT
#undef THIMBLE_DEPTHWISE
};

constexpr DirectKernel kDirect[] = {
#define THIMBLE_DIRECT(kind, isa, type, nr)                                                        \
  {#kind "_" #type "_" #isa,       std::string_view(#kind) == "narrow", Isa::isa, DType::type, nr, \
   internal::kind##_##type##_##isa},
#define THIMBLE_DEPTHWISE(isa, type)
#include "kernels/conv/kernels.inc"
#undef THIMBLE_DIRECT
#undef THIMBLE_DEPTHWISE
};

// Inputs of a patch up to which gathering it costs more than it gains; outputs up to which a larger patch is not used
// often enough, where rows are so long that the pixels at their ends, made one by one, do not show; and channels from
// which a narrow convolution fills its vectors.
constexpr std::int64_t kMostDirect = 160, kMostDirectOutputs = 64, kLeastDirectRow = 32, kLeastNarrow = 32;

const DirectKernel* pick_direct(const ConvShape& s, DType type, Isa cap) {
  if (s.groups != 1 || s.upsample) return nullptr;
  const bool narrow = s.O <= kNarrowOutputs && s.C >= kLeastNarrow;
  const std::int64_t taps = s.kh * s.kw;
  const bool gathered =
      taps * s.C > kMostDirect && (taps == 1 || s.O > kMostDirectOutputs || s.out_w() < kLeastDirectRow);
  if (!narrow && (gathered || s.O <= kNarrowOutputs)) return nullptr;
  for (const DirectKernel& k : kDirect) {
    if (k.narrow == narrow && k.type == type && k.isa <= cap && supports(cpu(), k.isa)) return &k;
  }
  return nullptr;
}

std::int64_t out_size(std::int64_t in, std::int64_t before, std::int64_t after, std::int64_t taps, std::int64_t stride,
                      std::int64_t dilation) {
  return (in + before + after - dilation * (taps - 1) - 1) / stride + 1;
}

void check_shape(const ConvShape& s) {
  const auto wanted = [](bool ok, const char* what) {
    if (!ok) fail(ErrorKind::bad_input, "[conv] {}", what);
  };
  wanted(std::min({s.B, s.H, s.W, s.C, s.O, s.kh, s.kw}) >= 1, "a size of the input, output or kernel is below 1");
  wanted(std::min({s.stride_h, s.stride_w, s.dilation_h, s.dilation_w, s.groups}) >= 1,
         "stride, dilation and groups must be at least 1");
  wanted(std::min({s.pad_top, s.pad_left, s.pad_bottom, s.pad_right}) >= 0, "padding must not be negative");
  wanted(s.C % s.groups == 0 && s.O % s.groups == 0, "groups must divide the input and the output channels");
  const std::int64_t up = s.upsample ? 2 : 1;
  wanted(s.H * up + s.pad_top + s.pad_bottom > s.dilation_h * (s.kh - 1) &&
             s.W * up + s.pad_left + s.pad_right > s.dilation_w * (s.kw - 1),
         "the kernel is larger than the padded input");
}

// (O, C / groups, kh, kw) of any source type as one f32 value.
class Source {
 public:
  Source(const void* data, DType type) : data_(static_cast<const std::byte*>(data)), type_(type) {
    if (type != DType::f32 && type != DType::bf16 && type != DType::f16) {
      fail(ErrorKind::unsupported, "[conv] weights of type {} cannot be packed; f32, bf16 or f16 are wanted",
           to_string(type));
    }
  }
  void read(std::int64_t first, std::int64_t n, float* out) const {
    convert(type_, data_ + static_cast<std::size_t>(first) * size_of(type_), DType::f32, out,
            static_cast<std::size_t>(n));
  }

 private:
  const std::byte* data_;
  DType type_;
};

void pack_depthwise(const ConvPlan& plan, const Source& source, float* out) {
  const ConvShape& s = plan.shape;
  const std::int64_t taps = s.kh * s.kw;
  const auto step = static_cast<std::int64_t>(round_up(static_cast<std::size_t>(s.C), kDepthwiseChannelStep));
  std::vector<float> filter(static_cast<std::size_t>(taps));
  std::fill(out, out + taps * step, 0.0f);
  for (std::int64_t c = 0; c < s.C; ++c) {
    source.read(c * taps, taps, filter.data());
    for (std::int64_t t = 0; t < taps; ++t) out[t * step + c] = filter[static_cast<std::size_t>(t)];
  }
}

std::int64_t padded_channels(const ConvShape& s) {
  return static_cast<std::int64_t>(round_up(static_cast<std::size_t>(s.C), kDepthwiseChannelStep));
}

std::int64_t direct_weights(const ConvPlan& plan) {
  const ConvShape& s = plan.shape;
  if (plan.direct->narrow) return s.kh * s.kw * kNarrowOutputs * padded_channels(s);
  return (s.O + plan.direct->nr - 1) / plan.direct->nr * plan.direct->nr * plan.K;
}

// Places: see DirectRow.
void pack_direct(const ConvPlan& plan, const Source& source, float* out) {
  const ConvShape& s = plan.shape;
  const std::int64_t taps = s.kh * s.kw, nr = plan.direct->nr, step = padded_channels(s);
  std::fill(out, out + direct_weights(plan), 0.0f);
  std::vector<float> filter(static_cast<std::size_t>(plan.K));
  for (std::int64_t n = 0; n < s.O; ++n) {
    source.read(n * plan.K, plan.K, filter.data());
    for (std::int64_t c = 0; c < s.C; ++c) {
      for (std::int64_t t = 0; t < taps; ++t) {
        const std::int64_t at =
            plan.direct->narrow ? (t * kNarrowOutputs + n) * step + c : (n / nr * plan.K + t * s.C + c) * nr + n % nr;
        out[at] = filter[static_cast<std::size_t>(c * taps + t)];
      }
    }
  }
}

}  // namespace

std::int64_t ConvShape::out_h() const {
  return out_size(H * (upsample ? 2 : 1), pad_top, pad_bottom, kh, stride_h, dilation_h);
}

std::int64_t ConvShape::out_w() const {
  return out_size(W * (upsample ? 2 : 1), pad_left, pad_right, kw, stride_w, dilation_w);
}

ConvPlan plan_conv_with(const ConvShape& shape, const GemmKernel& kernel, int threads) {
  check_shape(shape);
  ConvPlan plan;
  plan.shape = shape;
  plan.type = kernel.type;
  plan.threads = std::max(1, threads);
  plan.gemm = &kernel;
  const bool plain = shape.kh == 1 && shape.kw == 1 && shape.stride_h == 1 && shape.stride_w == 1 &&
                     std::max({shape.pad_top, shape.pad_left, shape.pad_bottom, shape.pad_right}) == 0 &&
                     !shape.upsample;
  plan.kind = plain ? ConvPlan::Kind::gemm : ConvPlan::Kind::implicit;
  plan.M = shape.B * shape.out_h() * shape.out_w();
  plan.N = shape.O / shape.groups;
  plan.K = shape.kh * shape.kw * (shape.C / shape.groups);
  plan.group_packed_bytes = packed_bytes(kernel, plan.N, plan.K);
  return plan;
}

ConvPlan plan_conv(const ConvShape& shape, DType type, int threads, Isa cap) {
  ConvPlan plan = plan_conv_with(shape, pick_gemm(type, cap), threads);
  if (shape.groups > 1 && shape.groups == shape.C && shape.C == shape.O) {
    for (const DepthwiseKernel& kernel : kDepthwise) {
      if (kernel.type != type || kernel.isa > cap || !supports(cpu(), kernel.isa)) continue;
      plan.kind = ConvPlan::Kind::depthwise;
      plan.depthwise = &kernel;
      break;
    }
  }
  if (const DirectKernel* kernel = pick_direct(shape, type, cap)) {
    plan.kind = ConvPlan::Kind::direct;
    plan.direct = kernel;
  }
  return plan;
}

std::string_view conv_kernel_name(const ConvPlan& plan) {
  if (plan.kind == ConvPlan::Kind::direct) return plan.direct->name;
  return plan.kind == ConvPlan::Kind::depthwise ? plan.depthwise->name : plan.gemm->name;
}

std::size_t conv_packed_bytes(const ConvPlan& plan) {
  const ConvShape& s = plan.shape;
  if (plan.kind == ConvPlan::Kind::depthwise) {
    return static_cast<std::size_t>(s.kh * s.kw) * sizeof(float) *
           round_up(static_cast<std::size_t>(s.C), kDepthwiseChannelStep);
  }
  if (plan.kind == ConvPlan::Kind::direct) return static_cast<std::size_t>(direct_weights(plan)) * sizeof(float);
  return plan.group_packed_bytes * static_cast<std::size_t>(s.groups);
}

namespace {

// The gathered patch runs over (ky, kx, c); rows of weights are brought into that order, one panel at a time. T: f32,
// or bf16 where panels hold that, so that a panel's rows stay in the cache.
template <class T>
void pack_patches(const ConvPlan& plan, const void* src, DType src_type, ThreadPool& pool, std::byte* dst) {
  constexpr DType kType = std::is_same_v<T, float> ? DType::f32 : DType::bf16;
  const ConvShape& s = plan.shape;
  const GemmKernel& kernel = *plan.gemm;
  const std::int64_t inputs = s.C / s.groups, taps = s.kh * s.kw, panels = (plan.N + kernel.nr - 1) / kernel.nr;
  const std::size_t own = static_cast<std::size_t>((kernel.nr + 1) * plan.K);
  std::vector<T> space(own * static_cast<std::size_t>(pool.threads()));
  pool.parallel_for(s.groups * panels, 1, [&](std::int64_t begin, std::int64_t end, int thread) {
    T* row = space.data() + own * static_cast<std::size_t>(thread);
    T* rows = row + plan.K;
    for (std::int64_t item = begin; item < end; ++item) {
      const std::int64_t group = item / panels, n0 = item % panels * kernel.nr;
      const std::int64_t columns = std::min<std::int64_t>(kernel.nr, plan.N - n0);
      for (std::int64_t j = 0; j < columns; ++j) {
        const std::int64_t first = (group * plan.N + n0 + j) * plan.K;
        convert(src_type, static_cast<const std::byte*>(src) + static_cast<std::size_t>(first) * size_of(src_type),
                kType, row, static_cast<std::size_t>(plan.K));
        for (std::int64_t t = 0; t < taps; ++t) {
          T* to = rows + j * plan.K + t * inputs;
          for (std::int64_t c = 0; c < inputs; ++c) to[c] = row[c * taps + t];
        }
      }
      pack_weights(kernel, columns, plan.K, rows, kType, plan.K,
                   dst + static_cast<std::size_t>(group) * plan.group_packed_bytes + packed_bytes(kernel, n0, plan.K));
    }
  });
}

}  // namespace

void conv_pack(const ConvPlan& plan, const void* src, DType src_type, ThreadPool& pool, void* dst) {
  const Source source(src, src_type);
  if (plan.kind == ConvPlan::Kind::depthwise) return pack_depthwise(plan, source, static_cast<float*>(dst));
  if (plan.kind == ConvPlan::Kind::direct) return pack_direct(plan, source, static_cast<float*>(dst));
  (plan.gemm->layout == WeightLayout::f32_panel
       ? pack_patches<float>
       : pack_patches<bf16>)(plan, src, src_type, pool, static_cast<std::byte*>(dst));
}

std::size_t conv_scratch_bytes(const ConvPlan& plan) {
  if (plan.kind == ConvPlan::Kind::depthwise || plan.kind == ConvPlan::Kind::direct) return 0;
  return gemm_scratch_bytes(*plan.gemm, plan.M, plan.N, plan.K, plan.threads);
}

}  // namespace thimble::kernels
