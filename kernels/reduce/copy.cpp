// Strided copies: axes are ordered by the target's strides and merged, then one of four inner loops does the work:
// whole runs (memcpy), repeats of one element, tiles of a transpose, or single elements.
#include "kernels/reduce/copy.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <numeric>

#include "kernels/simd/strided.h"
#include "kernels/simd/transpose.h"

namespace thimble::kernels {
namespace {

using Space = Strided<2>;  // operand 0: src, 1: dst

constexpr std::int64_t kTaskBytes = 1 << 16;

// A transpose goes by tiles of a cache line squared, so that target lines are written whole, and by bands of four
// lines squared, so that few pages are in use at a time.
template <class T>
constexpr std::int64_t kLine = 64 / static_cast<std::int64_t>(sizeof(T));
template <class T>
constexpr std::int64_t kBand = 4 * kLine<T>;

struct Bytes16 {
  std::uint64_t part[2];
};

// Axes from the widest to the narrowest target stride, so that targets are written in order.
void order_by_target(Space& space) {
  int order[kStridedRank];
  std::iota(order, order + space.rank, 0);
  // By insertion: a handful of axes, and std::stable_sort would allocate.
  for (int k = 1; k < space.rank; ++k) {
    const int axis = order[k];
    int at = k;
    for (; at > 0 && std::abs(space.strides[1][order[at - 1]]) < std::abs(space.strides[1][axis]); --at)
      order[at] = order[at - 1];
    order[at] = axis;
  }
  const Space old = space;
  for (int k = 0; k < space.rank; ++k) {
    space.shape[k] = old.shape[order[k]];
    for (int o = 0; o < 2; ++o) space.strides[o][k] = old.strides[o][order[k]];
  }
}

// Of two axes whose order differs between source and target, the shorter one goes inside: then one side is walked in
// order and the other in as many parallel streams as that axis is long, which prefetchers follow.
void shorten_inner_axes(Space& space) {
  for (bool changed = true; changed;) {
    changed = false;
    for (int k = 0; k + 2 < space.rank; ++k) {
      const bool source_order = std::abs(space.strides[0][k]) >= std::abs(space.strides[0][k + 1]);
      const bool target_order = std::abs(space.strides[1][k]) >= std::abs(space.strides[1][k + 1]);
      if (source_order == target_order || space.shape[k] >= space.shape[k + 1]) continue;
      std::swap(space.shape[k], space.shape[k + 1]);
      for (int o = 0; o < 2; ++o) std::swap(space.strides[o][k], space.strides[o][k + 1]);
      changed = true;
    }
  }
}

// A short inner run becomes one larger element where all strides allow it.
void widen_elements(Space& space, std::size_t& size) {
  const int last = space.rank - 1;
  const std::int64_t n = space.shape[last];
  if (space.strides[0][last] != 1 || space.strides[1][last] != 1 || space.rank == 1) return;
  const std::size_t wide = size * static_cast<std::size_t>(n);
  if (wide != 2 && wide != 4 && wide != 8 && wide != 16) return;
  for (int o = 0; o < 2; ++o) {
    for (int k = 0; k < last; ++k) {
      if (space.strides[o][k] % n != 0) return;
    }
  }
  --space.rank;
  for (int o = 0; o < 2; ++o) {
    for (int k = 0; k < last; ++k) space.strides[o][k] /= n;
  }
  size = wide;
}

// v, count times, by ever longer copies of what is written already.
template <class T>
void repeat(T v, T* to, std::int64_t count) {
  constexpr std::int64_t kFirst = 16, kMost = 16384 / static_cast<std::int64_t>(sizeof(T));
  for (std::int64_t i = 0; i < std::min(kFirst, count); ++i) write_as(v, to + i);
  for (std::int64_t done = kFirst; done < count;) {
    const std::int64_t n = std::min({done, kMost, count - done});
    std::memcpy(static_cast<void*>(to + done), static_cast<const void*>(to), static_cast<std::size_t>(n) * sizeof(T));
    done += n;
  }
}

template <class T>
void copy_elements(const Space& space, const void* from, void* to, ThreadPool& pool) {
  const T* src = static_cast<const T*>(from);
  T* dst = static_cast<T*>(to);
  const int last = space.rank - 1;
  const std::int64_t n = space.shape[last], s = space.strides[0][last], d = space.strides[1][last];

  int across = -1;  // the axis along which the source is contiguous
  for (int k = 0; k < last; ++k) {
    if (space.strides[0][k] == 1 && space.shape[k] >= 4) across = k;
  }
  if (across >= 0 && d == 1 && s != 0 && n >= 4) {
    Space outer = space;  // without the two axes of the tile
    outer.rank = 0;
    for (int k = 0; k < last; ++k) {
      if (k == across) continue;
      outer.shape[outer.rank] = space.shape[k];
      for (int o = 0; o < 2; ++o) outer.strides[o][outer.rank] = space.strides[o][k];
      ++outer.rank;
    }
    const std::int64_t rows = space.shape[across], row = space.strides[1][across],
                       bands = (rows + kBand<T> - 1) / kBand<T>;
    const std::int64_t grain =
        std::max<std::int64_t>(1, kTaskBytes / static_cast<std::int64_t>(sizeof(T)) / (std::min(kBand<T>, rows) * n));
    pool.parallel_for(outer.size() * bands, grain, [&](std::int64_t begin, std::int64_t end, int) {
      Cursor<2> cursor(outer, outer.rank, begin / bands);
      for (std::int64_t task = begin; task < end; ++task) {
        const std::int64_t first = task % bands * kBand<T>, last = std::min(rows, first + kBand<T>);
        for (std::int64_t block = 0; block < n; block += kBand<T>) {
          for (std::int64_t i = first; i < last; i += kLine<T>) {
            for (std::int64_t j = block; j < std::min(n, block + kBand<T>); j += kLine<T>) {
              transpose_tile(src + cursor.offset[0] + j * s + i, s, dst + cursor.offset[1] + i * row + j, row,
                             std::min(kLine<T>, last - i), std::min(kLine<T>, n - j));
            }
          }
        }
        if (task % bands + 1 == bands) cursor.next();
      }
    });
    return;
  }

  const std::int64_t most = kTaskBytes / static_cast<std::int64_t>(sizeof(T));
  const std::int64_t pieces = (n + most - 1) / most, grain = std::max<std::int64_t>(1, most / n);
  const auto run = [s, d](const T* a, T* b, std::int64_t count) {
    if (s == 1 && d == 1) {
      std::memcpy(static_cast<void*>(b), static_cast<const void*>(a), static_cast<std::size_t>(count) * sizeof(T));
    } else if (s == 0) {
      const T v = read_as<T>(a);
      if (d == 1) return repeat(v, b, count);
      for (std::int64_t i = 0; i < count; ++i) write_as(v, b + i * d);
    } else {
      for (std::int64_t i = 0; i < count; ++i) write_as(read_as<T>(a + i * s), b + i * d);
    }
  };
  pool.parallel_for(space.size() / n * pieces, grain, [&](std::int64_t begin, std::int64_t end, int) {
    Cursor<2> cursor(space, last, begin / pieces);
    if (pieces == 1) {
      for (std::int64_t row = begin; row < end; ++row, cursor.next()) {
        run(src + cursor.offset[0], dst + cursor.offset[1], n);
      }
      return;
    }
    for (std::int64_t task = begin; task < end; ++task) {
      const std::int64_t first = task % pieces * most;
      run(src + cursor.offset[0] + first * s, dst + cursor.offset[1] + first * d, std::min(most, n - first));
      if (task % pieces + 1 == pieces) cursor.next();
    }
  });
}

template <class Index>
void gather(const void* table, std::int64_t table_rows, std::size_t row_bytes, const Index* index, std::int64_t n,
            void* dst, ThreadPool& pool) {
  const auto* from = static_cast<const std::byte*>(table);
  auto* to = static_cast<std::byte*>(dst);
  const std::int64_t grain =
      std::max<std::int64_t>(1, kTaskBytes / static_cast<std::int64_t>(std::max<std::size_t>(1, row_bytes)));
  pool.parallel_for(n, grain, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t i = begin; i < end; ++i) {
      const auto row = static_cast<std::size_t>(std::clamp<std::int64_t>(index[i], 0, table_rows - 1));
      std::memcpy(to + static_cast<std::size_t>(i) * row_bytes, from + row * row_bytes, row_bytes);
    }
  });
}

}  // namespace

void copy_strided(const CopyArgs& args, ThreadPool& pool) noexcept {
  Space space;
  space.rank = args.rank;
  std::copy_n(args.shape, args.rank, space.shape);
  std::copy_n(args.src_strides, args.rank, space.strides[0]);
  std::copy_n(args.dst_strides, args.rank, space.strides[1]);
  if (space.size() == 0) return;
  order_by_target(space);
  space.collapse();
  std::size_t size = args.element_size;
  widen_elements(space, size);
  shorten_inner_axes(space);
  switch (size) {
    case 1: return copy_elements<std::uint8_t>(space, args.src, args.dst, pool);
    case 2: return copy_elements<std::uint16_t>(space, args.src, args.dst, pool);
    case 4: return copy_elements<std::uint32_t>(space, args.src, args.dst, pool);
    case 8: return copy_elements<std::uint64_t>(space, args.src, args.dst, pool);
    default: return copy_elements<Bytes16>(space, args.src, args.dst, pool);
  }
}

void fill(void* dst, std::int64_t n, const void* value, std::size_t element_size, ThreadPool& pool) noexcept {
  copy_strided({.rank = 1,
                .shape = {n},
                .src = value,
                .dst = dst,
                .src_strides = {0},
                .dst_strides = {1},
                .element_size = element_size},
               pool);
}

void gather_rows(const void* table, std::int64_t table_rows, std::size_t row_bytes, const std::int32_t* index,
                 std::int64_t n, void* dst, ThreadPool& pool) noexcept {
  gather(table, table_rows, row_bytes, index, n, dst, pool);
}

void gather_rows(const void* table, std::int64_t table_rows, std::size_t row_bytes, const std::int64_t* index,
                 std::int64_t n, void* dst, ThreadPool& pool) noexcept {
  gather(table, table_rows, row_bytes, index, n, dst, pool);
}

}  // namespace thimble::kernels
