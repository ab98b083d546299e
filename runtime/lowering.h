// Turns units into steps: where each value lies, copies and casts where a kernel needs them, buffers reused in place.
// One overload of lower() per op, in lower_*.cpp by family.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "runtime/facts.h"
#include "runtime/fuse.h"
#include "runtime/plan.h"

namespace thimble::runtime {

class Lowering {
 public:
  Lowering(const graph::Graph& graph, const Facts& facts, const std::vector<Unit>& units, graph::Precision precision,
           Isa isa, int threads);
  Plan finish();  // lowers everything

  const graph::Graph& g;
  const Facts& f;
  const DType activations;  // of f32 values, as stored and multiplied: f32 or bf16
  const Isa isa;
  const int threads;

  const graph::Node& node(const Unit& u) const { return g.nodes[static_cast<std::size_t>(u.node)]; }
  const graph::TensorType& type(graph::ValueId v) const { return g.type(v); }
  DType stored(graph::ValueId v) const { return f.stored[static_cast<std::size_t>(v)]; }
  // As `v` lies now; views follow what they look at.
  DType held(graph::ValueId v) const {
    const auto& k = known_[static_cast<std::size_t>(v)];
    return k && k->root < 0 ? k->at.dtype : stored(v);
  }
  bool fixed(graph::ValueId v) const { return f.fixed[static_cast<std::size_t>(v)]; }

  // Where `v` lies as `as`, cast if need be: with any strides; as rows (as_rows() holds); dense.
  Located read(graph::ValueId v, DType as);
  Located read_rows(graph::ValueId v, DType as);
  Located read_dense(graph::ValueId v, DType as);
  // Like read_dense, for the small f32 operands of kernels: biases, weights of norms. Static ones cost nothing.
  Located read_f32(graph::ValueId v) { return read_dense(v, DType::f32); }

  // A dense home for the unit's result: the caller's output, the buffer of a value in `reuse` that nobody reads later
  // and that has the result's type, or new memory.
  Located result(const Unit& u, std::initializer_list<graph::ValueId> reuse = {});
  // The same for a result that is wider than one value, or of another shape; `place` tells where `v` lies in it.
  Located temporary(const graph::TensorType& type);
  void place(graph::ValueId v, Located at);

  // Static operands that are not tensors as they are.
  StaticSource source(graph::ValueId v) const;
  int fixed_buffer(FixedBuffer buffer);
  Located literal(DType type, std::vector<double> values);  // a vector

  static Place at(const Located& l) { return {l.buffer, l.offset * static_cast<std::int64_t>(size_of(l.dtype))}; }

  // Inputs of quantised layers as int8, by value and form: layers that read one input share them.
  std::map<std::string, Located> packed_activations;

  struct Kernel {
    std::string name = "plain", refused = {};
  };
  void emit(const Unit* u, std::string op, Kernel kernel, Step step, Operands io, const Located& out,
            std::size_t scratch = 0);
  void copy(const Located& from, const Located& to, std::string op);

 private:
  Located fixed_at(graph::ValueId v, DType as);
  void view(const graph::Node& node);
  void give_outputs();
  bool can_overwrite(graph::ValueId v, const graph::TensorType& type) const;
  void count_reads(const Unit& u, int by);
  int new_buffer(Home home, int index, DType dtype, std::size_t bytes);
  void finish_report();

  struct Known {
    Located at;                // of a fixed value: a view into `root`
    graph::ValueId root = -1;  // the parameter or constant
  };
  const std::vector<Unit>& units_;
  Plan plan_;
  std::vector<std::optional<Known>> known_;  // by value
  std::vector<int> pending_;                 // by value: reads to come, those through views included
  std::vector<graph::ValueId> owner_;        // by buffer: the value whose reads keep it
  std::vector<int> output_home_;             // by value: the graph output that it is written to directly, or -1
  std::map<std::pair<graph::ValueId, DType>, Located> casts_, dense_;
  std::map<std::string, int> fixed_by_key_;
};

#define CORE(type, name) void lower(Lowering& l, const Unit& u, const graph::type& op);
#define MODULE(type, name) void lower(Lowering& l, const Unit& u, const graph::type& op);
#include "graph/ops.inc"
#undef CORE
#undef MODULE

// Rows of a kernel table that stand before the chosen one, with the reason why they were passed over.
template <class Table, class Row>
std::string refused_rows(const Table& rows, const Row* chosen, Isa cap) {
  std::string out;
  for (const auto& entry : rows) {
    const Row* row;
    if constexpr (std::is_pointer_v<std::remove_cvref_t<decltype(entry)>>) {
      row = entry;
    } else {
      row = &entry;
    }
    if (row == chosen) break;
    if (row->type != chosen->type) continue;
    if (!out.empty()) out += ", ";
    out += std::string(row->name);
    out += supports(cpu(), row->isa) ? ": capped at " + std::string(to_string(cap))
                                     : ": this machine has no " + std::string(to_string(row->isa));
  }
  return out;
}

// The kernel row for `type`, or unsupported naming the op.
template <class Row>
const Row& want_kernel(const Row* row, DType type, std::string_view op) {
  if (row == nullptr) {
    fail(ErrorKind::unsupported, "[{}] no device kernel for {}; f32 and bf16 are served, cast before and after", op,
         to_string(type));
  }
  return *row;
}

}  // namespace thimble::runtime
