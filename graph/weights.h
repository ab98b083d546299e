// Named tensors, memory-mapped or owned, in one store that several graphs and plans share, and recipes:
// how a parameter derives from older ones, evaluated when it is first asked for.
// Not here: packed layouts (runtime/), file formats (formats/).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "graph/graph.h"
#include "graph/tensor.h"

namespace thimble::graph {

struct SliceRecipe {
  std::string source;
  std::int64_t axis = 0, begin = 0, end = 0;
};
struct ConcatRecipe {
  std::vector<std::string> sources;
  std::int64_t axis = 0;
};
struct ScaleRecipe {
  std::string source;
  double factor = 1;
};
struct InitRecipe {
  Shape shape;
  Init init;
  std::uint64_t seed = 0;
};
struct LowRankAddRecipe {
  std::string source, down, up;
  double factor = 1;
};  // source + factor * up * down
// Whatever a pass computes: `make` gets the sources in order.
struct FunctionRecipe {
  std::vector<std::string> sources;
  std::function<Tensor(std::span<const Tensor>)> make;
};
using Recipe = std::variant<SliceRecipe, ConcatRecipe, ScaleRecipe, InitRecipe, LowRankAddRecipe, FunctionRecipe>;

class Weights {
 public:
  void set(std::string name, Tensor tensor);  // replaces
  void derive(std::string name, Recipe recipe);
  bool contains(std::string_view name) const;
  // The tensor; a recipe is evaluated now and its result kept. bad_file when the name is unknown.
  const Tensor& at(std::string_view name) const;
  void erase(std::string_view name);
  std::vector<std::string> names() const;  // sorted, recipes included
  std::size_t size() const { return tensors_.size() + recipes_.size(); }

  // Every parameter of `graph` is present with the right shape, or bad_file naming the first that is not.
  void check_covers(const Graph& graph, std::string_view what) const;

  // Stable identity of the store, for caches of packed weights.
  std::uint64_t id() const { return id_; }
  Weights();

 private:
  mutable std::map<std::string, Tensor, std::less<>> tensors_;
  mutable std::map<std::string, Recipe, std::less<>> recipes_;
  std::uint64_t id_;
};

// Draws every parameter by its Init; parameter i uses stream i of `seed`.
Weights initialise(const Graph& graph, std::uint64_t seed);

}  // namespace thimble::graph
