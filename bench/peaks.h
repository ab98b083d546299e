// What this machine can do at most, measured: the scale on which benchmarks put their figures. Not an upper bound by
// data sheet: clocks, virtualisation and neighbours are in it, so it is measured in the same run as what it judges.
#pragma once

#include "base/threads.h"

namespace thimble::bench {

// Operations count multiply and add apart. 0 where the machine lacks the unit. All with every thread of the pool.
struct Peaks {
  double fma_f32 = 0;   // GFLOP/s of the widest f32 fused multiply-add
  double dot_bf16 = 0;  // GFLOP/s of AVX512-BF16 dot products
  double amx_bf16 = 0;  // GFLOP/s of AMX tile products
  // GOP/s of exact sums of products of bytes: vpmaddubsw, vpmaddwd and vpaddd; dot products of four in 256 and in 512
  // bits; tile products.
  double i8_avx2 = 0, i8_avx_vnni = 0, i8_avx512_vnni = 0, i8_amx = 0;
  double read_gbs = 0;  // GB/s of reading 256 MiB a thread
};

// Takes about a second: the best of many short runs, which a neighbour disturbs least.
Peaks measure_peaks(ThreadPool& pool);

// Seconds: of this thread's processor time when the pool is one thread, which neighbours on a busy machine do not
// lengthen, else of a monotonic clock.
double now(const ThreadPool& pool);

}  // namespace thimble::bench
