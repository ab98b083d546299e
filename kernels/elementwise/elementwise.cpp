// Dispatch, broadcasting and threading of the elementwise kernels. The loops are in generic.h.
#include "kernels/elementwise/elementwise.h"

#include <algorithm>
#include <cstring>

#include "kernels/simd/pick.h"
#include "kernels/simd/strided.h"

namespace thimble::kernels {

#define THIMBLE_ELEMENTWISE(isa, type, name) extern const ElementwiseKernels name;
#include "kernels/elementwise/kernels.inc"
#undef THIMBLE_ELEMENTWISE

namespace {

constexpr const ElementwiseKernels* kRows[] = {
#define THIMBLE_ELEMENTWISE(isa, type, name) &name,
#include "kernels/elementwise/kernels.inc"
#undef THIMBLE_ELEMENTWISE
};

constexpr std::int64_t kChunk = 16384;  // elements one task takes: long enough to hide the hand-out
constexpr std::int64_t kShortRow = 32;  // rows under this are gathered into runs of kGathered
constexpr std::int64_t kGathered = 512;
constexpr std::int64_t kRepeatedRow = 512;  // a vector of at most this many elements is laid out several times
constexpr std::int64_t kRepeats = 2048;     // elements of these repeats together

const std::byte* at(const void* p, std::int64_t i, std::size_t size) {
  return static_cast<const std::byte*>(p) + i * static_cast<std::int64_t>(size);
}
std::byte* at(void* p, std::int64_t i, std::size_t size) {
  return static_cast<std::byte*>(p) + i * static_cast<std::int64_t>(size);
}

std::int64_t rows_per_task(std::int64_t channels) {
  return std::max<std::int64_t>(1, kChunk / std::max<std::int64_t>(1, channels));
}

template <int kOperands>
void gather(const Strided<kOperands>& space, int operand, const void* x, std::int64_t begin, std::int64_t n,
            std::size_t size, void* out) {
  Cursor<kOperands> cursor(space, space.rank, begin);
  const auto copy = [&](auto* target) {
    using T = std::remove_pointer_t<decltype(target)>;
    for (std::int64_t i = 0; i < n; ++i, cursor.next()) target[i] = static_cast<const T*>(x)[cursor.offset[operand]];
  };
  if (size == 4) {
    copy(static_cast<std::uint32_t*>(out));
  } else {
    copy(static_cast<std::uint16_t*>(out));
  }
}

template <class T>
void select(const std::uint8_t* c, std::int64_t sc, const void* a, std::int64_t sa, const void* b, std::int64_t sb,
            void* y, std::int64_t n) {
  const T* u = static_cast<const T*>(a);
  const T* v = static_cast<const T*>(b);
  T* out = static_cast<T*>(y);
  for (std::int64_t i = 0; i < n; ++i) {
    const T x = u[i * sa], z = v[i * sb];
    out[i] = c[i * sc] != 0 ? x : z;
  }
}

// Rows of one operand against one short vector of the other, as of channels: the vector is repeated, so that one call
// of the kernel serves many rows. False when the operands do not lie so.
bool binary_by_vector(const ElementwiseKernels& kernels, BinaryOp op, const BinaryArgs& args, const Strided<2>& space,
                      ThreadPool& pool) noexcept {
  const int last = space.rank - 1, mid = last - 1;
  if (mid < 0 || space.shape[last] > kRepeatedRow) return false;
  const std::int64_t row = space.shape[last], rows = space.shape[mid];
  const auto whole = [&](int o) { return space.strides[o][last] == 1 && space.strides[o][mid] == row; };
  const auto again = [&](int o) { return space.strides[o][last] == 1 && space.strides[o][mid] == 0; };
  const int dense = whole(0) ? 0 : 1, vector = 1 - dense;
  if (!whole(dense) || !again(vector)) return false;
  const void* const operands[2] = {args.a, args.b};
  const std::size_t size = size_of(kernels.type), y_size = is_comparison(op) ? 1 : size;
  const std::int64_t repeats = std::min(rows, kRepeats / row), blocks = (rows + repeats - 1) / repeats;
  const std::int64_t outer = space.size() / (row * rows);
  pool.parallel_for(outer * blocks, rows_per_task(repeats * row), [&](std::int64_t begin, std::int64_t end, int) {
    alignas(64) std::byte repeated[kRepeats * 4];
    std::int64_t made = -1, from = 0;
    for (std::int64_t task = begin; task < end; ++task) {
      if (const std::int64_t o = task / blocks; o != made) {
        made = o;
        const Cursor<2> cursor(space, mid, o);
        from = cursor.offset[dense];
        const std::byte* once = at(operands[vector], cursor.offset[vector], size);
        for (std::int64_t i = 0; i < repeats; ++i) {
          std::memcpy(repeated + i * row * static_cast<std::int64_t>(size), once, static_cast<std::size_t>(row) * size);
        }
      }
      const std::int64_t first = task % blocks * repeats, n = std::min(repeats, rows - first);
      const std::byte* x = at(operands[dense], from + first * row, size);
      kernels.binary(op, dense == 0 ? x : repeated, false, dense == 0 ? repeated : x, false,
                     at(args.y, (made * rows + first) * row, y_size), n * row);
    }
  });
  return true;
}

}  // namespace

std::span<const ElementwiseKernels* const> elementwise_kernels() { return kRows; }

const ElementwiseKernels* pick_elementwise(DType type, Isa cap) { return pick_row(elementwise_kernels(), type, cap); }

void broadcast_strides(int operand_rank, const std::int64_t* operand_shape, int rank, const std::int64_t* shape,
                       std::int64_t* strides) noexcept {
  std::int64_t n = 1;
  for (int k = rank - 1; k >= 0; --k) {
    const int j = k - (rank - operand_rank);
    const bool repeats = j < 0 || (operand_shape[j] == 1 && shape[k] != 1);
    strides[k] = repeats ? 0 : n;
    if (j >= 0) n *= operand_shape[j];
  }
}

void unary(const ElementwiseKernels& kernels, UnaryOp op, const void* x, void* y, std::int64_t n, UnaryParams params,
           ThreadPool& pool) noexcept {
  const std::size_t size = size_of(kernels.type);
  pool.parallel_for(n, kChunk, [&](std::int64_t begin, std::int64_t end, int) {
    kernels.unary(op, at(x, begin, size), at(y, begin, size), end - begin, params);
  });
}

void binary(const ElementwiseKernels& kernels, BinaryOp op, const BinaryArgs& args, ThreadPool& pool) noexcept {
  const std::size_t size = size_of(kernels.type), y_size = is_comparison(op) ? 1 : size;
  Strided<2> space;
  space.rank = args.rank;
  std::copy_n(args.shape, args.rank, space.shape);
  std::copy_n(args.a_strides, args.rank, space.strides[0]);
  std::copy_n(args.b_strides, args.rank, space.strides[1]);
  space.collapse();
  const std::int64_t total = space.size();
  if (total == 0 || binary_by_vector(kernels, op, args, space, pool)) return;
  const int last = space.rank - 1;
  const std::int64_t row = space.shape[last], sa = space.strides[0][last], sb = space.strides[1][last];

  if (sa < 0 || sa > 1 || sb < 0 || sb > 1 || (row < kShortRow && space.rank > 1)) {
    pool.parallel_for((total + kGathered - 1) / kGathered, 16, [&](std::int64_t begin, std::int64_t end, int) {
      alignas(64) std::byte a[kGathered * 4], b[kGathered * 4];
      for (std::int64_t block = begin; block < end; ++block) {
        const std::int64_t from = block * kGathered, n = std::min(kGathered, total - from);
        gather(space, 0, args.a, from, n, size, a);
        gather(space, 1, args.b, from, n, size, b);
        kernels.binary(op, a, false, b, false, at(args.y, from, y_size), n);
      }
    });
    return;
  }

  // Long rows are cut into pieces, so that few long rows still keep all threads busy.
  const std::int64_t pieces = (row + kChunk - 1) / kChunk, rows = total / row;
  pool.parallel_for(rows * pieces, rows_per_task(row), [&](std::int64_t begin, std::int64_t end, int) {
    Cursor<2> cursor(space, last, begin / pieces);
    for (std::int64_t task = begin; task < end; ++task) {
      const std::int64_t piece = task % pieces, from = piece * kChunk, n = std::min(kChunk, row - from);
      kernels.binary(op, at(args.a, cursor.offset[0] + from * sa, size), sa == 0,
                     at(args.b, cursor.offset[1] + from * sb, size), sb == 0,
                     at(args.y, task / pieces * row + from, y_size), n);
      if (piece + 1 == pieces) cursor.next();
    }
  });
}

void logical_not(const std::uint8_t* x, std::uint8_t* y, std::int64_t n, ThreadPool& pool) noexcept {
  pool.parallel_for(n, kChunk, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t i = begin; i < end; ++i) y[i] = x[i] == 0;
  });
}

void where(const WhereArgs& args, ThreadPool& pool) noexcept {
  Strided<3> space;
  space.rank = args.rank;
  std::copy_n(args.shape, args.rank, space.shape);
  std::copy_n(args.condition_strides, args.rank, space.strides[0]);
  std::copy_n(args.a_strides, args.rank, space.strides[1]);
  std::copy_n(args.b_strides, args.rank, space.strides[2]);
  space.collapse();
  const std::int64_t total = space.size();
  if (total == 0) return;
  const int last = space.rank - 1;
  const std::int64_t row = space.shape[last], pieces = (row + kChunk - 1) / kChunk;
  const std::int64_t sc = space.strides[0][last], sa = space.strides[1][last], sb = space.strides[2][last];
  const std::size_t size = args.element_size;
  const auto run = size == 1   ? select<std::uint8_t>
                   : size == 2 ? select<std::uint16_t>
                   : size == 4 ? select<std::uint32_t>
                               : select<std::uint64_t>;
  pool.parallel_for(total / row * pieces, rows_per_task(row), [&](std::int64_t begin, std::int64_t end, int) {
    Cursor<3> cursor(space, last, begin / pieces);
    for (std::int64_t task = begin; task < end; ++task) {
      const std::int64_t piece = task % pieces, from = piece * kChunk, n = std::min(kChunk, row - from);
      run(args.condition + cursor.offset[0] + from * sc, sc, at(args.a, cursor.offset[1] + from * sa, size), sa,
          at(args.b, cursor.offset[2] + from * sb, size), sb, at(args.y, task / pieces * row + from, size), n);
      if (piece + 1 == pieces) cursor.next();
    }
  });
}

void glu(const ElementwiseKernels& kernels, const GluArgs& args, ThreadPool& pool) noexcept {
  const std::size_t size = size_of(kernels.type);
  pool.parallel_for(args.rows, rows_per_task(args.channels), [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t r = begin; r < end; ++r) {
      kernels.glu(args.activation, at(args.value, r * args.value_stride, size),
                  at(args.gate, r * args.gate_stride, size), at(args.y, r * args.y_stride, size), args.channels);
    }
  });
}

void scale_add(const ElementwiseKernels& kernels, const ScaleAddArgs& args, ThreadPool& pool) noexcept {
  const std::size_t size = size_of(kernels.type);
  pool.parallel_for(args.rows, rows_per_task(args.channels), [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t r = begin; r < end; ++r) {
      const void* residual = args.residual == nullptr ? nullptr : at(args.residual, r * args.residual_stride, size);
      const void* gate =
          args.gate == nullptr ? nullptr : at(args.gate, r / args.rows_per_batch * args.gate_stride, size);
      kernels.scale_add(at(args.x, r * args.x_stride, size), residual, gate, args.factor,
                        at(args.y, r * args.y_stride, size), args.channels);
    }
  });
}

bool can_cast(DType from, DType to) noexcept {
  const auto number = [](DType t) { return t == DType::f32 || t == DType::bf16 || t == DType::f16 || t == DType::i32; };
  if (from == to) return true;
  if (number(from)) return number(to) || to == DType::boolean;
  return (from == DType::boolean || from == DType::u8) && (number(to) || to == DType::boolean);
}

void cast(const ElementwiseKernels& kernels, DType from, const void* src, DType to, void* dst, std::int64_t n,
          ThreadPool& pool) noexcept {
  pool.parallel_for(n, kChunk, [&](std::int64_t begin, std::int64_t end, int) {
    const std::byte* x = at(src, begin, size_of(from));
    std::byte* y = at(dst, begin, size_of(to));
    if (from == to) {
      if (x != y) std::memcpy(y, x, static_cast<std::size_t>(end - begin) * size_of(from));
    } else {
      kernels.cast(from, x, to, y, end - begin);
    }
  });
}

}  // namespace thimble::kernels
