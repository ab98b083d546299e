#include "runtime/lowering.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/index.h"
#include "base/memory.h"

namespace thimble::runtime {

using namespace graph;

namespace {

std::string type_text(const Located& l) { return to_string(TensorType{l.dtype, l.shape}); }

}  // namespace

Lowering::Lowering(const Graph& graph, const Facts& facts, const std::vector<Unit>& units, Precision precision,
                   Isa isa_cap, int thread_count)
    : g(graph),
      f(facts),
      activations(precision == Precision::bf16 ? DType::bf16 : DType::f32),
      isa(isa_cap),
      threads(thread_count),
      units_(units),
      known_(g.values.size()),
      pending_(g.values.size(), 0),
      output_home_(g.values.size(), -1) {
  for (const Unit& u : units_) count_reads(u, 1);
  for (std::size_t i = 0; i < g.outputs.size(); ++i) {
    // Through reshapes, whose result lies exactly as their operand does.
    ValueId v = g.outputs[i].value;
    for (;;) {
      ++pending_[index(v)];  // never overwritten
      const std::int32_t n = g.value(v).producer;
      if (n < 0 || !std::holds_alternative<Reshape>(g.nodes[index(n)].op)) break;
      v = g.nodes[index(n)].inputs[0];
    }
    const bool made =
        g.value(v).kind == ValueKind::node && !fixed(v) && !is_view(g, f, g.nodes[index(g.value(v).producer)]);
    if (made && output_home_[index(v)] < 0) output_home_[index(v)] = static_cast<int>(i);
  }
  for (std::size_t i = 0; i < g.inputs.size(); ++i) {
    const ValueId v = g.inputs[i];
    const TensorType as{stored(v), type(v).shape};
    plan_.inputs.push_back(new_buffer(Home::input, static_cast<int>(i), as.dtype, as.bytes()));
    place(v, dense_at(plan_.inputs.back(), as));
  }
  for (std::size_t i = 0; i < g.outputs.size(); ++i) {
    plan_.outputs.push_back(-1);
  }
  for (const Parameter& p : g.parameters) known_[index(p.value)] = Known{dense_at(-1, type(p.value)), p.value};
}

int Lowering::new_buffer(Home home, int i, DType dtype, std::size_t bytes) {
  plan_.buffers.push_back({.home = home, .index = i, .dtype = dtype, .bytes = bytes});
  owner_.push_back(-1);
  return static_cast<int>(plan_.buffers.size()) - 1;
}

void Lowering::count_reads(const Unit& u, int by) {
  for (ValueId v : u.reads(g)) {
    pending_[index(v)] += by;
    for (std::int32_t n = g.value(v).producer; n >= 0 && !fixed(v) && is_view(g, f, g.nodes[index(n)]);
         n = g.value(v).producer) {
      v = g.nodes[index(n)].inputs[0];
      pending_[index(v)] += by;
    }
  }
}

// ---- where values lie

int Lowering::fixed_buffer(FixedBuffer buffer) {
  if (!buffer.key.empty()) {
    if (const auto it = fixed_by_key_.find(buffer.key); it != fixed_by_key_.end()) return it->second;
  }
  const int id = new_buffer(Home::fixed, static_cast<int>(plan_.fixed.size()), DType::u8, buffer.bytes);
  if (!buffer.key.empty()) fixed_by_key_[buffer.key] = id;
  plan_.fixed.push_back(std::move(buffer));
  return id;
}

Located Lowering::literal(DType dtype, std::vector<double> values) {
  const auto n = static_cast<std::int64_t>(values.size());
  FixedBuffer b{.key = "", .sources = {}, .bytes = values.size() * size_of(dtype), .borrow = {}, .fill = {}};
  b.fill = [dtype, values = std::move(values)](auto, ThreadPool&, std::byte* to) {
    convert(DType::f64, values.data(), dtype, to, values.size());
  };
  return dense_at(fixed_buffer(std::move(b)), {dtype, {n}});
}

StaticSource Lowering::source(ValueId v) const {
  const Known& k = *known_[index(v)];
  StaticSource s;
  s.view = k.at;
  s.whole = k.at.dense() && k.at.elements() == type(k.root).elements();
  if (g.value(k.root).kind == ValueKind::parameter) {
    s.name = g.value(k.root).name;
  } else {
    s.literal = std::make_shared<Constant>(std::get<Constant>(g.nodes[index(g.value(k.root).producer)].op));
  }
  return s;
}

// The parameter or constant `v` is a view of, as a whole, in type `as`.
Located Lowering::fixed_at(ValueId v, DType as) {
  const Known& k = *known_[index(v)];
  StaticSource s = source(k.root);
  FixedBuffer b;
  b.key = s.literal ? "" : fmt::format("{} as {}", s.name, to_string(as));
  if (s.literal) b.key = fmt::format("%{} as {}", k.root, to_string(as));  // found again within this plan only
  b.bytes = index(type(k.root).elements()) * size_of(as);
  b.borrow = as;
  b.fill = [as](std::span<const Tensor> from, ThreadPool&, std::byte* to) {
    convert(from[0].type().dtype, from[0].data(), as, to, index(from[0].type().elements()));
  };
  b.sources.push_back(std::move(s));
  Located l = k.at;
  l.buffer = fixed_buffer(std::move(b));
  l.dtype = as;
  return l;
}

void Lowering::place(ValueId v, Located at) {
  if (at.buffer >= 0 && owner_[index(at.buffer)] < 0) owner_[index(at.buffer)] = v;
  known_[index(v)] = Known{std::move(at), -1};
}

void Lowering::view(const Node& node) {
  const ValueId from = node.inputs[0];
  const Known known = *known_[index(from)];
  if (auto made = view_of(node.op, known.at)) {
    known_[index(node.output)] = Known{*made, known.root};
  } else {
    known_[index(node.output)] = Known{*view_of(node.op, read_dense(from, stored(from))), -1};
  }
}

Located Lowering::read(ValueId v, DType as) {
  const Known& k = *known_[index(v)];
  if (k.root >= 0) return fixed_at(v, as);
  if (k.at.dtype == as) return k.at;
  const auto key = std::pair{v, as};
  if (const auto it = casts_.find(key); it != casts_.end()) return it->second;
  const Located from = read_dense(v, k.at.dtype);
  const Located to = temporary({as, from.shape});
  if (kernels::can_cast(from.dtype, as)) {
    const auto& table = want_kernel(kernels::pick_elementwise(DType::f32, isa), DType::f32, "cast");
    emit(nullptr, "cast", {std::string(table.name)}, CastStep{&table, from.dtype, as, from.elements()},
         {.in = {at(from)}, .out = at(to)}, to);
  } else {
    fail(ErrorKind::unsupported, "[cast] {} is wanted as {} by a device kernel", type_text(from), to_string(as));
  }
  casts_.emplace(key, to);
  return to;
}

Located Lowering::read_dense(ValueId v, DType as) {
  const Located x = read(v, as);
  if (x.dense()) return x;
  const auto key = std::pair{v, as};
  if (const auto it = dense_.find(key); it != dense_.end()) return it->second;
  const Located to = temporary({as, x.shape});
  copy(x, to, "copy");
  dense_.emplace(key, to);
  return to;
}

Located Lowering::read_rows(ValueId v, DType as) {
  const Located x = read(v, as);
  return as_rows(x) ? x : read_dense(v, as);
}

Located Lowering::temporary(const TensorType& as) {
  return dense_at(new_buffer(Home::arena, 0, as.dtype, as.bytes()), as);
}

bool Lowering::can_overwrite(ValueId v, const TensorType& as) const {
  const Known& k = *known_[index(v)];
  if (k.root >= 0 || k.at.dtype != as.dtype || k.at.offset != 0 || !k.at.dense() || k.at.bytes() != as.bytes())
    return false;
  const PlanBuffer& b = plan_.buffers[index(k.at.buffer)];
  const ValueId owner = owner_[index(k.at.buffer)];
  return b.home == Home::arena && b.bytes == as.bytes() && owner >= 0 && pending_[index(owner)] == 1;
}

Located Lowering::result(const Unit& u, std::initializer_list<ValueId> reuse) {
  const ValueId v = u.output;
  const TensorType as{stored(v), type(v).shape};
  Located l;
  if (const int output = output_home_[index(v)]; output >= 0) {
    int& buffer = plan_.outputs[index(output)];
    buffer = new_buffer(Home::output, output, as.dtype, as.bytes());
    l = dense_at(buffer, as);
  } else {
    const auto found = std::ranges::find_if(reuse, [&](ValueId r) { return r >= 0 && can_overwrite(r, as); });
    if (found != reuse.end()) {
      l = dense_at(known_[index(*found)]->at.buffer, as);
      owner_[index(l.buffer)] = -1;
    } else {
      l = temporary(as);
    }
  }
  place(v, l);
  return l;
}

// ---- steps

void Lowering::emit(const Unit* u, std::string op, Kernel kernel, Step step, Operands io, const Located& out,
                    std::size_t scratch) {
  const int now = static_cast<int>(plan_.steps.size());
  const auto touch = [&](Place p) -> PlanBuffer* {
    if (p.buffer < 0) return nullptr;
    PlanBuffer& b = plan_.buffers[index(p.buffer)];
    if (b.first < 0) b.first = now;
    b.last = now;
    return &b;
  };
  StepReport r;
  r.node = u ? u->node : -1;
  r.op = std::move(op);
  r.output = type_text(out);
  r.kernel = std::move(kernel.name);
  r.refused = std::move(kernel.refused);
  r.bytes = r.moved_bytes = out.bytes();
  for (Place p : io.in) {
    const PlanBuffer* b = touch(p);
    if (b && b->home == Home::fixed) r.weight_bytes += b->bytes;
    if (b) r.moved_bytes += b->bytes;
  }
  touch(io.out);
  plan_.scratch_bytes = std::max(plan_.scratch_bytes, scratch);
  plan_.steps.push_back({std::move(step), io});
  plan_.report.steps.push_back(std::move(r));
}

void Lowering::copy(const Located& from, const Located& to, std::string op) {
  CopyStep step;
  step.args.rank = static_cast<int>(to.shape.size());
  if (step.args.rank > kernels::kMaxRank)
    fail(ErrorKind::unsupported, "[{}] {} has more than {} axes", op, type_text(to), kernels::kMaxRank);
  step.args.element_size = size_of(to.dtype);
  for (std::size_t i = 0; i < to.shape.size(); ++i) {
    step.args.shape[i] = to.shape[i];
    step.args.src_strides[i] = from.strides[i];
    step.args.dst_strides[i] = to.strides[i];
  }
  emit(nullptr, std::move(op), {"copy_strided"}, step, {.in = {at(from)}, .out = at(to)}, to);
}

// Outputs that are views, inputs, constants, or values given out twice are copied to their buffers at the end.
void Lowering::give_outputs() {
  for (std::size_t i = 0; i < g.outputs.size(); ++i) {
    if (plan_.outputs[i] >= 0) continue;
    const ValueId v = g.outputs[i].value;
    const DType as = held(v);
    const Located from = read(v, as);
    plan_.outputs[i] = new_buffer(Home::output, static_cast<int>(i), as, from.bytes());
    copy(from, dense_at(plan_.outputs[i], {as, from.shape}), "copy to output");
  }
}

Plan Lowering::finish() {
  std::size_t next = 0;
  for (std::size_t n = 0; n < g.nodes.size(); ++n) {
    const Node& node = g.nodes[n];
    if (!f.alive[n]) continue;
    if (std::holds_alternative<Constant>(node.op)) {
      known_[index(node.output)] = Known{dense_at(-1, type(node.output)), node.output};
    } else if (is_view(g, f, node)) {
      view(node);
    }
    for (; next < units_.size() && units_[next].position == static_cast<int>(n); ++next) {
      const Unit& u = units_[next];
      const std::size_t first = plan_.report.steps.size();
      std::visit([&](const auto& op) { lower(*this, u, op); }, this->node(u).op);
      count_reads(u, -1);
      double flops = 0;
      for (int m : u.nodes)
        flops += op_flops(g.nodes[index(m)].op, input_types(g, g.nodes[index(m)]), type(g.nodes[index(m)].output));
      // To the first step that is named after the unit: copies and casts before it are the plan's own.
      auto& steps = plan_.report.steps;
      const auto named = std::find_if(steps.begin() + static_cast<std::ptrdiff_t>(first), steps.end(),
                                      [&](const StepReport& r) { return r.node == u.node; });
      (named != steps.end() ? *named : steps.back()).flops += flops;
    }
  }
  give_outputs();
  finish_report();
  return std::move(plan_);
}

void Lowering::finish_report() {
  const int end = static_cast<int>(plan_.steps.size());
  for (PlanBuffer& b : plan_.buffers) {  // border buffers live until, or from, the border
    if (b.first < 0) continue;
    if (b.home == Home::input) b.first = 0;
    if (b.home == Home::output) b.last = end;
  }
  plan_.arena_bytes = assign_arena(plan_.buffers);
  PlanReport& r = plan_.report;
  for (std::size_t i = 0; i < r.steps.size(); ++i) {
    const Place out = plan_.steps[i].io.out;
    const PlanBuffer& b = plan_.buffers[index(out.buffer)];
    r.steps[i].place = b.home == Home::output ? fmt::format("output {}", b.index) : "arena";
    r.steps[i].offset = b.home == Home::output ? index(out.offset) : b.offset + index(out.offset);
    r.flops += r.steps[i].flops;
  }
  for (const FixedBuffer& b : plan_.fixed) r.memory.weight_bytes += b.bytes;
  r.memory.activation_bytes = plan_.arena_bytes;
  r.memory.scratch_bytes = plan_.scratch_bytes;
}

}  // namespace thimble::runtime
