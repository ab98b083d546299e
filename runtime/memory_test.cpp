// What is allocated, counted: run() allocates nothing, and a program holds what its plan said.
// The C library's allocator and mmap are replaced by counting ones for this test program.
#include <gtest/gtest.h>

#include <dlfcn.h>
#include <malloc.h>
#include <sys/mman.h>

#include <atomic>
#include <cstdlib>

#include "models/autoencoder.h"
#include "models/dit.h"
#include "models/text_encoder.h"
#include "runtime/test_support.h"

#if !defined(__SANITIZE_ADDRESS__) && defined(__GLIBC__)

namespace {

std::atomic<std::int64_t> g_calls{0};    // of any allocating function
std::atomic<std::int64_t> g_buffers{0};  // bytes now held by base/memory.h Buffers: aligned_alloc and mmap

constexpr std::size_t kSlots = 1 << 14;  // live aligned blocks
std::atomic<void*> g_blocks[kSlots];
std::size_t g_sizes[kSlots];

void remember(void* p, std::size_t bytes) {
  for (std::size_t i = 0; i < kSlots; ++i) {
    void* empty = nullptr;
    if (g_blocks[i].compare_exchange_strong(empty, p)) {
      g_sizes[i] = bytes;
      g_buffers += static_cast<std::int64_t>(bytes);
      return;
    }
  }
  std::abort();
}

void forget(void* p) {
  for (std::size_t i = 0; i < kSlots; ++i) {
    if (g_blocks[i].load() != p) continue;
    g_buffers -= static_cast<std::int64_t>(g_sizes[i]);
    g_blocks[i] = nullptr;
    return;
  }
}

}  // namespace

extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void __libc_free(void*);

void* malloc(std::size_t n) {
  ++g_calls;
  return __libc_malloc(n);
}
void* calloc(std::size_t n, std::size_t size) {
  ++g_calls;
  return __libc_calloc(n, size);
}
void* realloc(void* p, std::size_t n) {
  ++g_calls;
  return __libc_realloc(p, n);
}
void* aligned_alloc(std::size_t alignment, std::size_t n) {
  ++g_calls;
  void* p = __libc_memalign(alignment, n);
  if (alignment == 64) remember(p, n);
  return p;
}
void free(void* p) {
  if (p != nullptr && reinterpret_cast<std::uintptr_t>(p) % 64 == 0) forget(p);
  __libc_free(p);
}
void* mmap(void* at, std::size_t n, int protection, int flags, int file, off_t offset) {
  static const auto next =
      reinterpret_cast<void* (*)(void*, std::size_t, int, int, int, off_t)>(dlsym(RTLD_NEXT, "mmap"));
  ++g_calls;
  g_buffers += static_cast<std::int64_t>(n);
  return next(at, n, protection, flags, file, offset);
}
int munmap(void* p, std::size_t n) {
  static const auto next = reinterpret_cast<int (*)(void*, std::size_t)>(dlsym(RTLD_NEXT, "munmap"));
  g_buffers -= static_cast<std::int64_t>(n);
  return next(p, n);
}
}

namespace thimble::runtime {
namespace {

using graph::Graph;
using graph::Precision;
using graph::Tensor;

// Quantised products of all kinds, kept maps and linear attention.
Graph quantised() {
  graph::Builder b("quantised");
  graph::Var x = b.input("x", {2, 16, 64});
  const auto q = quant_linear(x, "q", 64, {.bits = 8}), k = quant_linear(x, "k", 64, {.bits = 8}),
             v = quant_linear(x, "v", 64, {.bits = 4, .group = 32, .asymmetric = true});
  const auto map = b.add(graph::AttentionMap{2, 2}, {q, k});
  x = x + b.add(graph::AttentionApply{2}, {map, v}) + b.add(graph::LinearAttention{2}, {q, k, v});
  x = quant_linear(b.gelu(x), "out", 64, {.bits = 4, .activations = 16}) + x;
  b.output("y", quant_linear(x, "wide", 64, {.bits = 8, .activations = 16}));
  return b.finish();
}

std::vector<Graph> networks() {
  std::vector<Graph> out;
  out.push_back(models::build_dit({.width = 64, .depth = 2}, 2, 16));
  out.push_back(models::build_decoder({.channels = {16, 32, 32, 32}, .decoder_blocks = {1, 1, 1, 1}}, 1, 128));
  out.push_back(models::build_text_encoder({.vocabulary = 100, .width = 64}, 2, 16));
  out.push_back(quantised());
  return out;
}

TEST(Memory, RunAllocatesNothing) {
  const auto executor = make_device_executor({.threads = 2});
  for (const Graph& g : networks()) {
    for (Precision precision : {Precision::f32, Precision::bf16}) {
      const auto program = executor->compile(g, draw_weights(g, false), {precision});
      const auto inputs = draw_inputs(g, false);
      for (DType type : {DType::f32, DType::bf16}) {
        std::vector<graph::TensorView> in;
        std::vector<Tensor> results;
        std::vector<graph::MutableTensorView> out;
        for (const Tensor& t : inputs) in.push_back(t.view());
        for (const auto& t : program->output_types()) results.emplace_back(graph::TensorType{type, t.shape});
        for (Tensor& t : results) out.push_back(t.mutable_view());
        const std::int64_t before = g_calls;
        program->run(in, out);
        EXPECT_EQ(g_calls - before, 0) << g.name << " " << to_string(precision) << " to " << to_string(type);
      }
    }
  }
}

// Weights in f16 are held by no plan as they are, so all that a plan says it holds is allocated by it. The sizes of
// these networks are multiples of 16, so that rounding buffers to 64 bytes adds nothing.
TEST(Memory, APlanHoldsWhatItSaid) {
  const auto executor = make_device_executor({.threads = 2});
  for (const Graph& g : networks()) {
    for (Precision precision : {Precision::f32, Precision::bf16}) {
      graph::Weights weights;
      const graph::Weights drawn = draw_weights(g, false);
      for (const std::string& name : drawn.names()) {
        const Tensor& t = drawn.at(name);
        weights.set(name, is_float(t.type().dtype) ? t.to(DType::f16) : t);
      }
      const std::int64_t before = g_buffers;
      const auto program = executor->compile(g, weights, {precision});
      EXPECT_EQ(g_buffers - before, static_cast<std::int64_t>(program->memory().peak_bytes()))
          << g.name << " " << to_string(precision);
    }
  }
}

}  // namespace
}  // namespace thimble::runtime

#endif
