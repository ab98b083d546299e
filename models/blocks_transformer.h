// Pieces that the published diffusion transformers share, with the parameter names of their checkpoints. Tokens are
// (B, T, D), conditions (B, D), modulation vectors (B, 1, D).
// Not here: positions (positions.h, rope.h).
#pragma once

#include <string_view>
#include <vector>

#include "graph/builder.h"
#include "models/rope.h"

namespace thimble::models {

// "<name>.linear_1", activation, "<name>.linear_2".
graph::Var two_linears(graph::Var x, std::string_view name, std::int64_t width, graph::UnaryKind activation);

// t (N) -> (N, width): 256 cosines and sines of t, then two_linears with SiLU.
graph::Var embed_number(graph::Var t, std::string_view name, std::int64_t width);

// "<name>.net.0.proj" to 4 times the width, GELU (tanh form), "<name>.net.2" back.
graph::Var feed_forward(graph::Var x, std::string_view name);

// "<name>" from a condition (B, D) that has been through SiLU, to `parts` vectors (B, 1, width).
std::vector<graph::Var> modulation(graph::Var condition, std::string_view name, std::int64_t width, int parts);

// shared (B, parts*D) or (B, D), plus the table "<name>" (parts, D): `parts` vectors (B, 1, D) (adaLN-single).
std::vector<graph::Var> table_modulation(graph::Var shared, std::string_view name, std::int64_t width, int parts);

// (B, H, W, C) -> (B, H/patch, W/patch, width), "<name>" a convolution; a 1x1 one is a linear layer.
graph::Var patch_embed(graph::Var x, std::string_view name, int patch, std::int64_t width);

// (B, h*w, patch*patch*C), channels ordered (row, column, C) -> (B, h*patch, w*patch, C).
graph::Var unpatchify(graph::Var x, std::int64_t h, std::int64_t w, int patch);

struct HeadOptions {
  int heads = 1;
  bool qk_norm = false;                  // RMS norm of every head's query and key, eps 1e-6
  const RotaryTables* rotary = nullptr;  // over the tokens in the order in which they attend
};

// "to_q", "to_k", "to_v", norms "norm_q", "norm_k"; no output projection.
graph::Var self_attention(graph::Var x, const HeadOptions& options);

// Image and text tokens attend to all of both. Image: as self_attention, and "to_out.0". Text: "add_q_proj",
// "add_k_proj", "add_v_proj", "norm_added_q", "norm_added_k", "to_add_out".
struct Streams {
  graph::Var image, text;
};
struct JointOptions {
  HeadOptions heads;
  bool text_first = false;
  bool text_output = true;  // false: no "to_add_out"; the text is read alone, and Streams::text is not to be used
};
Streams joint_attention(graph::Var image, graph::Var text, const JointOptions& options);

}  // namespace thimble::models
