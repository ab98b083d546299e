// Text names of the enumerations that ops carry.
#include <array>
#include <utility>

#include "graph/op.h"

namespace thimble::graph {
namespace {

template <class Kind, std::size_t N>
using Names = std::array<std::pair<Kind, std::string_view>, N>;

constexpr Names<UnaryKind, 22> kUnary{{
    {UnaryKind::neg, "neg"},
    {UnaryKind::abs, "abs"},
    {UnaryKind::sign, "sign"},
    {UnaryKind::exp, "exp"},
    {UnaryKind::log, "log"},
    {UnaryKind::sqrt, "sqrt"},
    {UnaryKind::rsqrt, "rsqrt"},
    {UnaryKind::reciprocal, "reciprocal"},
    {UnaryKind::square, "square"},
    {UnaryKind::sin, "sin"},
    {UnaryKind::cos, "cos"},
    {UnaryKind::tanh, "tanh"},
    {UnaryKind::sigmoid, "sigmoid"},
    {UnaryKind::relu, "relu"},
    {UnaryKind::silu, "silu"},
    {UnaryKind::gelu, "gelu"},
    {UnaryKind::gelu_tanh, "gelu_tanh"},
    {UnaryKind::softplus, "softplus"},
    {UnaryKind::hard_swish, "hard_swish"},
    {UnaryKind::floor, "floor"},
    {UnaryKind::round, "round"},
    {UnaryKind::logical_not, "logical_not"},
}};

constexpr Names<BinaryKind, 10> kBinary{{
    {BinaryKind::add, "add"},
    {BinaryKind::sub, "sub"},
    {BinaryKind::mul, "mul"},
    {BinaryKind::div, "div"},
    {BinaryKind::max, "max"},
    {BinaryKind::min, "min"},
    {BinaryKind::pow, "pow"},
    {BinaryKind::equal, "equal"},
    {BinaryKind::less, "less"},
    {BinaryKind::greater, "greater"},
}};

constexpr Names<ReduceKind, 5> kReduce{{
    {ReduceKind::sum, "sum"},
    {ReduceKind::mean, "mean"},
    {ReduceKind::max, "max"},
    {ReduceKind::min, "min"},
    {ReduceKind::prod, "prod"},
}};

constexpr Names<PoolKind, 2> kPool{{{PoolKind::max, "max"}, {PoolKind::average, "average"}}};
constexpr Names<ResizeMode, 2> kResize{{{ResizeMode::nearest, "nearest"}, {ResizeMode::bilinear, "bilinear"}}};
constexpr Names<ResizeGrid, 3> kGrid{{{ResizeGrid::half_pixel, "half_pixel"},
                                      {ResizeGrid::align_corners, "align_corners"},
                                      {ResizeGrid::asymmetric, "asymmetric"}}};

template <class Kind, std::size_t N>
std::string_view name_in(const Names<Kind, N>& names, Kind kind) {
  for (auto& [k, name] : names) {
    if (k == kind) return name;
  }
  return "?";
}

template <class Kind, std::size_t N>
bool find_in(const Names<Kind, N>& names, std::string_view name, Kind& kind) {
  for (auto& [k, n] : names) {
    if (n == name) {
      kind = k;
      return true;
    }
  }
  return false;
}

}  // namespace

std::string_view to_string(UnaryKind kind) { return name_in(kUnary, kind); }
std::string_view to_string(BinaryKind kind) { return name_in(kBinary, kind); }
std::string_view to_string(ReduceKind kind) { return name_in(kReduce, kind); }
std::string_view to_string(PoolKind kind) { return name_in(kPool, kind); }
std::string_view to_string(ResizeMode mode) { return name_in(kResize, mode); }
std::string_view to_string(ResizeGrid grid) { return name_in(kGrid, grid); }
bool from_string(std::string_view name, UnaryKind& kind) { return find_in(kUnary, name, kind); }
bool from_string(std::string_view name, BinaryKind& kind) { return find_in(kBinary, name, kind); }
bool from_string(std::string_view name, ReduceKind& kind) { return find_in(kReduce, name, kind); }
bool from_string(std::string_view name, PoolKind& kind) { return find_in(kPool, name, kind); }
bool from_string(std::string_view name, ResizeMode& mode) { return find_in(kResize, name, mode); }
bool from_string(std::string_view name, ResizeGrid& grid) { return find_in(kGrid, name, grid); }

}  // namespace thimble::graph
