// Patterns that planners fuse, and what may spoil a fusion: a tap, a second reader, an output in the middle,
// a tensor whose memory is wanted again.
#include <cmath>

#include "tests/conformance/case.h"

namespace thimble::conformance {
namespace {

using graph::Builder;
using graph::Init;
using graph::ResizeMode;
using graph::Shape;
using graph::UnaryKind;
using graph::Var;

Var mlp(Builder& b, Var x, std::int64_t hidden) {
  return b.linear(b.gelu(b.linear(x, "fc1", hidden)), "fc2", x.dim(-1));
}

// Self-attention with one fused projection.
Var self_attention(Builder& b, Var x, std::int64_t heads) {
  const std::int64_t width = x.dim(-1);
  const auto qkv = b.chunk(b.linear(x, "qkv", 3 * width), -1, 3);
  return b.linear(b.attention(qkv[0], qkv[1], qkv[2], {heads, heads}), "proj", width);
}

void linear_activation(Builder& b, UnaryKind kind) {
  b.output("y", b.unary(kind, b.linear(b.input("x", {2, 9, 24}), "fc", 37)));
}

void adaptive_block(Builder& b) {
  const Var x = b.input("x", {2, 12, 32}), c = b.input("c", {2, 32});
  const auto m = b.chunk(b.reshape(b.linear(b.silu(c), "ada", 6 * 32), {2, 1, 6 * 32}), -1, 6);
  const Var h = x + m[2] * self_attention(b, b.modulate(b.layer_norm(x), m[0], m[1]), 4);
  b.output("y", h + m[5] * mlp(b, b.modulate(b.layer_norm(h), m[3], m[4]), 64));
}

void residual_block(Builder& b) {
  const Var x = b.input("x", {1, 6, 7, 16}), t = b.input("t", {1, 24});
  Var h = b.conv2d(b.silu(b.group_norm(x, "norm1", 4)), "conv1", 24);
  const Var shift = b.reshape(b.linear(b.silu(t), "time", 24), {1, 1, 1, 24});
  h = h + shift;
  h = b.conv2d(b.silu(b.group_norm(h, "norm2", 4)), "conv2", 24);
  const Var skip = b.conv2d(x, "skip", 24, {.kernel = 1});
  b.output("y", h + skip);
}

void small_unet(Builder& b) {
  const Var x = b.conv2d(b.input("x", {1, 8, 8, 3}), "in", 8);
  const Var down = b.silu(b.conv2d(x, "down", 16, {.stride = 2}));
  const Var up = b.conv2d(b.resize(down, ResizeMode::nearest, 8, 8), "up", 8);
  b.output("y", b.conv2d(b.silu(b.concat({up, x}, -1)), "out", 3));
}

void text_encoder(Builder& b) {
  const Var ids = b.input("ids", {2, 7}, DType::i32);
  const Var position = b.param("position", {7, 16}, {Init::Kind::normal, 0.5});
  Var x = b.embedding(ids, "token", 31, 16, 1.0) + position;
  const Var h = b.layer_norm(x, "norm1");
  const Var q = b.linear(h, "q", 16), k = b.linear(h, "k", 16), v = b.linear(h, "v", 16);
  const Var a = b.attention(q, k, v, {2, 2, 0, true});
  x = x + b.linear(a, "o", 16);
  b.output("states", x);
  b.output("pooled", b.reshape(b.slice(b.layer_norm(x, "norm2"), 1, 6, 7), {2, 16}));
}

void tied_embedding(Builder& b) {
  const Var ids = b.input("ids", {5}, DType::i32);
  const Var table = b.param("table", {19, 12}, {Init::Kind::normal, 0.5});
  b.output("logits", b.add(graph::Linear{}, {b.gather(table, ids), table}));
}

void masked_softmax(Builder& b) {
  const Var x = b.input("scores", {2, 3, 5, 9}), seen = b.input("seen", {2, 1, 1, 9}, DType::boolean);
  b.output("y", b.softmax(b.where(seen, x, b.constant(-30000))));
}

void padded_attention(Builder& b) {
  const Var x = b.input("x", {2, 5, 16}), text = b.input("text", {2, 8, 16}),
            seen = b.input("seen", {2, 8}, DType::boolean);
  const Var hidden = b.cast(b.unary(UnaryKind::logical_not, seen), DType::f32);
  const Var mask = b.reshape(hidden * -10000, {2, 1, 1, 8});
  const Var q = b.linear(x, "q", 16), k = b.linear(text, "k", 16), v = b.linear(text, "v", 16);
  b.output("y", b.attention(q, k, v, mask, {2, 2}));
}

// Attention and layer norm as an importer brings them: core ops only.
void attention_by_hand(Builder& b) {
  const Var q = b.input("q", {2, 3, 7, 8}), k = b.input("k", {2, 3, 9, 8}), v = b.input("v", {2, 3, 9, 8});
  const Var scores = b.matmul(q, b.transpose(k, {0, 1, 3, 2})) * (1 / std::sqrt(8.0));
  const Var e = b.unary(UnaryKind::exp, scores - b.reduce(graph::ReduceKind::max, scores, {-1}));
  b.output("y", b.matmul(e / b.sum(e, {-1}), v));
}

void layer_norm_by_hand(Builder& b) {
  const Var x = b.input("x", {3, 5, 24});
  const Var d = x - b.mean(x, {-1});
  const Var variance = b.mean(d * d, {-1});
  const Var y = d / b.unary(UnaryKind::sqrt, variance + 1e-5);
  const Var weight = b.param("weight", {24}, {Init::Kind::ones, 0}), bias = b.param("bias", {24}, {});
  b.output("y", y * weight + bias);
}

void add_linear_patterns(std::vector<Case>& cases) {
  cases.insert(
      cases.end(),
      {
          {"linear_gelu", kChain, [](Builder& b) { linear_activation(b, UnaryKind::gelu); }},
          {"linear_gelu_tanh", kChain, [](Builder& b) { linear_activation(b, UnaryKind::gelu_tanh); }},
          {"linear_silu", kChain, [](Builder& b) { linear_activation(b, UnaryKind::silu); }},
          {"linear_relu", kChain, [](Builder& b) { linear_activation(b, UnaryKind::relu); }},
          {"linear_tanh", kChain, [](Builder& b) { linear_activation(b, UnaryKind::tanh); }},
          {"linear_sigmoid", kChain, [](Builder& b) { linear_activation(b, UnaryKind::sigmoid); }},
          {"linear_residual", kChain,
           [](Builder& b) {
             const Var x = b.input("x", {2, 9, 24});
             b.output("y", b.linear(x, "fc", 24) + x);
           }},
          {"linear_gate_residual", kChain,
           [](Builder& b) {
             const Var x = b.input("x", {2, 9, 24}), h = b.input("h", {2, 9, 40}), gate = b.input("gate", {2, 1, 24});
             b.output("y", x + gate * b.linear(h, "fc", 24));
           }},
          {"linear_gate_one_for_all", kChain,
           [](Builder& b) {
             const Var x = b.input("x", {3, 5, 24}), gate = b.input("gate", {1, 1, 24});
             b.output("y", b.linear(x, "fc", 24) * gate + x);
           }},
          {"linear_swiglu", kChain,
           [](Builder& b) {
             const Var x = b.input("x", {2, 7, 20});
             const Var gate = b.silu(b.linear(x, "gate", 33)), up = b.linear(x, "up", 33);
             b.output("y", b.linear(gate * up, "down", 20));
           }},
          {"linear_glu", kChain,
           [](Builder& b) {
             b.output("y", b.linear(b.glu(b.linear(b.input("x", {2, 7, 20}), "in", 66), UnaryKind::gelu), "out", 20));
           }},
          {"matmul_bias_add", kChain,
           [](Builder& b) {
             const Var w = b.param("w", {24, 17}, {Init::Kind::normal, 0.2});
             const Var bias = b.param("bias", {17}, {});
             b.output("y", b.relu(b.matmul(b.input("x", {5, 24}), w) + bias));
           }},
          {"linear_of_transposed", kChain,
           [](Builder& b) {
             b.output("y", b.linear(b.transpose(b.input("x", {2, 24, 9}), {0, 2, 1}), "fc", 16));
           }},
          {"linear_of_slice", kChain,
           [](Builder& b) {
             b.output("y", b.linear(b.slice(b.input("x", {2, 9, 48}), -1, 16, 40), "fc", 16));
           }},
          {"mlp", kChain,
           [](Builder& b) {
             b.output("y", mlp(b, b.input("x", {3, 11, 24}), 50));
           }},
          {"mlp_residual", kChain,
           [](Builder& b) {
             const Var x = b.input("x", {3, 11, 24});
             b.output("y", x + mlp(b, b.layer_norm(x, "norm"), 50));
           }},
          {"layer_norm_modulate", kChain,
           [](Builder& b) {
             const Var x = b.input("x", {2, 9, 40}), shift = b.input("shift", {2, 1, 40}),
                       scale = b.input("scale", {2, 1, 40});
             b.output("y", b.modulate(b.layer_norm(x), shift, scale));
           }},
          {"layer_norm_modulate_linear", kChain,
           [](Builder& b) {
             const Var x = b.input("x", {2, 9, 40}), shift = b.input("shift", {1, 1, 40}),
                       scale = b.input("scale", {1, 1, 40});
             b.output("y", b.linear(b.modulate(b.layer_norm(x, "norm"), shift, scale), "fc", 24));
           }},
          {"residual_rms_norm", kChain,
           [](Builder& b) {
             const Var x = b.input("x", {2, 9, 40}), y = b.input("y", {2, 9, 40});
             const Var h = x + y;
             b.output("sum", h);
             b.output("norm", b.rms_norm(h, "norm"));
           }},
      });
}

void add_picture_patterns(std::vector<Case>& cases) {
  cases.insert(
      cases.end(),
      {
          {"conv_silu", kChain,
           [](Builder& b) {
             b.output("y", b.silu(b.conv2d(b.input("x", {1, 7, 6, 12}), "conv", 20)));
           }},
          {"conv_residual", kChain,
           [](Builder& b) {
             const Var x = b.input("x", {2, 5, 6, 12});
             b.output("y", b.conv2d(x, "conv", 12) + x);
           }},
          {"conv_group_norm_silu", kChain,
           [](Builder& b) {
             b.output("y", b.silu(b.group_norm(b.conv2d(b.input("x", {2, 5, 6, 8}), "conv", 16), "norm", 4)));
           }},
          {"group_norm_silu_conv", kChain,
           [](Builder& b) {
             b.output("y", b.conv2d(b.silu(b.group_norm(b.input("x", {1, 6, 5, 16}), "norm", 8)), "conv", 9));
           }},
          {"resize_conv", kChain,
           [](Builder& b) {
             b.output("y", b.conv2d(b.resize(b.input("x", {1, 4, 5, 8}), ResizeMode::nearest, 8, 10), "conv", 12));
           }},
          {"bilinear_conv", kChain,
           [](Builder& b) {
             b.output("y", b.conv2d(b.resize(b.input("x", {1, 4, 5, 8}), ResizeMode::bilinear, 8, 10), "conv", 12));
           }},
          {"pad_conv", kChain,
           [](Builder& b) {
             const Var x = b.pad(b.input("x", {1, 6, 7, 8}), {0, 1, 0, 0}, {0, 0, 2, 0});
             b.output("y", b.conv2d(x, "conv", 10, {.padding = 0}));
           }},
          {"concat_conv", kChain,
           [](Builder& b) {
             b.output("y", b.conv2d(b.concat({b.input("x", {1, 5, 6, 7}), b.input("z", {1, 5, 6, 4})}, -1), "conv", 8));
           }},
          {"conv_pixel_shuffle", kChain,
           [](Builder& b) {
             b.output("y", b.pixel_shuffle(b.conv2d(b.input("x", {1, 4, 5, 8}), "conv", 12), 2));
           }},
          {"patchify", kChain,
           [](Builder& b) {
             const Var x = b.pixel_unshuffle(b.input("x", {2, 8, 12, 3}), 4);
             b.output("y", b.linear(b.reshape(x, {2, 6, 48}), "embed", 32));
           }},
          {"unpatchify", kChain,
           [](Builder& b) {
             const Var x = b.linear(b.input("x", {2, 6, 32}), "head", 48);
             b.output("y", b.pixel_shuffle(b.reshape(x, {2, 2, 3, 48}), 4));
           }},
          {"separable_conv", kChain,
           [](Builder& b) {
             const Var x = b.conv2d(b.input("x", {1, 7, 7, 16}), "depth", 16, {.groups = 16});
             b.output("y", b.conv2d(b.relu(x), "point", 24, {.kernel = 1}));
           }},
          {"residual_block", kChain, residual_block},
          {"small_unet", kChain, small_unet},
      });
}

void add_memory_patterns(std::vector<Case>& cases) {
  cases.insert(cases.end(), {
                                {"diamond", kChain,
                                 [](Builder& b) {
                                   const Var x = b.input("x", {3, 37});
                                   const Var l = b.gelu(x), r = b.sigmoid(x);
                                   b.output("y", l * r + l - x);
                                 }},
                                {"long_chain", kChain,
                                 [](Builder& b) {
                                   Var x = b.input("x", {5, 33});
                                   const Var first = x;
                                   for (int i = 0; i < 8; ++i) x = b.tanh(x * 1.25) + first * 0.5;
                                   b.output("y", x);
                                 }},
                                {"intermediate_output", kChain,
                                 [](Builder& b) {
                                   const Var h = b.linear(b.input("x", {4, 24}), "fc1", 40);
                                   b.output("before", h);
                                   const Var a = b.gelu(h);
                                   b.output("after", a);
                                   b.output("y", b.linear(a, "fc2", 9));
                                 }},
                                {"taps", kChain,
                                 [](Builder& b) {
                                   const Var x = b.input("x", {2, 9, 24});
                                   const Var n = b.layer_norm(x);
                                   const Var h = b.linear(n, "fc", 24);
                                   b.tap("norm", n);
                                   b.tap("linear", h);
                                   b.output("y", b.gelu(h) + x);
                                 }},
                                {"two_readers", kChain,
                                 [](Builder& b) {
                                   const Var h = b.linear(b.input("x", {4, 24}), "fc1", 40);
                                   const Var a = b.gelu(h), s = b.sigmoid(h);
                                   b.output("y", a * s);
                                 }},
                                {"unused_node", kChain,
                                 [](Builder& b) {
                                   const Var x = b.input("x", {4, 24});
                                   b.linear(x, "dead", 100);
                                   b.output("y", b.linear(x, "live", 7));
                                 }},
                                {"shared_weight", kChain,
                                 [](Builder& b) {
                                   const Var w = b.param("w", {16, 16}, {Init::Kind::normal, 0.25});
                                   Var x = b.input("x", {5, 16});
                                   for (int i = 0; i < 3; ++i) x = b.tanh(b.add(graph::Linear{}, {x, w}));
                                   b.output("y", x);
                                 }},
                                {"parameter_arithmetic", kChain,
                                 [](Builder& b) {
                                   const Var w = b.param("w", {12, 20}, {Init::Kind::normal, 0.25}),
                                             s = b.param("s", {12, 1}, {Init::Kind::ones, 0});
                                   b.output("y", b.add(graph::Linear{}, {b.input("x", {5, 20}), w * s}));
                                 }},
                                {"tied_embedding", kChain, tied_embedding, {{0, 18, {}}}},
                            });
}

}  // namespace

void add_fused_cases(std::vector<Case>& cases) {
  add_linear_patterns(cases);
  add_picture_patterns(cases);
  add_memory_patterns(cases);
  constexpr Tolerance kAngleChain{1e-3, 3e-2, "angles of up to 1000 radians in f32, then two layers"};
  cases.insert(cases.end(), {
                                {"self_attention", kChain,
                                 [](Builder& b) {
                                   b.output("y", self_attention(b, b.input("x", {2, 13, 32}), 4));
                                 }},
                                {"adaptive_block", kChain, adaptive_block},
                                {"text_encoder", kChain, text_encoder, {{0, 30, {}}}},
                                {"masked_softmax", kChain, masked_softmax},
                                {"padded_attention",
                                 kChain,
                                 padded_attention,
                                 {{}, {}, {0, 0, {1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0}}}},
                                {"attention_by_hand", kChain, attention_by_hand},
                                {"layer_norm_by_hand", kChain, layer_norm_by_hand},
                                {"time_embedding",
                                 kAngleChain,
                                 [](Builder& b) {
                                   const Var t = b.sinusoidal(b.input("t", {3}), {32, 10000, 1000});
                                   b.output("y", b.linear(b.silu(b.linear(t, "fc1", 40)), "fc2", 40));
                                 },
                                 {{0, 1, {}}}},
                            });
}

}  // namespace thimble::conformance
