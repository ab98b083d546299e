// A plan: steps in order, the buffers they use, and how the static ones are made from weights. Made from the graph
// alone.
//
// Planning goes: verify -> decompose what no step serves -> facts -> fuse -> lower each unit to steps over buffers
// -> give the arena's buffers their offsets.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/threads.h"
#include "graph/executor.h"
#include "runtime/device.h"
#include "runtime/layout.h"
#include "runtime/steps.h"

namespace thimble::runtime {

// A parameter or constant, or a view of one, as a dense tensor when weights are bound.
struct StaticSource {
  std::string name;  // of the parameter; empty: `literal`
  std::shared_ptr<const graph::Constant> literal;
  Located view;       // into the parameter, buffer and dtype unused
  bool whole = true;  // the view is all of it, in order

  std::string key() const;  // name, and the view if there is one
  graph::Tensor fetch(const graph::Weights& weights) const;
};

// A buffer that is filled once, when weights are bound, and shared by plans under its key.
struct FixedBuffer {
  std::string key;  // names and layout; empty: made of literals, not shared
  std::vector<StaticSource> sources;
  std::size_t bytes = 0;
  std::optional<DType> borrow;  // if the one source has this type already, it is used where it lies
  std::function<void(std::span<const graph::Tensor>, ThreadPool&, std::byte*)> fill;
};

enum class Home : std::uint8_t { arena, input, output, fixed };

struct PlanBuffer {
  Home home = Home::arena;
  int index = 0;  // of the input, output or FixedBuffer
  DType dtype = DType::f32;
  std::size_t bytes = 0;
  // Inputs and outputs have a place in the arena too, for callers whose buffers are of another type.
  std::size_t offset = 0;
  int first = -1, last = -1;  // steps between which it is in use
};

struct PlannedStep {
  Step step;
  Operands io;
};

struct Plan {
  std::vector<PlannedStep> steps;
  std::vector<PlanBuffer> buffers;
  std::vector<FixedBuffer> fixed;
  std::vector<int> inputs, outputs;  // buffers, by index in the graph's lists
  std::size_t arena_bytes = 0, scratch_bytes = 0;
  PlanReport report;
};

Plan make_plan(const graph::Graph& graph, const graph::CompileOptions& compile, Isa isa, int threads);

// Offsets for the buffers of all homes but `fixed` that are in use, 64-byte aligned: largest first, each into the
// smallest gap that is free while it lives. Returns the arena's size.
std::size_t assign_arena(std::vector<PlanBuffer>& buffers);

}  // namespace thimble::runtime
