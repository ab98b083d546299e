// Products: every transposition, sizes around the tiles of kernels, batches; convolutions of every kind.
#include <cmath>

#include "tests/conformance/case.h"

namespace thimble::conformance {
namespace {

using graph::Builder;
using graph::Conv2d;
using graph::Init;
using graph::Ints;
using graph::Shape;
using graph::Var;

Case matmul(std::string name, Shape a, Shape b, bool transpose_a = false, bool transpose_b = false) {
  return {"matmul_" + std::move(name), kSum, [=](Builder& g) {
            const Var x = g.input("a", a), y = g.input("b", b);
            g.output("y", g.matmul(x, y, transpose_a, transpose_b));
          }};
}

Case linear(std::string name, Shape x, std::int64_t out, bool bias = true, DType stored = DType::f32) {
  return {"linear_" + std::move(name),
          kSum,
          [=](Builder& b) { b.output("y", b.linear(b.input("x", x), "fc", out, {.bias = bias})); },
          {},
          stored};
}

struct Kernel {
  std::int64_t out, height, width;
};

Case conv(std::string name, Shape x, Kernel k, Conv2d op, bool bias = true, DType stored = DType::f32) {
  return {"conv_" + std::move(name),
          kSum,
          [=](Builder& b) {
            const std::int64_t in = x[3] / op.groups;
            const double std = 1 / std::sqrt(static_cast<double>(in * k.height * k.width));
            std::vector<Var> inputs{b.input("x", x),
                                    b.param("weight", {k.out, in, k.height, k.width}, {Init::Kind::normal, std})};
            if (bias) inputs.push_back(b.param("bias", {k.out}, {}));
            b.output("y", b.add(op, inputs));
          },
          {},
          stored};
}

Conv2d plain(Ints stride, Ints padding, Ints dilation = {1, 1}, std::int64_t groups = 1) {
  return {std::move(stride), std::move(padding), std::move(dilation), groups};
}

const Conv2d kSame3 = plain({1, 1}, {1, 1, 1, 1});

void add_products(std::vector<Case>& cases) {
  cases.insert(cases.end(), {
                                matmul("odd", {7, 13}, {13, 5}),
                                matmul("transpose_a", {13, 7}, {13, 5}, true),
                                matmul("transpose_b", {7, 13}, {5, 13}, false, true),
                                matmul("transpose_both", {13, 7}, {5, 13}, true, true),
                                matmul("over_tiles", {65, 130}, {130, 49}),
                                matmul("even_tiles", {32, 64}, {64, 48}),
                                matmul("row", {1, 67}, {67, 33}),
                                matmul("column", {33, 67}, {67, 1}),
                                matmul("outer", {9, 1}, {1, 11}),
                                matmul("dot", {1, 300}, {300, 1}),
                                matmul("batch", {3, 5, 8}, {3, 8, 6}),
                                matmul("batch_broadcast", {4, 1, 5, 8}, {3, 8, 6}),
                                matmul("one_right", {3, 5, 8}, {8, 6}),
                                matmul("one_left", {5, 8}, {3, 8, 6}),
                                matmul("heads", {2, 4, 10, 16}, {2, 4, 12, 16}, false, true),
                                {"matmul_parameter", kSum,
                                 [](Builder& b) {
                                   const Var x = b.input("x", {6, 21});
                                   b.output("y", b.matmul(x, b.param("w", {21, 35}, {Init::Kind::normal, 0.2})));
                                 }},
                                linear("plain", {3, 64}, 32),
                                linear("no_bias", {3, 64}, 32, false),
                                linear("odd", {5, 37}, 19),
                                linear("vector", {24}, 40),
                                linear("tokens", {2, 9, 32}, 48),
                                linear("picture", {2, 3, 5, 12}, 20),
                                linear("one_row", {1, 256}, 300),
                                linear("two_rows", {2, 256}, 131),
                                linear("many_rows", {130, 48}, 70),
                                linear("one_out", {7, 33}, 1),
                                linear("one_in", {7, 1}, 33),
                                linear("long_sum", {4, 1000}, 17),
                                linear("stored_bf16", {6, 40}, 24, true, DType::bf16),
                                linear("stored_f16", {6, 40}, 24, true, DType::f16),
                                {"linear_weight_as_input", kSum,
                                 [](Builder& b) {
                                   b.output("y", b.add(graph::Linear{}, {b.input("x", {5, 17}), b.input("w", {9, 17}),
                                                                         b.input("bias", {9})}));
                                 }},
                            });
}

void add_convolutions(std::vector<Case>& cases) {
  cases.insert(cases.end(),
               {
                   conv("same3", {2, 9, 7, 8}, {16, 3, 3}, kSame3),
                   conv("no_bias", {1, 6, 6, 8}, {8, 3, 3}, kSame3, false),
                   conv("odd_channels", {1, 7, 5, 3}, {5, 3, 3}, kSame3),
                   conv("to_three", {1, 8, 8, 32}, {3, 3, 3}, kSame3),
                   conv("wide", {1, 6, 5, 40}, {72, 3, 3}, kSame3),
                   conv("one_by_one", {2, 5, 7, 24}, {33, 1, 1}, plain({1, 1}, {0, 0, 0, 0})),
                   conv("one_by_one_stride", {1, 7, 8, 12}, {20, 1, 1}, plain({2, 2}, {0, 0, 0, 0})),
                   conv("stride", {2, 9, 10, 8}, {12, 3, 3}, plain({2, 2}, {1, 1, 1, 1})),
                   conv("stride_uneven", {1, 9, 13, 4}, {6, 3, 3}, plain({2, 3}, {1, 0, 1, 0})),
                   conv("asymmetric_padding", {1, 8, 8, 8}, {8, 3, 3}, plain({2, 2}, {0, 0, 1, 1})),
                   conv("padding_each_side", {1, 5, 6, 3}, {4, 3, 3}, plain({1, 1}, {2, 0, 1, 3})),
                   conv("valid", {1, 7, 9, 5}, {6, 3, 3}, plain({1, 1}, {0, 0, 0, 0})),
                   conv("to_one_pixel", {3, 4, 4, 6}, {10, 4, 4}, plain({1, 1}, {0, 0, 0, 0})),
                   conv("patches", {2, 8, 12, 3}, {24, 4, 4}, plain({4, 4}, {0, 0, 0, 0})),
                   conv("five", {1, 8, 7, 4}, {6, 5, 5}, plain({1, 1}, {2, 2, 2, 2})),
                   conv("row_kernel", {1, 5, 11, 4}, {5, 1, 7}, plain({1, 1}, {0, 3, 0, 3})),
                   conv("column_kernel", {1, 11, 5, 4}, {5, 7, 1}, plain({1, 1}, {3, 0, 3, 0})),
                   conv("dilated", {1, 11, 12, 6}, {8, 3, 3}, plain({1, 1}, {2, 2, 2, 2}, {2, 2})),
                   conv("dilated_uneven", {1, 11, 12, 5}, {7, 3, 2}, plain({1, 2}, {3, 1, 3, 1}, {3, 2})),
                   conv("grouped", {2, 6, 7, 12}, {18, 3, 3}, plain({1, 1}, {1, 1, 1, 1}, {1, 1}, 3)),
                   conv("grouped_stride", {1, 7, 7, 16}, {16, 3, 3}, plain({2, 2}, {1, 1, 1, 1}, {1, 1}, 4), false),
                   conv("grouped_one_by_one", {1, 4, 5, 24}, {40, 1, 1}, plain({1, 1}, {0, 0, 0, 0}, {1, 1}, 8)),
                   conv("depthwise", {2, 7, 9, 21}, {21, 3, 3}, plain({1, 1}, {1, 1, 1, 1}, {1, 1}, 21)),
                   conv("depthwise_stride", {1, 9, 9, 32}, {32, 3, 3}, plain({2, 2}, {1, 1, 1, 1}, {1, 1}, 32)),
                   conv("depthwise_five", {1, 8, 8, 16}, {16, 5, 5}, plain({1, 1}, {2, 2, 2, 2}, {1, 1}, 16), false),
                   conv("depthwise_dilated", {1, 9, 9, 16}, {16, 3, 3}, plain({1, 1}, {2, 2, 2, 2}, {2, 2}, 16)),
                   conv("depthwise_multiplier", {1, 6, 5, 8}, {16, 3, 3}, plain({1, 1}, {1, 1, 1, 1}, {1, 1}, 8)),
                   conv("one_channel", {1, 9, 8, 1}, {1, 3, 3}, kSame3),
                   conv("one_row", {1, 1, 9, 8}, {8, 3, 3}, kSame3),
                   conv("one_pixel", {1, 1, 1, 16}, {16, 3, 3}, kSame3),
                   conv("stored_f16", {1, 6, 6, 8}, {12, 3, 3}, kSame3, true, DType::f16),
                   conv("stored_bf16", {1, 6, 6, 8}, {12, 3, 3}, kSame3, true, DType::bf16),
               });
}

}  // namespace

void add_matrix_cases(std::vector<Case>& cases) {
  add_products(cases);
  add_convolutions(cases);
}

}  // namespace thimble::conformance
