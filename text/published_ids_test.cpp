// Exact ids of the original tokenizers on hundreds of strings of many scripts, emoji, control characters and what
// prompts hold (tools/goldens/text_tokens.py), how each frames them, and Unicode's normal form C.
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/json.h"
#include "text/clip_bpe.h"
#include "text/normal_form.h"
#include "text/sentencepiece.h"
#include "text/test_data.h"
#include "text/utf8.h"

namespace thimble::text {
namespace {

using Ids = std::vector<std::int32_t>;

void expect_ids(const Tokenizer& tokenizer, const char* file) {
  const Json cases = parse_json(read_file(std::filesystem::path("text/testdata") / file), file);
  ASSERT_GE(cases.size(), 400u);
  for (const Json& c : cases) {
    const auto text = c.at("text").get<std::string>();
    const Ids ids = tokenizer.encode(text);
    EXPECT_EQ(ids, c.at("ids").get<Ids>()) << c.at("text");
    if (c.contains("decoded")) {
      EXPECT_EQ(tokenizer.decode(ids), c.at("decoded").get<std::string>()) << c.at("text");
    }
  }
}

TEST(PublishedIds, ClipAsTransformersHasIt) {
  const auto path = vocabulary_path("bpe_simple_vocab_16e6.txt.gz");
  THIMBLE_NEEDS_VOCABULARY(path);
  expect_ids(ClipBpe::open(path, ClipBpe::kMerges, ClipCleaning::transformers), "clip_transformers_ids.json");
}

TEST(PublishedIds, ClipAsItWasTrained) {
  const auto path = vocabulary_path("bpe_simple_vocab_16e6.txt.gz");
  THIMBLE_NEEDS_VOCABULARY(path);
  expect_ids(ClipBpe::open(path), "clip_original_ids.json");
}

TEST(PublishedIds, T5) {
  const auto path = vocabulary_path("t5_spiece.model");
  THIMBLE_NEEDS_VOCABULARY(path);
  expect_ids(SentencePiece::open(path), "t5_ids.json");
}

TEST(PublishedIds, GemmaStyle) {
  const auto gemma = SentencePiece::open("text/testdata/gemma_style.model");
  expect_ids(gemma, "gemma_style_ids.json");
  EXPECT_EQ(gemma.special().pad, 0);
  EXPECT_EQ(gemma.special().end, 1);
  EXPECT_EQ(gemma.special().begin, 2);
  // Begin in front, no end, zeros behind, as Sana's pipeline asks for; a long text loses its last words.
  const Ids ids = gemma.encode("a cat");
  auto framed = frame(gemma, ids, 300, 300, {.end = false});
  EXPECT_EQ(framed.ids.size(), 300u);
  EXPECT_EQ(framed.ids[0], 2);
  EXPECT_EQ(framed.length, ids.size() + 1);
  EXPECT_EQ(Ids(framed.ids.begin() + 1, framed.ids.begin() + 1 + static_cast<std::ptrdiff_t>(ids.size())), ids);
  EXPECT_EQ(framed.ids[framed.length], 0);
  framed = frame(gemma, Ids(500, 9), 300, 300, {.end = false});
  EXPECT_EQ(framed.dropped, 201u);
  EXPECT_EQ(framed.ids.back(), 9);
}

TEST(PublishedIds, FramesOfStableDiffusion) {
  // Ids: bytes 0 to 511, end 513.
  const ClipBpe clip = ClipBpe::parse("#version\n", "v", 0);
  const auto first = frame(clip, Ids{5, 6}, 77, 77), second = frame(clip, Ids{5, 6}, 77, 77, {.pad = 0});
  EXPECT_EQ((Ids(first.ids.begin(), first.ids.begin() + 5)), (Ids{512, 5, 6, 513, 513}));
  EXPECT_EQ((Ids(second.ids.begin(), second.ids.begin() + 5)), (Ids{512, 5, 6, 513, 0}));
  EXPECT_EQ(first.ids.back(), 513);
  EXPECT_EQ(second.ids.back(), 0);
  EXPECT_EQ(frame(clip, Ids(100, 5), 77, 77, {.pad = 0}).ids.back(), 513);
}

TEST(NormalForm, EveryCodePointWithMarksBehindIt) {
  std::string all;
  for (char32_t c = 1; c < 0x110000; ++c) {
    if (c >= 0xd800 && c < 0xe000) continue;
    std::string s = "a";
    append_utf8(s, c);
    append_utf8(s, 0x323);
    append_utf8(s, 0x301);
    all += compose(s);
  }
  EXPECT_EQ(sha256(std::as_bytes(std::span(all))), "d62518e60f163d806c6772decd412a6308a5cbe7a9b5299700731ca0f2100e1e");
}

TEST(NormalForm, MarksMoveAndCompose) {
  EXPECT_EQ(compose("plain"), "plain");
  EXPECT_EQ(compose("e\xcc\xa3"), "\xe1\xba\xb9");               // e + dot below
  EXPECT_EQ(compose("e\xcc\x82\xcc\xa3"), "\xe1\xbb\x87");       // circumflex before dot below: one letter
  EXPECT_EQ(compose("q\xcc\x87\xcc\xa3"), "q\xcc\xa3\xcc\x87");  // no letter, but another order
  EXPECT_EQ(compose("\xe1\x84\x80\xe1\x85\xa1\xe1\x86\xa8"), "\xea\xb0\x81");  // three jamo, one syllable
  EXPECT_EQ(compose("\xe2\x84\xab"), "\xc3\x85");                              // the Angstrom sign is a letter
  EXPECT_EQ(compose("\xe0\xa5\x98"), "\xe0\xa4\x95\xe0\xa4\xbc");              // never composed
}

}  // namespace
}  // namespace thimble::text
