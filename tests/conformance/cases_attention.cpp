// Attention: lengths around tiles, head sizes, shared key heads, masks of every broadcast, causality.
#include "tests/conformance/case.h"

#include <limits>

namespace thimble::conformance {
namespace {

using graph::Attention;
using graph::Builder;
using graph::Shape;
using graph::Var;

struct Sizes {
  std::int64_t batch, queries, keys, head, value = 0;  // value 0: as head
};

// `mask` empty: none.
Case attention(std::string name, Sizes s, Attention op, Shape mask = {}, Domain mask_domain = {},
               Tolerance tolerance = kAttention, Domain domain = {}) {
  return {"attention_" + std::move(name),
          tolerance,
          [=](Builder& b) {
            const std::int64_t value = s.value == 0 ? s.head : s.value;
            const Var q = b.input("q", {s.batch, s.queries, op.heads * s.head});
            const Var k = b.input("k", {s.batch, s.keys, op.kv_heads * s.head});
            const Var v = b.input("v", {s.batch, s.keys, op.kv_heads * value});
            b.output("y", mask.empty() ? b.attention(q, k, v, op) : b.attention(q, k, v, b.input("mask", mask), op));
          },
          {domain, domain, domain, std::move(mask_domain)}};
}

Attention heads(std::int64_t count, std::int64_t kv = 0, bool causal = false, double scale = 0) {
  return {count, kv == 0 ? count : kv, scale, causal};
}

constexpr double kHidden = -std::numeric_limits<double>::infinity();
// Two of seven keys are hidden: every row of a mask still sees some.
const Domain kHoles{0, 0, {0, kHidden, 0.5, 0, kHidden, -1, 0}};

constexpr Tolerance kPeaked{
    1e-4, 1e-1, "scores of up to 30: in bf16 a score may be rounded by 2^-9 of itself, 6 % of a probability"};

}  // namespace

void add_attention_cases(std::vector<Case>& cases) {
  cases.insert(cases.end(),
               {
                   attention("one_head", {1, 9, 9, 16}, heads(1)),
                   attention("heads", {2, 17, 17, 8}, heads(4)),
                   attention("head_40", {1, 20, 20, 40}, heads(2)),
                   attention("head_64", {1, 33, 33, 64}, heads(2)),
                   attention("head_odd", {1, 7, 11, 5}, heads(3)),
                   attention("head_one", {1, 5, 6, 1}, heads(2)),
                   attention("cross", {2, 16, 77, 32}, heads(2)),
                   attention("cross_few_keys", {1, 40, 3, 16}, heads(2)),
                   attention("one_query", {2, 1, 50, 16}, heads(4)),
                   attention("one_key", {1, 6, 1, 8}, heads(2)),
                   attention("long", {1, 70, 263, 16}, heads(1)),
                   attention("value_size", {1, 12, 13, 8, 24}, heads(2)),
                   attention("shared_keys", {2, 13, 19, 16}, heads(4, 2)),
                   attention("one_key_head", {1, 11, 12, 8}, heads(6, 1)),
                   attention("scale", {1, 10, 10, 16}, heads(2, 2, false, 0.5)),
                   attention("causal", {2, 19, 19, 16}, heads(2, 2, true)),
                   attention("causal_long", {1, 130, 130, 8}, heads(1, 1, true)),
                   attention("causal_more_keys", {1, 9, 21, 8}, heads(2, 2, true)),
                   attention("causal_fewer_keys", {1, 21, 9, 8}, heads(2, 2, true)),
                   attention("causal_shared_keys", {1, 18, 18, 16}, heads(4, 2, true)),
                   attention("mask_keys", {2, 9, 14, 16}, heads(2), {2, 1, 1, 14}, kHoles),
                   attention("mask_one_for_all", {2, 9, 14, 16}, heads(2), {1, 1, 1, 14}, kHoles),
                   attention("mask_square", {2, 9, 11, 8}, heads(3), {1, 1, 9, 11}),
                   attention("mask_heads", {2, 9, 11, 8}, heads(3), {1, 3, 9, 11}),
                   attention("mask_full", {2, 9, 11, 8}, heads(3), {2, 3, 9, 11}, kHoles),
                   attention("mask_queries", {1, 9, 11, 8}, heads(2), {1, 1, 9, 1}),
                   attention("mask_finite", {1, 9, 14, 16}, heads(2), {1, 1, 1, 14}, {0, 0, {0, -10000, 0}}),
                   attention("mask_causal", {1, 15, 15, 8}, heads(2, 2, true), {1, 2, 15, 15}),
                   attention("mask_shared_keys", {2, 10, 12, 8}, heads(4, 2), {2, 4, 10, 12}, kHoles),
                   attention("peaked", {1, 12, 40, 16}, heads(1), {}, {}, kPeaked, {-5, 5, {}}),
               });
}

}  // namespace thimble::conformance
