// Tests of CLIP's tokenizer: ids of the original implementation (its simple_tokenizer.py with ftfy 6, run on the
// published vocabulary), and a small vocabulary written here for what a damaged file must do.
#include "text/clip_bpe.h"

#include <gtest/gtest.h>
#include <unistd.h>

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

constexpr std::string_view kSmall = "#version\nc a\nt </w>x\n";

TEST(ClipBpe, GoldensOfTheOriginal) {
  const auto path = vocabulary_path("bpe_simple_vocab_16e6.txt.gz");
  THIMBLE_NEEDS_VOCABULARY(path);
  const ClipBpe clip = ClipBpe::open(path);
  EXPECT_EQ(clip.vocab_size(), 49408);
  EXPECT_EQ(clip.special().begin, 49406);
  EXPECT_EQ(clip.special().end, 49407);
  const Json cases = parse_json(read_file("text/testdata/clip_goldens.json"), "clip_goldens.json");
  ASSERT_GE(cases.size(), 40u);
  for (const Json& c : cases) {
    EXPECT_EQ(clip.encode(c["text"].get<std::string>()), c["ids"].get<Ids>()) << c["text"];
  }
  EXPECT_EQ(clip.decode(clip.encode("A photo of a CAT!")), "a photo of a cat !");
  // As a text encoder takes it: 77 ids, padded with the end token.
  const auto framed = frame(clip, clip.encode("a cat"), 77, 77);
  EXPECT_EQ((Ids{framed.ids.begin(), framed.ids.begin() + 5}), (Ids{49406, 320, 2368, 49407, 49407}));
  EXPECT_EQ(framed.ids.size(), 77u);
  EXPECT_EQ(framed.length, 4u);
}

TEST(ClipBpe, TenThousandWordsAreCutAndCounted) {
  const auto path = vocabulary_path("bpe_simple_vocab_16e6.txt.gz");
  THIMBLE_NEEDS_VOCABULARY(path);
  const ClipBpe clip = ClipBpe::open(path);
  std::string text;
  for (int i = 0; i < 10000; ++i) text += "cat ";
  const auto framed = frame(clip, clip.encode(text), 77, 77);
  EXPECT_EQ(framed.dropped, 10000u - 75u);
  EXPECT_EQ(framed.ids.back(), 49407);
}

TEST(ClipBpe, CleansText) {
  EXPECT_EQ(clean_clip_text("  A\t\xe2\x80\x9cred\xe2\x80\x9d \n CAT\xe2\x80\x99s  "), "a \"red\" cat's");
  EXPECT_EQ(clean_clip_text("x &amp;amp; y &#x41; &bogus; &#0; &#xd800; &#99999999999; &#; &"),
            "x & y a &bogus; &#0; &#xd800; &#99999999999; &#; &");
  EXPECT_EQ(clean_clip_text("a\x01"
                            "b"),
            "ab");
}

TEST(ClipBpe, SmallVocabulary) {
  // Ids: printable bytes first, so '!' is 0 and 'a' is 64; as the last of a word 256 more; merges from 512.
  const ClipBpe clip = ClipBpe::parse("#version\nc a\nca t</w>\n", "v", 2);
  EXPECT_EQ(clip.vocab_size(), 516);
  EXPECT_EQ(clip.encode("cat"), Ids{513});
  EXPECT_EQ(clip.encode("ca"), (Ids{66, 64 + 256}));
  EXPECT_EQ(clip.encode("cats"), (Ids{512, 83, 82 + 256}));
  EXPECT_EQ(clip.encode("cat<|endoftext|>"), (Ids{513, 515}));
  EXPECT_EQ(clip.decode(Ids{514, 513, 513, 515}), "cat cat");
  EXPECT_NE(message_of([&] { clip.encode("a\xff"); }).find("bad input"), std::string::npos);
  EXPECT_NE(message_of([&] { clip.decode(Ids{516}); }).find("outside"), std::string::npos);
}

TEST(ClipBpe, DamagedVocabulariesAreRefused) {
  const auto refused = [](std::string_view text, std::size_t merges, std::string_view part) {
    const std::string m = message_of([&] { ClipBpe::parse(text, "v.txt", merges); });
    EXPECT_TRUE(m.starts_with("bad file: v.txt: ")) << m;
    EXPECT_NE(m.find(part), std::string::npos) << m;
  };
  refused(kSmall, 2, "line 3: a merge of a token that no earlier line makes");
  refused("#\nc a\n", 2, "line 3: the file ends after 1 merges, 2 were wanted");
  refused("#\nca\n", 1, "line 2: two tokens");
  refused("#\nc a t\n", 1, "line 2: two tokens");
  refused("#\nc a\nc a\n", 2, "line 3: a merge that was there before");
  refused("#\na b\nb c\na bc\nab c\n", 4, "line 5: two merges that make the same token");
  refused("#\na</w> b\n", 1, "ends a word");
  refused("#\n\xff a\n", 1, "not valid UTF-8");
  EXPECT_NE(message_of([] { ClipBpe::open("/nonexistent/v.gz"); }).find("input/output: cannot open"),
            std::string::npos);

  const auto path = std::filesystem::temp_directory_path() / ("thimble_clip_" + std::to_string(::getpid()) + ".gz");
  write_file(path, std::string_view("\x1f\x8b\x08\0\0\0\0\0\0\x03\x4b", 11));
  EXPECT_NE(message_of([&] { ClipBpe::open(path); }).find("truncated gzip data"), std::string::npos);
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace thimble::text
