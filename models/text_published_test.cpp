// Text encoders at their true size: parameter names, shapes and counts equal those of the original classes
// (tools/goldens/text.py --facts prints the expected values); nothing is allocated.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "models/classes.h"
#include "models/published_text.h"

namespace thimble::models {
namespace {

struct Facts {
  std::int64_t parameters = 0;
  std::size_t tensors = 0;
  std::string digest;  // of the sorted lines "name [shape]"
  bool operator==(const Facts&) const = default;
};

Facts facts_of(const graph::Graph& g) {
  Facts f;
  f.tensors = g.parameters.size();
  std::vector<std::string> lines;
  for (const graph::Parameter& p : g.parameters) {
    f.parameters += g.type(p.value).elements();
    lines.push_back(g.value(p.value).name + " " + graph::to_string(g.type(p.value).shape) + "\n");
  }
  std::ranges::sort(lines);
  std::string all;
  for (const std::string& l : lines) all += l;
  f.digest = sha256(std::as_bytes(std::span(all)));
  return f;
}

TEST(PublishedText, NamesShapesAndCountsOfTheOriginals) {
  struct Row {
    const char* class_name;
    Json config;
    int tokens;
    Facts wanted;
  };
  const std::vector<Row> rows{
      {"CLIPTextModel",
       to_json(clip_l()),
       77,
       {123060480, 196, "2cbd8649e47bb999693afcd604cf820aa54ed5bf4e19e74ea99aeaef782e0825"}},
      {"CLIPTextModelWithProjection",
       to_json(clip_l()),
       77,
       {123650304, 197, "3e6dc1a52577d0e234422414d4ac32bda115443d10b4bac348ace6323f9218de"}},
      {"CLIPTextModelWithProjection",
       to_json(openclip_bigg()),
       77,
       {694659840, 517, "aab231e727d492f2331b3cc39dd03a1d12e1932607264ad04cd511ac5c77530a"}},
      {"T5EncoderModel",
       to_json(t5_xxl()),
       512,
       {4762310656, 219, "bb3710ec98e24fc1523c6cd9040edb1d763ec7ba6ec1b83174697128f3687e3d"}},
      {"Gemma2Model",
       to_json(gemma_2_2b()),
       300,
       {2614341888, 288, "78b646975a1f8cec3a3fd67ffa3f234dc1f6027a528ea426918b7d17f9cb6f07"}},
  };
  for (const Row& r : rows) {
    const Facts f = facts_of(build_network(r.class_name, Role::text, r.config, {.batch = 2, .tokens = r.tokens}));
    EXPECT_EQ(f.parameters, r.wanted.parameters) << r.class_name;
    EXPECT_EQ(f.tensors, r.wanted.tensors) << r.class_name;
    EXPECT_EQ(f.digest, r.wanted.digest) << r.class_name;
  }
}

TEST(PublishedText, ConfigsSurviveJson) {
  for (const ClipTextConfig& c : {clip_l(), openclip_bigg()}) EXPECT_EQ(clip_text_from_json(to_json(c)), c);
  EXPECT_EQ(t5_text_from_json(to_json(t5_xxl())), t5_xxl());
  GemmaTextConfig gemma = gemma_2_2b();
  EXPECT_EQ(gemma_text_from_json(to_json(gemma)), gemma);
  gemma.sliding.assign(26, true);
  gemma.rope_theta = 500;
  EXPECT_EQ(gemma_text_from_json(to_json(gemma)), gemma);
}

TEST(PublishedText, AbsurdConfigsAreRefused) {
  EXPECT_THROW(clip_text_from_json(Json::array()), Error);
  EXPECT_THROW(clip_text_from_json({{"hidden_size", 768}, {"num_attention_heads", 7}}), Error);
  EXPECT_THROW(clip_text_from_json({{"hidden_act", "tanh"}}), Error);
  EXPECT_THROW(clip_text_from_json({{"vocab_size", std::int64_t{1} << 40}}), Error);
  EXPECT_THROW(t5_text_from_json({{"feed_forward_proj", "gated-silu"}}), Error);
  EXPECT_THROW(t5_text_from_json({{"num_layers", "six"}}), Error);
  EXPECT_THROW(gemma_text_from_json({{"num_key_value_heads", 3}}), Error);
  EXPECT_THROW(gemma_text_from_json({{"layer_types", {"full_attention"}}}), Error);
  EXPECT_THROW(gemma_text_from_json({{"rope_parameters", {{"rope_type", "yarn"}}}}), Error);
  EXPECT_THROW(build_clip_text(clip_l(), false, 1, 78), Error);
  EXPECT_THROW(build_t5_text(t5_xxl(), 0, 10), Error);
}

TEST(T5Text, BucketsBeginWhereTheOriginalsDo) {
  // For 32 buckets up to distance 128; borders at powers of two hang on the rounding of a logarithm.
  const std::vector<int> wanted{-90, -63, -45, -31, -22, -15, -11, -7, -6, -5, -4, -3, -2, -1, 0,
                                1,   2,   3,   4,   5,   6,   7,   8,  12, 16, 23, 32, 46, 64, 91};
  std::vector<int> begins;
  for (int offset = -699; offset <= 700; ++offset) {
    if (t5_bucket(offset, 32, 128) != t5_bucket(offset - 1, 32, 128)) begins.push_back(offset);
  }
  EXPECT_EQ(begins, wanted);
  EXPECT_EQ(t5_bucket(0, 32, 128), 0);
  EXPECT_EQ(t5_bucket(-700, 32, 128), 15);
  EXPECT_EQ(t5_bucket(700, 32, 128), 31);
}

TEST(ClipText, EndOfText) {
  const std::vector<std::int32_t> ids{57, 3, 59, 58, 58, 9};
  ClipTextConfig c{.eos_token_id = 58};
  EXPECT_EQ(clip_eos(c, ids), 3);
  c.eos_token_id = 2;
  EXPECT_EQ(clip_eos(c, ids), 2) << "the old rule: the first of the largest ids";
  c.eos_token_id = 40;
  EXPECT_EQ(clip_eos(c, ids), 0);
}

}  // namespace
}  // namespace thimble::models
