// Dispatch and threading of the reductions. Axes are merged into runs of kept and reduced ones; if the innermost run is
// reduced, each result is a few contiguous runs (rows), else results are joined whole rows at a time (columns).
// Where there are few results, the terms are cut into parts of fixed size whose partial results are joined in order.
#include "kernels/reduce/reduce.h"

#include <algorithm>

#include "kernels/simd/pick.h"
#include "kernels/simd/strided.h"

namespace thimble::kernels {

#define THIMBLE_REDUCE(isa, type, name) extern const ReduceKernels name;
#include "kernels/reduce/kernels.inc"
#undef THIMBLE_REDUCE

namespace {

constexpr const ReduceKernels* kRows[] = {
#define THIMBLE_REDUCE(isa, type, name) &name,
#include "kernels/reduce/kernels.inc"
#undef THIMBLE_REDUCE
};

constexpr std::int64_t kTask = 16384;      // elements of one task
constexpr std::int64_t kFewResults = 16;   // fewer than this: the terms are cut as well
constexpr std::int64_t kMostParts = 512;   // partial results held on the stack
constexpr std::int64_t kColumns = 1024;    // columns of one task
constexpr std::int64_t kColumnParts = 16;  // partial column blocks held on the stack
constexpr std::int64_t kBlockRows = 256;   // rows joined in f32 before they join a double

double start_of(ReduceOp op) {
  return op == ReduceOp::prod ? 1 : op == ReduceOp::max ? -__builtin_inf() : op == ReduceOp::min ? __builtin_inf() : 0;
}

double join(ReduceOp op, double a, double b) {
  switch (op) {
    case ReduceOp::prod: return a * b;
    case ReduceOp::max: return a > b || a != a ? a : b;
    case ReduceOp::min: return a < b || a != a ? a : b;
    default: return a + b;
  }
}

struct Work {
  const ReduceKernels& kernels;
  ReduceOp op;
  const std::byte* x;
  void* y;
  std::int64_t size;         // of an element
  Strided<1> kept, reduced;  // all axes but the innermost run
  std::int64_t inner = 1;    // the innermost run, of kind `inner_reduced`
  bool inner_reduced = true;
  double terms = 1;  // of one result

  const void* at(std::int64_t element) const { return x + element * size; }
  void put(std::int64_t i, double v) const {
    const float f = static_cast<float>(op == ReduceOp::mean ? v / terms : v);
    if (kernels.type == DType::f32) {
      static_cast<float*>(y)[i] = f;
    } else {
      static_cast<bf16*>(y)[i] = to_bf16(f);
    }
  }
};

void push(Strided<1>& space, std::int64_t n, std::int64_t stride) {
  space.shape[space.rank] = n;
  space.strides[0][space.rank++] = stride;
}

Work plan(const ReduceKernels& kernels, const ReduceArgs& args) {
  Work w{
      kernels, args.op, static_cast<const std::byte*>(args.x), args.y, static_cast<std::int64_t>(size_of(kernels.type)),
      {},      {}};
  std::int64_t shape[8];
  bool reduced[8];
  int rank = 0;
  for (int k = 0; k < args.rank; ++k) {
    if (args.shape[k] == 1) continue;
    if (args.reduced[k]) w.terms *= static_cast<double>(args.shape[k]);
    if (rank > 0 && reduced[rank - 1] == args.reduced[k]) {
      shape[rank - 1] *= args.shape[k];
    } else {
      shape[rank] = args.shape[k];
      reduced[rank++] = args.reduced[k];
    }
  }
  if (rank == 0) return w;
  std::int64_t strides[8];
  contiguous_strides(rank, shape, strides);
  w.inner = shape[rank - 1];
  w.inner_reduced = reduced[rank - 1];
  for (int k = 0; k + 1 < rank; ++k) push(reduced[k] ? w.reduced : w.kept, shape[k], strides[k]);
  return w;
}

void reduce_rows(const Work& w, ThreadPool& pool) {
  const std::int64_t results = w.kept.size(), runs = w.reduced.size();
  const std::int64_t room = results < kFewResults ? kMostParts / results / runs : 0;
  if (room >= 1 && w.inner > kTask) {
    const std::int64_t part = std::max(kTask, (w.inner + room - 1) / room), parts = (w.inner + part - 1) / part;
    double partial[kMostParts];
    pool.parallel_for(results * runs * parts, 1, [&](std::int64_t begin, std::int64_t end, int) {
      for (std::int64_t i = begin; i < end; ++i) {
        const Cursor<1> k(w.kept, w.kept.rank, i / (runs * parts)), r(w.reduced, w.reduced.rank, i / parts % runs);
        const std::int64_t first = i % parts * part;
        partial[i] = w.kernels.row(w.op, w.at(k.offset[0] + r.offset[0] + first), std::min(part, w.inner - first));
      }
    });
    for (std::int64_t i = 0; i < results; ++i) {
      double v = partial[i * runs * parts];
      for (std::int64_t p = 1; p < runs * parts; ++p) v = join(w.op, v, partial[i * runs * parts + p]);
      w.put(i, v);
    }
    return;
  }
  pool.parallel_for(results, std::max<std::int64_t>(1, kTask / (runs * w.inner)),
                    [&](std::int64_t begin, std::int64_t end, int) {
                      Cursor<1> k(w.kept, w.kept.rank, begin);
                      for (std::int64_t i = begin; i < end; ++i, k.next()) {
                        double v = start_of(w.op);
                        Cursor<1> r(w.reduced, w.reduced.rank, 0);
                        for (std::int64_t run = 0; run < runs; ++run, r.next()) {
                          v = join(w.op, v, w.kernels.row(w.op, w.at(k.offset[0] + r.offset[0]), w.inner));
                        }
                        w.put(i, v);
                      }
                    });
}

// Joins blocks [first, last) of all (reduced run, row block) pairs into total[n].
void join_columns(const Work& w, std::int64_t origin, std::int64_t n, std::int64_t first, std::int64_t last,
                  double* total) {
  const std::int64_t rows = w.reduced.shape[w.reduced.rank - 1], stride = w.reduced.strides[0][w.reduced.rank - 1];
  const std::int64_t blocks = (rows + kBlockRows - 1) / kBlockRows;
  const double start = start_of(w.op);
  std::fill_n(total, n, start);
  float acc[kColumns];
  for (std::int64_t block = first; block < last; ++block) {
    const Cursor<1> r(w.reduced, w.reduced.rank - 1, block / blocks);
    const std::int64_t row = block % blocks * kBlockRows;
    std::fill_n(acc, n, static_cast<float>(start));
    w.kernels.columns(w.op, w.at(origin + r.offset[0] + row * stride), std::min(kBlockRows, rows - row), stride, acc,
                      n);
    for (std::int64_t c = 0; c < n; ++c) total[c] = join(w.op, total[c], static_cast<double>(acc[c]));
  }
}

void reduce_columns(const Work& w, ThreadPool& pool) {
  const std::int64_t kept = w.kept.size(), tiles = (w.inner + kColumns - 1) / kColumns;
  const std::int64_t rows = w.reduced.shape[w.reduced.rank - 1];
  const std::int64_t blocks = w.reduced.size() / rows * ((rows + kBlockRows - 1) / kBlockRows);
  const auto tile_of = [&](std::int64_t i, std::int64_t& origin, std::int64_t& n) {
    const Cursor<1> k(w.kept, w.kept.rank, i / tiles);
    origin = k.offset[0] + i % tiles * kColumns;
    n = std::min(kColumns, w.inner - i % tiles * kColumns);
    return i / tiles * w.inner + i % tiles * kColumns;  // of the first result
  };
  const std::int64_t parts = std::min(kColumnParts / std::min(kColumnParts, kept * tiles), blocks);
  if (parts > 1) {
    double partial[kColumnParts * kColumns];
    pool.parallel_for(kept * tiles * parts, 1, [&](std::int64_t begin, std::int64_t end, int) {
      for (std::int64_t i = begin; i < end; ++i) {
        std::int64_t origin = 0, n = 0;
        tile_of(i / parts, origin, n);
        join_columns(w, origin, n, i % parts * blocks / parts, (i % parts + 1) * blocks / parts,
                     partial + i * kColumns);
      }
    });
    for (std::int64_t i = 0; i < kept * tiles; ++i) {
      std::int64_t origin = 0, n = 0;
      const std::int64_t result = tile_of(i, origin, n);
      for (std::int64_t c = 0; c < n; ++c) {
        double v = partial[i * parts * kColumns + c];
        for (std::int64_t p = 1; p < parts; ++p) v = join(w.op, v, partial[(i * parts + p) * kColumns + c]);
        w.put(result + c, v);
      }
    }
    return;
  }
  const std::int64_t grain = std::max<std::int64_t>(1, kTask / (w.reduced.size() * std::min(kColumns, w.inner)));
  pool.parallel_for(kept * tiles, grain, [&](std::int64_t begin, std::int64_t end, int) {
    double total[kColumns];
    for (std::int64_t i = begin; i < end; ++i) {
      std::int64_t origin = 0, n = 0;
      const std::int64_t result = tile_of(i, origin, n);
      join_columns(w, origin, n, 0, blocks, total);
      for (std::int64_t c = 0; c < n; ++c) w.put(result + c, total[c]);
    }
  });
}

}  // namespace

std::span<const ReduceKernels* const> reduce_kernels() { return kRows; }

const ReduceKernels* pick_reduce(DType type, Isa cap) { return pick_row(reduce_kernels(), type, cap); }

void reduce(const ReduceKernels& kernels, const ReduceArgs& args, ThreadPool& pool) noexcept {
  for (int k = 0; k < args.rank; ++k) {
    if (args.shape[k] == 0) return;
  }
  Work w = plan(kernels, args);
  if (!w.inner_reduced && w.reduced.rank == 0) push(w.reduced, 1, 0);  // nothing to join: a copy
  w.inner_reduced ? reduce_rows(w, pool) : reduce_columns(w, pool);
}

}  // namespace thimble::kernels
