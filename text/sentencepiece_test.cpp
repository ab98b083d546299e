// Tests of SentencePiece: published T5 tokenizations, ids and normal forms of the original library (sentencepiece 0.2,
// Python) on T5's model, and small models built here byte by byte, whole and damaged.
#include "text/sentencepiece.h"

#include <gtest/gtest.h>

#include <bit>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "text/test_data.h"

namespace thimble::text {
namespace {

using Ids = std::vector<std::int32_t>;

template <class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    return std::string(to_string(e.kind())) + ": " + e.what();
  }
  return "no error";
}

std::string varint(std::uint64_t v) {
  std::string s;
  for (; v >= 0x80; v >>= 7) s += static_cast<char>((v & 0x7f) | 0x80);
  return s + static_cast<char>(v);
}
std::string number(unsigned field, std::uint64_t v) { return varint(field << 3) + varint(v); }
std::string message(unsigned field, std::string_view m) {
  return varint(field << 3 | 2) + varint(m.size()) + std::string(m);
}
std::string little_endian(std::uint32_t v) {
  return {static_cast<char>(v), static_cast<char>(v >> 8), static_cast<char>(v >> 16), static_cast<char>(v >> 24)};
}
std::string piece(std::string_view text, float score, unsigned kind = 1) {
  return message(
      1, message(1, text) + varint(2 << 3 | 5) + little_endian(std::bit_cast<std::uint32_t>(score)) + number(3, kind));
}

// Ids: 0 pad, 1 end, 2 unknown, 3 space, 4 a, 5 b, 6 space+ab, 7 "ab", 8 user-defined "<x>".
std::string small_model(const std::string& trainer = "", const std::string& normaliser = "") {
  const std::string s = "\xe2\x96\x81";
  return piece("<pad>", 0, 3) + piece("</s>", 0, 3) + piece("<unk>", 0, 2) + piece(s, -2) + piece("a", -3) +
         piece("b", -3.5f) + piece(s + "ab", -4) + piece("ab", -6.75f) + piece("<x>", 0, 4) +
         message(2, number(3, 1) + number(40, 2) + number(41, ~std::uint64_t{0}) + number(42, 1) + number(43, 0) +
                        trainer) +
         message(3, normaliser);
}

TEST(SentencePiece, PublishedT5Tokenizations) {
  const auto model = vocabulary_path("t5_spiece.model"), tests = vocabulary_path("tokenizer_tests.json");
  THIMBLE_NEEDS_VOCABULARY(model);
  THIMBLE_NEEDS_VOCABULARY(tests);
  const auto t5 = SentencePiece::open(model);
  EXPECT_EQ(t5.vocab_size(), 32000);
  const Json all = parse_json(read_file(tests), "tokenizer_tests.json");
  const Json& cases = get_array(all, "t5-base", "tokenizer_tests.json");
  EXPECT_EQ(cases.size(), 18u);
  for (const Json& c : cases) {
    const auto framed = frame(t5, t5.encode(c["input"].get<std::string>()), 512);
    EXPECT_EQ(framed.ids, c["encoded"]["input_ids"].get<Ids>()) << c["input"];
  }
}

TEST(SentencePiece, GoldensOfTheOriginal) {
  const auto model = vocabulary_path("t5_spiece.model");
  THIMBLE_NEEDS_VOCABULARY(model);
  const auto t5 = SentencePiece::open(model);
  EXPECT_EQ(t5.special().pad, 0);
  EXPECT_EQ(t5.special().begin, -1);
  EXPECT_EQ(t5.special().end, 1);
  EXPECT_EQ(t5.special().unknown, 2);
  const Json cases = parse_json(read_file("text/testdata/t5_goldens.json"), "t5_goldens.json");
  for (const Json& c : cases) {
    const auto text = c["text"].get<std::string>();
    EXPECT_EQ(t5.normalise(text), c["normalised"].get<std::string>()) << c["text"];
    EXPECT_EQ(t5.encode(text), c["ids"].get<Ids>()) << c["text"];
  }
  EXPECT_EQ(t5.decode(t5.encode("A  red panda, riding.")), "A red panda, riding.");
}

TEST(SentencePiece, TenThousandWordsAreCutAndCounted) {
  const auto model = vocabulary_path("t5_spiece.model");
  THIMBLE_NEEDS_VOCABULARY(model);
  const auto t5 = SentencePiece::open(model);
  std::string text;
  for (int i = 0; i < 10000; ++i) text += "cat ";
  const auto framed = frame(t5, t5.encode(text), 300);
  EXPECT_EQ(framed.dropped, t5.encode(text).size() - 299);
  EXPECT_EQ(framed.ids.back(), 1);
}

TEST(SentencePiece, TheBestCutWins) {
  const auto sp = SentencePiece::parse(small_model(), "m");
  EXPECT_EQ(sp.encode("ab"), Ids{6});              // -4 beats space, a, b at -8.5
  EXPECT_EQ(sp.encode("aab"), (Ids{3, 4, 4, 5}));  // a+b at -6.5 beats "ab" at -6.75
  EXPECT_EQ(sp.encode("a  zzq b"), (Ids{3, 4, 3, 2, 3, 5}));
  EXPECT_EQ(sp.encode("a<x>"), (Ids{3, 4, 8}));
  EXPECT_EQ(sp.encode(""), Ids{});
  EXPECT_EQ(sp.encode("  "), Ids{});
  EXPECT_EQ(sp.decode(Ids{6, 3, 4, 2, 1, 0}), "ab a");
  EXPECT_EQ(sp.piece(7), "ab");
  EXPECT_NE(message_of([&] { sp.encode("a\xc3"); }).find("at byte 1"), std::string::npos);
  EXPECT_NE(message_of([&] { sp.decode(Ids{9}); }).find("outside the vocabulary of 9"), std::string::npos);
}

TEST(SentencePiece, NormaliserSwitches) {
  const auto raw = SentencePiece::parse(small_model("", number(3, 0) + number(4, 0) + number(5, 0)), "m");
  EXPECT_EQ(raw.normalise(" a  b "), " a  b ");
  const auto escaped = SentencePiece::parse(small_model("", number(3, 0) + number(4, 1)), "m");
  EXPECT_EQ(escaped.normalise(" a  b "),
            "a\xe2\x96\x81"
            "b");
}

// A trie of one key: the root's offset is 0, so 'A' leads to unit 65, whose offset leads to its value at 66.
TEST(SentencePiece, NormalisationTable) {
  std::vector<std::uint32_t> units(80, 0);
  constexpr std::uint32_t kHasLeaf = 1u << 8, kValue = 1u << 31;
  units[65] = 'A' | kHasLeaf | (65u ^ 66u) << 10;  // label, leaf, offset to the value
  units[66] = kValue | 2;                          // replacement at byte 2
  std::string trie;
  for (const std::uint32_t u : units) trie += little_endian(u);
  const std::string table = little_endian(static_cast<std::uint32_t>(trie.size())) + trie + std::string("x\0ab\0", 5);
  const auto sp = SentencePiece::parse(small_model("", message(2, table)), "m");
  EXPECT_EQ(sp.encode("A"), Ids{6});
  EXPECT_EQ(sp.normalise("Aa"),
            "\xe2\x96\x81"
            "aba");
}

TEST(SentencePiece, DamagedModelsAreRefused) {
  const auto refused = [](const std::string& model, std::string_view part) {
    const std::string m = message_of([&] { SentencePiece::parse(model, "m.model"); });
    EXPECT_NE(m.find("m.model: "), std::string::npos) << m;
    EXPECT_NE(m.find(part), std::string::npos) << m;
  };
  refused("", "no pieces");
  refused(small_model(number(3, 3)), "unsupported: m.model: SentencePiece model type 3");
  refused(small_model(number(35, 1)), "byte fallback has no piece for byte 0");
  refused(small_model(number(35, 1)) + piece("<0xg0>", 0, 6), "piece 9 stands for no byte");
  refused(small_model(number(24, 1)), "suffix");
  refused(small_model(number(40, 4)), "the unknown token 4 is no piece of that kind");
  refused(small_model(number(42, 9)), "special id 9 is outside the vocabulary of 9");
  refused(small_model() + piece("ab", 0), "are the same text");
  refused(small_model() + piece("", 0), "is empty");
  refused(small_model() + piece("\xff", 0), "not valid UTF-8");
  refused(small_model() + piece("q", __builtin_nanf("")), "no number");
  refused(small_model() + piece("q", 0, 9), "unknown kind");
  refused(small_model() + piece("q", 0, 6), "byte fallback");
  refused(small_model("", message(2, "abc")), "table at byte");
  refused(small_model("", message(2, little_endian(0xfffffffc) + "abcd")), "is damaged");
  refused(small_model("", message(2, little_endian(4) + "abcdx")), "has no end");
  refused(small_model() + "\x0a\x7f", "longer than what holds it");
  refused(small_model() + "\x0b", "wire type");
  refused(small_model() + std::string(11, '\xff'), "more than ten bytes");
  refused(small_model() + std::string(1, '\0'), "field number");
  refused(number(1, 3), "of another type");
  const std::string whole = small_model("", number(3, 1));
  for (std::size_t n = 0; n < whole.size(); ++n) {
    const std::string m = message_of([&] { SentencePiece::parse(whole.substr(0, n), "m"); });
    ASSERT_TRUE(m == "no error" || m.starts_with("bad file: m: ")) << m;  // a cut between two fields leaves a message
  }
}

}  // namespace
}  // namespace thimble::text
