// Tests of UTF-8 checking, framing, and byte-pair encoding. Trainer and encoder are held against the plainest possible
// versions of themselves, which recount or rescan everything at each step.
#include "text/byte_bpe.h"

#include <gtest/gtest.h>

#include <map>
#include <optional>

#include "base/error.h"
#include "base/rng.h"
#include "text/utf8.h"

namespace thimble::text {
namespace {

using Ids = std::vector<std::int32_t>;
using Merge = ByteBpe::Merge;

template <class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    return std::string(to_string(e.kind())) + ": " + e.what();
  }
  return "no error";
}

constexpr std::int32_t byte(unsigned char c) { return ByteBpe::kFirstByte + c; }

void apply(Ids& ids, Merge pair, std::int32_t id) {
  Ids out;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (i + 1 < ids.size() && Merge{ids[i], ids[i + 1]} == pair) {
      out.push_back(id);
      ++i;
    } else {
      out.push_back(ids[i]);
    }
  }
  ids = out;
}

Ids bytes_of(const std::string& word) {
  Ids ids;
  for (const char c : word) ids.push_back(byte(static_cast<unsigned char>(c)));
  return ids;
}

Ids plain_encode(const ByteBpe& bpe, std::string_view text) {
  Ids all;
  for (const std::string& word : split_words(text)) {
    Ids ids = bytes_of(word);
    for (std::size_t n = 0; n < bpe.merges().size(); ++n) {
      apply(ids, bpe.merges()[n], ByteBpe::kFirstMerge + static_cast<std::int32_t>(n));
    }
    all.insert(all.end(), ids.begin(), ids.end());
  }
  return all;
}

std::vector<Merge> plain_train(const std::vector<BpeLine>& corpus, std::size_t count) {
  std::map<std::string, std::int64_t> words;
  for (const auto& line : corpus) {
    for (const auto& w : split_words(line.text)) words[w] += line.count;
  }
  std::vector<std::pair<Ids, std::int64_t>> state;
  for (const auto& [w, n] : words) state.emplace_back(bytes_of(w), n);
  std::vector<Merge> merges;
  while (merges.size() < count) {
    std::map<Merge, std::int64_t> pairs;
    for (const auto& [ids, n] : state) {
      for (std::size_t i = 0; i + 1 < ids.size(); ++i) pairs[{ids[i], ids[i + 1]}] += n;
    }
    std::optional<Merge> best;
    for (const auto& [pair, n] : pairs) {
      if (n >= 2 && (!best || n > pairs[*best])) best = pair;
    }
    if (!best) break;
    const auto id = ByteBpe::kFirstMerge + static_cast<std::int32_t>(merges.size());
    for (auto& [ids, n] : state) apply(ids, *best, id);
    merges.push_back(*best);
  }
  return merges;
}

std::vector<BpeLine> random_corpus(std::uint64_t seed) {
  Rng rng(seed);
  std::vector<BpeLine> corpus;
  for (int line = 0; line < 60; ++line) {
    std::string text;
    for (int i = 0; i < 40; ++i) {
      constexpr std::string_view kAlphabet = "aaabbcdeE  ,1";
      text += kAlphabet[rng.below(kAlphabet.size())];
      if (rng.chance(0.05)) text += "\xc3\xa9";
    }
    corpus.push_back({text, static_cast<std::int64_t>(1 + rng.below(3))});
  }
  return corpus;
}

TEST(Utf8, RefusesWhatIsNotUtf8AndSaysWhere) {
  EXPECT_EQ(message_of([] { check_utf8("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"); }), "no error");
  EXPECT_NE(message_of([] { check_utf8("ab\xff"); }).find("bad input: text is not valid UTF-8 at byte 2 (value 0xff)"),
            std::string::npos);
  // Stray continuation, cut short, overlong, surrogate, past U+10FFFF.
  for (const char* bad : {"x\x80", "x\xc3", "x\xe2\x82", "x\xc0\xaf", "x\xe0\x80\x80", "x\xed\xa0\x80",
                          "x\xf4\x90\x80\x80", "x\xf8\x88\x80\x80\x80", "x\xf0\x9f\x98"}) {
    EXPECT_NE(message_of([&] { check_utf8(bad); }).find("at byte 1"), std::string::npos) << bad;
  }
}

TEST(Utf8, CodePointsSurviveARoundTrip) {
  for (char32_t c = 0; c < 0x110000; c += c < 0x3000 ? 1 : 97) {
    if (c >= 0xd800 && c <= 0xdfff) continue;
    std::string s;
    append_utf8(s, c);
    std::size_t at = 0;
    ASSERT_EQ(next_code_point(s, at), c);
    ASSERT_EQ(at, s.size());
  }
}

TEST(ByteBpe, SplitsWords) {
  EXPECT_EQ(split_words("  A Red\tcat's 12 Caf\xc3\xa9s!! x2 "),
            (std::vector<std::string>{" a", " red", " cat", "'", "s", " 12", " caf\xc3\xa9s", "!", "!", " x", "2"}));
  EXPECT_TRUE(split_words(" \n\t ").empty());
}

TEST(ByteBpe, KnownMerges) {
  // " ab" -> space, then a+b; "bab" shows that ranks, not positions, decide.
  const ByteBpe bpe({{byte('a'), byte('b')}, {byte(' '), 259}, {byte('b'), byte('a')}});
  EXPECT_EQ(bpe.vocab_size(), 262);
  EXPECT_EQ(bpe.encode("ab"), Ids{260});
  EXPECT_EQ(bpe.encode("BAB"), (Ids{byte(' '), byte('b'), 259}));
  EXPECT_EQ(bpe.encode("ba ab"), (Ids{byte(' '), 261, 260}));
  EXPECT_EQ(bpe.encode(""), Ids{});
  EXPECT_EQ(bpe.decode(Ids{1, byte(' '), 261, 260, 2, 0}), "ba ab");
  EXPECT_NE(message_of([&] { bpe.decode(Ids{262}); }).find("262 is outside the vocabulary of 262"), std::string::npos);
  EXPECT_NE(message_of([&] { bpe.decode(Ids{-1}); }).find("outside"), std::string::npos);
  EXPECT_NE(message_of([&] { bpe.encode("a\x80"); }).find("at byte 1"), std::string::npos);
}

TEST(ByteBpe, TrainerEqualsThePlainTrainer) {
  for (std::uint64_t seed : {1u, 2u, 3u}) {
    const auto corpus = random_corpus(seed);
    const ByteBpe bpe = train_byte_bpe(corpus, {.vocab_size = ByteBpe::kFirstMerge + 120});
    EXPECT_EQ(bpe.merges(), plain_train(corpus, 120));
  }
}

TEST(ByteBpe, TrainerStopsWhenNothingIsFrequent) {
  const ByteBpe bpe = train_byte_bpe({{"abab", 1}, {"xyz", 1}}, {.vocab_size = 4096});
  EXPECT_EQ(bpe.merges(), (std::vector<Merge>{{byte('a'), byte('b')}}));
  EXPECT_EQ(train_byte_bpe({}, {.vocab_size = 300}).vocab_size(), ByteBpe::kFirstMerge);
  EXPECT_NE(message_of([] { train_byte_bpe({{"a", 0}}, {}); }).find("count 0"), std::string::npos);
  EXPECT_NE(message_of([] { train_byte_bpe({{"a\xff", 1}}, {}); }).find("line 0 of the corpus"), std::string::npos);
  EXPECT_NE(message_of([] { train_byte_bpe({}, {.vocab_size = 10}); }).find("a vocabulary of 10"), std::string::npos);
}

TEST(ByteBpe, EncoderEqualsThePlainEncoder) {
  const ByteBpe bpe = train_byte_bpe(random_corpus(5), {.vocab_size = ByteBpe::kFirstMerge + 150});
  for (const auto& line : random_corpus(6)) {
    EXPECT_EQ(bpe.encode(line.text), plain_encode(bpe, line.text)) << line.text;
  }
}

TEST(ByteBpe, DecodesToLowercaseWithSingleSpaces) {
  const ByteBpe bpe = train_byte_bpe(random_corpus(7), {.vocab_size = 400});
  EXPECT_EQ(bpe.decode(bpe.encode("  A  red Caf\xc3\xa9,  NOT 12 \xf0\x9f\x98\x80!\n")),
            "a red caf\xc3\xa9, not 12 \xf0\x9f\x98\x80!");
}

TEST(ByteBpe, SurvivesJson) {
  const ByteBpe bpe = train_byte_bpe(random_corpus(8), {.vocab_size = 500});
  const ByteBpe again = ByteBpe::from_json(parse_json(bpe.to_json().dump(), "t"), "t");
  EXPECT_EQ(again.merges(), bpe.merges());
  EXPECT_EQ(again.encode("ab abc, dead 11"), bpe.encode("ab abc, dead 11"));
}

TEST(ByteBpe, HostileJsonIsRefused) {
  const auto refused = [](std::string_view json, std::string_view part) {
    const std::string m = message_of([&] { ByteBpe::from_json(parse_json(json, "t"), "t"); });
    EXPECT_TRUE(m.starts_with("bad file: t")) << m;
    EXPECT_NE(m.find(part), std::string::npos) << m;
  };
  refused(R"({"type":"x","merges":[]})", "type 'x'");
  refused(R"({"type":"byte_bpe"})", "'merges' is missing");
  refused(R"({"type":"byte_bpe","merges":[5]})", "odd");
  refused(R"({"type":"byte_bpe","merges":[5,-1]})", "no token id");
  refused(R"({"type":"byte_bpe","merges":[5,99999999999]})", "no token id");
  refused(R"({"type":"byte_bpe","merges":[5,259]})", "joins 5 and 259");
  refused(R"({"type":"byte_bpe","merges":[2,5]})", "joins 2 and 5");
  refused(R"({"type":"byte_bpe","merges":[5,6,5,6]})", "twice");
  // Each merge doubles the token: 2, 4, ... 256 bytes.
  refused(R"({"type":"byte_bpe","merges":[5,5,259,259,260,260,261,261,262,262,263,263,264,264,265,265]})", "256 bytes");
}

TEST(ByteBpe, TenThousandWordsAreCutAndCounted) {
  const ByteBpe bpe = train_byte_bpe(random_corpus(9), {.vocab_size = 400});
  std::string text;
  for (int i = 0; i < 10000; ++i) text += "word ";
  Ids ids = bpe.encode(text);
  const std::size_t all = ids.size();
  EXPECT_GE(all, 10000u);
  EXPECT_EQ(fit_to(ids, 64), all - 64);
  EXPECT_EQ(ids.size(), 64u);
  EXPECT_EQ(fit_to(ids, 64), 0u);
  // One word of a million letters.
  EXPECT_EQ(bpe.decode(bpe.encode(std::string(1000000, 'A'))), std::string(1000000, 'a'));
}

TEST(Tokenizer, FramesAndPads) {
  const ByteBpe bpe({});
  const auto framed = frame(bpe, bpe.encode("abc"), 5, 8);
  EXPECT_EQ(framed.ids, (Ids{1, byte(' '), byte('a'), byte('b'), 2, 0, 0, 0}));
  EXPECT_EQ(framed.length, 5u);
  EXPECT_EQ(framed.dropped, 1u);
  EXPECT_EQ(frame(bpe, {}, 4).ids, (Ids{1, 2}));
  EXPECT_NE(message_of([&] { frame(bpe, {}, 1); }).find("too few"), std::string::npos);
}

}  // namespace
}  // namespace thimble::text
