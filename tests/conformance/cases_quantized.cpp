// Quantised products: both widths of weights and of activations, groups with and without a short last one, fused
// neighbours; and the halves of attention and linear attention.
#include <limits>

#include "tests/conformance/case.h"

namespace thimble::conformance {
namespace {

using graph::AttentionApply;
using graph::AttentionMap;
using graph::Builder;
using graph::Init;
using graph::LinearAttention;
using graph::QuantConv2d;
using graph::QuantLinear;
using graph::Shape;
using graph::Var;

// Multiples of a step of 1/64, the largest a full range of int8 (symmetric: 127 steps; asymmetric: -55 to 200), in
// every 24 in a row: quantising loses nothing, so that only the product is judged.
const Domain kOnSteps{
    0, 0, {127, -3, 64, 0, 17, -90, 5, 33, -127, 100, 1, -42, 77, 8, -19, 120, -66, 25, 2, -1, 51, -110, 14, 39}};
const Domain kOnShiftedSteps{
    0, 0, {200, -3, 64, 0, 17, -55, 5, 33, 188, 100, 1, -42, 77, 8, -19, 120, 156, 25, 2, -1, 51, 130, 14, 39}};

Domain in_steps(Domain d) {
  for (double& v : d.values) v /= 64;
  return d;
}

Var quant_linear(Builder& b, Var x, const std::string& name, std::int64_t out, QuantLinear op, bool bias = true) {
  const std::int64_t in = x.dim(-1), groups = op.group == 0 ? 1 : (in + op.group - 1) / op.group;
  const Init numbers{Init::Kind::uniform, 127};
  std::vector<Var> inputs{
      x,
      op.bits == 4 ? b.param(name + ".weight", {out, in / 2}, numbers, DType::u8)
                   : b.param(name + ".weight", {out, in}, numbers, DType::i8),
      b.param(name + ".weight.scale", {out, groups}, {Init::Kind::constant, op.bits == 4 ? 0.03 : 0.002})};
  if (bias) inputs.push_back(b.param(name + ".bias", {out}, {}));
  return b.add(op, inputs);
}

Case quant(std::string name, Shape x, std::int64_t out, QuantLinear op, bool bias = true, Tolerance t = kSum,
           Domain domain = in_steps(kOnSteps)) {
  return {"quant_linear_" + std::move(name),
          t,
          [=](Builder& b) { b.output("y", quant_linear(b, b.input("x", x), "fc", out, op, bias)); },
          {domain}};
}

QuantLinear format(std::int64_t bits, std::int64_t activations, std::int64_t group = 0, bool asymmetric = false) {
  return {.bits = bits, .group = group, .activations = activations, .asymmetric = asymmetric};
}

void add_products(std::vector<Case>& cases) {
  const Domain shifted = in_steps(kOnShiftedSteps), any{};
  cases.insert(cases.end(),
               {
                   quant("w8a8", {3, 64}, 32, format(8, 8)),
                   quant("w8a8_no_bias", {3, 64}, 32, format(8, 8), false),
                   quant("w8a8_odd", {5, 37}, 19, format(8, 8)),
                   quant("w8a8_vector", {40}, 24, format(8, 8)),
                   quant("w8a8_tokens", {2, 9, 96}, 70, format(8, 8)),
                   quant("w8a8_picture", {1, 3, 5, 64}, 48, format(8, 8)),
                   quant("w8a8_many", {67, 160}, 131, format(8, 8)),
                   quant("w8a8_groups", {5, 128}, 33, format(8, 8, 64)),
                   quant("w8a8_short_group", {5, 90}, 17, format(8, 8, 32)),
                   quant("w8a8_asymmetric", {7, 72}, 40, format(8, 8, 0, true), true, kSum, shifted),
                   quant("w8a8_asymmetric_groups", {7, 128}, 40, format(8, 8, 32, true), true, kSum, shifted),
                   quant("w8a8_any", {6, 80}, 33, format(8, 8), true, kRoundedEitherWay, any),
                   quant("w8a8_any_asymmetric", {6, 80}, 33, format(8, 8, 0, true), true, kRoundedEitherWay, any),
                   quant("w8a16", {6, 80}, 33, format(8, 16), true, kSum, any),
                   quant("w8a16_groups", {6, 96}, 33, format(8, 16, 64), false, kSum, any),
                   quant("w4a8", {3, 64}, 32, format(4, 8)),
                   quant("w4a8_groups", {9, 192}, 70, format(4, 8, 64)),
                   quant("w4a8_small_groups", {9, 96}, 35, format(4, 8, 32), false),
                   quant("w4a8_short_group", {4, 150}, 20, format(4, 8, 128)),
                   quant("w4a8_asymmetric", {7, 128}, 40, format(4, 8, 64, true), true, kSum, shifted),
                   quant("w4a16", {3, 64}, 32, format(4, 16), true, kSum, any),
                   quant("w4a16_groups", {34, 192}, 70, format(4, 16, 64), true, kSum, any),
                   quant("w4a16_short_group", {2, 3, 74}, 21, format(4, 16, 32), false, kSum, any),
                   {"quant_linear_zero_row",
                    kSum,
                    [](Builder& b) {
                      const Var x = b.input("x", {4, 48});
                      b.output("y", quant_linear(b, b.concat({x, x * 0}, 0), "fc", 16, format(8, 8)));
                    },
                    {in_steps(kOnSteps)}},
                   {"quant_linear_computed_weight",
                    kSum,
                    [](Builder& b) {
                      const Var w = b.cast(b.input("w", {16, 48}, DType::i32), DType::i8);
                      b.output("y", b.add(format(8, 8), {b.input("x", {4, 48}), w, b.input("scale", {16, 1})}));
                    },
                    {{-100, 100, {}}, in_steps(kOnSteps)}},
                   // Three readers of one input: its activations are packed once.
                   {"quant_linear_shared_input",
                    kAttention,
                    [](Builder& b) {
                      const Var x = b.input("x", {2, 9, 64});
                      const Var q = quant_linear(b, x, "q", 32, format(8, 8)),
                                k = quant_linear(b, x, "k", 32, format(8, 8)),
                                v = quant_linear(b, x, "v", 48, format(4, 8, 32));
                      b.output("y", b.attention(q, k, v, {2, 2}));
                    },
                    {in_steps(kOnSteps)}},
                   {"quant_linear_chain",
                    kRoundedEitherWay,
                    [](Builder& b) {
                      const Var x = b.input("x", {2, 9, 64}), gate = b.input("gate", {2, 1, 64});
                      const Var h = b.gelu_tanh(quant_linear(b, x, "fc1", 96, format(8, 8)));
                      b.output("y", x + gate * quant_linear(b, h, "fc2", 64, format(4, 16, 32)));
                      b.output("z", b.silu(quant_linear(b, x, "fc3", 40, format(4, 8, 64))) + 0.5);
                    },
                    {in_steps(kOnSteps)}},
               });
}

Var quant_conv(Builder& b, Var x, const std::string& name, std::int64_t out, std::int64_t taps, QuantConv2d op,
               bool bias = true) {
  const Init numbers{Init::Kind::uniform, 127};
  std::vector<Var> inputs{x, b.param(name + ".weight", {out, x.dim(-1) / op.groups, taps, taps}, numbers, DType::i8),
                          b.param(name + ".weight.scale", {out, 1}, {Init::Kind::constant, 0.002})};
  if (bias) inputs.push_back(b.param(name + ".bias", {out}, {}));
  return b.add(op, inputs);
}

Case conv(std::string name, Shape x, std::int64_t out, std::int64_t taps, QuantConv2d op, bool bias = true,
          Domain domain = in_steps(kOnSteps), Tolerance t = kSum) {
  return {"quant_conv2d_" + std::move(name),
          t,
          [=](Builder& b) { b.output("y", quant_conv(b, b.input("x", x), "conv", out, taps, op, bias)); },
          {domain}};
}

void add_convolutions(std::vector<Case>& cases) {
  const QuantConv2d same{.padding = {1, 1, 1, 1}}, strided{.stride = {2, 2}, .padding = {1, 1, 1, 1}},
      uneven{.stride = {2, 1}, .padding = {0, 2, 1, 0}}, apart{.padding = {2, 2, 2, 2}, .dilation = {2, 2}},
      grouped{.padding = {1, 1, 1, 1}, .groups = 2}, shifted{.padding = {1, 1, 1, 1}, .asymmetric = true};
  cases.insert(
      cases.end(),
      {
          conv("same", {1, 6, 7, 32}, 20, 3, same),
          conv("no_bias", {2, 5, 5, 16}, 33, 3, same, false),
          conv("odd", {2, 5, 9, 7}, 5, 3, same),
          conv("strided", {1, 9, 8, 12}, 40, 3, strided),
          conv("uneven", {1, 7, 6, 9}, 17, 3, uneven),
          conv("dilated", {1, 8, 8, 10}, 12, 3, apart),
          conv("wide", {1, 9, 9, 8}, 12, 5, {.padding = {2, 2, 2, 2}}),
          conv("one_pixel", {1, 9, 9, 24}, 12, 1, {.stride = {2, 2}}),
          conv("deep", {1, 5, 6, 150}, 70, 3, same),
          conv("groups", {1, 6, 6, 16}, 12, 3, grouped),
          conv("asymmetric", {2, 6, 7, 20}, 18, 3, shifted, true, in_steps(kOnShiftedSteps)),
          conv("asymmetric_strided", {1, 9, 9, 24}, 34, 3,
               {.stride = {2, 2}, .padding = {0, 0, 1, 1}, .asymmetric = true}, true, in_steps(kOnShiftedSteps)),
          conv("any", {1, 6, 7, 32}, 20, 3, same, true, Domain{}, kRoundedEitherWay),
          {"quant_conv2d_zero_picture",
           kSum,
           [](Builder& b) {
             const Var x = b.input("x", {1, 4, 4, 24});
             b.output("y", quant_conv(b, b.concat({x * 0, x}, 0), "conv", 16, 3, {.padding = {1, 1, 1, 1}}));
           },
           {in_steps(kOnSteps)}},
          {"quant_conv2d_computed_weight",
           kSum,
           [](Builder& b) {
             const Var w = b.cast(b.input("w", {16, 8, 3, 3}, DType::i32), DType::i8);
             b.output("y", b.add(QuantConv2d{}, {b.input("x", {1, 5, 6, 8}), w, b.input("scale", {16, 1})}));
           },
           {{-100, 100, {}}, in_steps(kOnSteps)}},
          // Doubled, biased, activated; and by a gate of each picture, then added.
          {"quant_conv2d_fused",
           kChain,
           [](Builder& b) {
             const Var x = b.input("x", {2, 4, 5, 24}), gate = b.input("gate", {2, 1, 1, 40});
             const Var large = b.add(graph::Resize{graph::ResizeMode::nearest, 8, 10}, {x});
             const QuantConv2d same{.padding = {1, 1, 1, 1}};
             b.output("up", b.silu(quant_conv(b, large, "up", 20, 3, same)));
             b.output("y", b.input("skip", {2, 4, 5, 40}) + gate * quant_conv(b, x, "next", 40, 3, same));
           },
           {in_steps(kOnSteps)}},
      });
}

// Numbers of a map: rows need not add up to one.
Case apply(std::string name, Shape map, Shape v, std::int64_t kv_heads) {
  return {"attention_apply_" + std::move(name),
          kSum,
          [=](Builder& b) {
            b.output("y", b.add(AttentionApply{kv_heads}, {b.input("map", map), b.input("v", v)}));
          },
          {{0, 0.2, {}}}};
}

Case map(std::string name, Shape q, Shape k, AttentionMap op, Shape mask = {}, Domain holes = {}) {
  return {"attention_map_" + std::move(name),
          kAttention,
          [=](Builder& b) {
            std::vector<Var> in{b.input("q", q), b.input("k", k)};
            if (!mask.empty()) in.push_back(b.input("mask", mask));
            b.output("y", b.add(op, in));
          },
          {{}, {}, holes}};
}

Case linear_attention(std::string name, Shape q, Shape v, std::int64_t heads) {
  return {"linear_attention_" + std::move(name),
          kChain,
          [=](Builder& b) {
            Shape k = q;
            k[1] = v[1];
            b.output("y", b.add(LinearAttention{heads}, {b.input("q", q), b.input("k", k), b.input("v", v)}));
          },
          {{-1, 2, {}}, {-1, 2, {}}}};
}

void add_attention_parts(std::vector<Case>& cases) {
  const Domain holes{0, 0, {0, -std::numeric_limits<double>::infinity(), 0.5, 0, -1, 0, 0}};
  cases.insert(
      cases.end(),
      {
          map("heads", {2, 9, 32}, {2, 13, 32}, {4, 4}),
          map("odd", {1, 7, 15}, {1, 11, 15}, {3, 3}),
          map("long", {1, 70, 16}, {1, 263, 16}, {1, 1}),
          map("shared_keys", {2, 13, 64}, {2, 19, 32}, {4, 2}),
          map("causal", {1, 19, 32}, {1, 19, 32}, {2, 2, 0.5, true}),
          map("mask", {2, 9, 32}, {2, 14, 32}, {2, 2}, {2, 1, 1, 14}, holes),
          map("mask_heads", {1, 9, 24}, {1, 11, 24}, {3, 3}, {1, 3, 9, 11}),
          apply("heads", {2, 4, 9, 13}, {2, 13, 32}, 4),
          apply("odd", {1, 3, 7, 11}, {1, 11, 15}, 3),
          apply("long", {1, 1, 70, 263}, {1, 263, 40}, 1),
          apply("shared_keys", {2, 4, 13, 19}, {2, 19, 32}, 2),
          // A map that is an output and read on: a step that keeps it for later ones.
          {"attention_halves", kAttention,
           [](Builder& b) {
             const Var q = b.input("q", {2, 9, 32}), k = b.input("k", {2, 9, 32}), v = b.input("v", {2, 9, 32});
             const Var kept = b.add(AttentionMap{2, 2}, {q, k});
             b.output("map", kept);
             b.output("y", b.add(AttentionApply{2}, {kept, v}));
           }},
          linear_attention("one_head", {1, 9, 16}, {1, 9, 16}, 1),
          linear_attention("heads", {2, 33, 64}, {2, 33, 64}, 2),
          linear_attention("odd", {1, 21, 21}, {1, 19, 33}, 3),
          linear_attention("cross_long", {1, 70, 64}, {1, 600, 128}, 2),
      });
}

}  // namespace

void add_quantized_cases(std::vector<Case>& cases) {
  add_products(cases);
  add_convolutions(cases);
  add_attention_parts(cases);
}

}  // namespace thimble::conformance
