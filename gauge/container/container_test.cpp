// Tests of the containers and the walk: honest archives read back, and every way of lying that is known refused by
// name.
#include "gauge/container/container.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>

#include "gauge/container/inflate.h"
#include "gauge/container/walk.h"
#include "gauge/testing/material.h"

namespace thimble::gauge {
namespace {

using namespace testing;

std::string text(const Content& c) { return std::string(text_of(c.bytes)); }

// What a walk meets: contents by path, failures as "kind path".
class Notes final : public Visitor {
 public:
  bool meet(const Item& item) override {
    kinds[item.path] = std::string(item.kind.name);
    return true;
  }
  void whole(const Item& item, Bytes bytes, const std::vector<Range>& covered) override {
    contents[item.offset == 0 ? item.path : item.path_at(0)] = std::string(text_of(bytes));
    covered_ranges += covered.size();
  }
  void failure(const std::string& path, FailureKind kind, const std::string& reason) override {
    failures.push_back(std::string(to_string(kind)) + " " + path);
    reasons.push_back(reason);
  }
  std::map<std::string, std::string> kinds, contents;
  std::vector<std::string> failures, reasons;
  std::size_t covered_ranges = 0;
};

Notes walk_all(const std::string& bytes, const Limits& limits = {}, const std::string& name = "package") {
  Notes notes;
  walk(bytes_of(bytes), name, limits, nullptr, notes, CancelToken());
  return notes;
}

using Failures = std::vector<std::string>;

TEST(Zip, ReadsStoredDeflatedDescribedAndWide) {
  const std::string long_text(100'000, 'a');
  const std::string zip = make_zip({{.name = "stored.txt", .data = "plain", .method = 0},
                                    {.name = "dir/deflated.txt", .data = long_text},
                                    {.name = "described", .data = "sizes stand behind", .flags = 8},
                                    {.name = "wide", .data = "sixty-four bits", .zip64 = true},
                                    {.name = "empty", .data = "", .method = 0}},
                                   "a comment", "bytes before the archive");
  const auto z = open_zip(bytes_of(zip), 100);
  ASSERT_EQ(z->members().size(), 5u);
  EXPECT_TRUE(z->flaws().empty());
  EXPECT_EQ(z->members()[1].name, "dir/deflated.txt");
  EXPECT_EQ(z->members()[1].size, 100'000u);
  EXPECT_LT(z->members()[1].packed, 500u);
  EXPECT_EQ(text(z->load(0, 1000)), "plain");
  EXPECT_EQ(z->load(0, 1000).owner, nullptr);  // read where it lies
  EXPECT_EQ(text(z->load(1, 100'000)), long_text);
  EXPECT_EQ(z->head(1, 10), "aaaaaaaaaa");
  EXPECT_EQ(text(z->load(2, 1000)), "sizes stand behind");
  EXPECT_EQ(text(z->load(3, 1000)), "sixty-four bits");
  EXPECT_EQ(text(z->load(4, 1000)), "");
  EXPECT_EQ(z->begin(), 24u);
  EXPECT_EQ(z->end(), zip.size());
}

TEST(Zip, RefusesNamesThatLeaveThePackage) {
  const Notes n = walk_all(make_zip({{.name = "../../etc/passwd", .data = "x"},
                                     {.name = "/absolute", .data = "x"},
                                     {.name = "a\\..\\..\\b", .data = "x"},
                                     {.name = "C:\\windows", .data = "x"},
                                     {.name = "new\nline", .data = "x"},
                                     {.name = "fine..name/..a", .data = "kept"}}));
  EXPECT_EQ(n.failures, (Failures{"unsafe-name ../../etc/passwd", "unsafe-name /absolute", "unsafe-name a\\..\\..\\b",
                                  "unsafe-name C:\\windows", "unsafe-name new?line"}));
  EXPECT_EQ(n.contents, (std::map<std::string, std::string>{{"fine..name/..a", "kept"}}));
}

TEST(Zip, RefusesSharedBytes) {
  const std::string a =
      make_zip({{.name = "a", .data = std::string(5000, 'x')}, {.name = "b", .data = "b", .local_name = "a"}});
  EXPECT_EQ(walk_all(a).failures, (Failures{"malformed b"}));  // the local header is of another file
  const Notes n = walk_all(make_zip({{.name = "a", .data = "one"}, {.name = "a", .data = "one", .local_offset = 0}}));
  EXPECT_EQ(n.failures, (Failures{"duplicate-name a", "overlap a#2"}));
  EXPECT_EQ(n.contents.at("a"), "one");
}

TEST(Zip, RefusesSizesThatLie) {
  const std::string data(1000, 'z');
  const auto failures = [&](ZipEntry e) { return walk_all(make_zip({std::move(e)})).failures; };
  EXPECT_EQ(failures({.name = "more", .data = data, .size = 4'294'967'294u}), (Failures{"lying-size more"}));
  EXPECT_EQ(failures({.name = "more", .data = data, .size = 1001}), (Failures{"lying-size more"}));
  EXPECT_EQ(failures({.name = "less", .data = data, .size = 10}), (Failures{"lying-size less"}));
  EXPECT_EQ(failures({.name = "stored", .data = data, .method = 0, .size = 5000}), (Failures{"lying-size stored"}));
  EXPECT_EQ(failures({.name = "past", .data = data, .packed = 1'000'000}), (Failures{"lying-size past"}));
  EXPECT_EQ(failures({.name = "crc", .data = data, .crc = 1}), (Failures{"bad-checksum crc"}));
  EXPECT_EQ(failures({.name = "odd", .data = data, .method = 93}), (Failures{"unsupported-method odd"}));
  EXPECT_EQ(failures({.name = "far", .data = data, .local_offset = 4'000'000'000u}), (Failures{"malformed far"}));
}

TEST(Zip, TellsEncryptionFromItsFlag) {
  const std::string secret = random_bytes(3000, 1);
  const Notes n = walk_all(make_zip({{.name = "secret", .data = secret, .method = 0, .flags = 1, .crc = 7},
                                     {.name = "secret-deflated", .data = secret, .method = 8, .flags = 1, .crc = 7},
                                     {.name = "aes", .data = secret, .method = 99, .flags = 1},
                                     {.name = "flag-only", .data = "readable", .flags = 1}}));
  EXPECT_EQ(n.failures, (Failures{"encrypted aes", "encrypted secret", "encrypted secret-deflated"}));
  EXPECT_EQ(n.contents.at("flag-only"), "readable");
}

TEST(Zip, EveryCutIsAFailureNotACrash) {
  const std::string zip =
      make_zip({{.name = "a", .data = std::string(300, 'q')}, {.name = "b", .data = "b", .zip64 = true}});
  for (std::size_t size = 4; size < zip.size(); ++size) {
    const Notes n = walk_all(zip.substr(0, size));
    ASSERT_FALSE(n.failures.empty()) << size;
    EXPECT_EQ(n.failures.front(), "truncated package") << size;
  }
}

TEST(Zip, CountsAgainstItsEndRecord) {
  std::string zip = make_zip({{.name = "a", .data = "a"}, {.name = "b", .data = "b"}});
  zip[zip.size() - 22 + 10] = 9;
  EXPECT_EQ(walk_all(zip).failures, (Failures{"malformed package"}));
  const Notes few = walk_all(make_zip({{.name = "a", .data = "a"}, {.name = "b", .data = "b"}}), {.entries = 1});
  EXPECT_EQ(few.failures, (Failures{"too-many package"}));
  EXPECT_EQ(few.contents.size(), 1u);
}

TEST(Walk, StopsBombs) {
  const Limits limits{.memory = 8 << 20, .unpacked = 20 << 20, .ratio = 100, .ratio_from = 1 << 20};
  const std::string zeros(4 << 20, '\0');
  EXPECT_EQ(walk_all(make_zip({{.name = "bomb", .data = zeros}}), limits).failures, (Failures{"ratio bomb"}));
  EXPECT_EQ(walk_all(make_gzip(zeros), limits, "bomb.gz").failures.size(), 1u);
  // Dense but modest entries that are too much together: 4 MiB each at a ratio of about 64.
  std::string dense;
  for (int i = 0; i < (4 << 20) / 4096; ++i)
    dense += random_bytes(48, static_cast<std::uint64_t>(i)) + std::string(4048, '\1');
  std::vector<ZipEntry> many;
  for (int i = 0; i < 6; ++i) many.push_back({.name = "part" + std::to_string(i), .data = dense});
  const Notes n = walk_all(make_zip(many), limits);
  EXPECT_EQ(n.failures, (Failures{"too-many part5"}));
  EXPECT_EQ(walk_all(make_zip({{.name = "big", .data = dense + dense + dense}}), limits).failures,
            (Failures{"too-large big"}));
}

TEST(Walk, OpensWhatIsInsideAndStopsAtADepth) {
  std::string nest = make_zip({{.name = "leaf.txt", .data = "leaf", .method = 0}});
  for (int i = 0; i < 3; ++i)
    nest = make_zip({{.name = "inner.zip", .data = nest, .method = static_cast<std::uint16_t>(i % 2 * 8)}});
  const Notes n = walk_all(nest);
  EXPECT_EQ(n.contents, (std::map<std::string, std::string>{{"inner.zip!/inner.zip!/inner.zip!/leaf.txt", "leaf"}}));
  EXPECT_TRUE(n.failures.empty());
  for (int i = 0; i < 30; ++i) nest = i % 3 == 0 ? make_gzip(nest) : make_zip({{.name = "inner.zip", .data = nest}});
  const Notes deep = walk_all(nest);
  ASSERT_EQ(deep.failures.size(), 1u);
  EXPECT_TRUE(deep.failures[0].starts_with("too-deep ")) << deep.failures[0];
}

// A gzip file that unpacks to itself, byte for byte. Its units of five bytes are a stored block's head (the next twenty
// bytes come out) and a block that repeats the last twenty bytes; with L and R for these, P for the fifteen bytes of
// gzip's header and T for the last twenty of the file (R, an empty block, the last block, checksum, size), it reads
// P L [P L] R L [R L R L] R L [T] T, and each bracket comes out once as it stands and once more by the R behind it.
std::string make_gzip_of_itself() {
  const std::string head(
      "\x1f\x8b\x08\x08\0\0\0\0\0\xff"
      "self\0",
      15),
      literal("\0\x14\0\xeb\xff", 5);
  std::string bits = "010";  // not the last block, fixed codes
  for (int i = 0; i < 2; ++i)
    bits +=
        "0001000"
        "01000"
        "110";  // ten bytes from twenty back, twice
  bits += "0000000";
  std::string repeat(5, '\0');
  for (std::size_t i = 0; i < 40; ++i) repeat[i / 8] = static_cast<char>(repeat[i / 8] | (bits[i] - '0') << (i % 8));
  const auto file = [&](std::uint32_t crc) {
    std::string tail = repeat + std::string("\0\0\0\xff\xff\3\0", 7);
    for (const std::uint32_t n : {crc, 120u}) {
      for (int i = 0; i < 4; ++i) tail += static_cast<char>(n >> (8 * i));
    }
    const std::string pair = repeat + literal;
    return head + literal + head + literal + pair + pair + pair + pair + tail + tail;
  };
  // The checksum is an affine function of itself: a linear system over bits, solved by elimination.
  const auto crc = [&](std::uint32_t c) { return crc32_of(bytes_of(file(c))); };
  std::array<std::uint64_t, 32> rows{};
  const std::uint32_t constant = crc(0);
  for (std::size_t bit = 0; bit < 32; ++bit) {
    const std::uint32_t column = crc(std::uint32_t{1} << bit) ^ constant ^ std::uint32_t{1} << bit;
    for (std::size_t r = 0; r < 32; ++r) rows[r] |= static_cast<std::uint64_t>(column >> r & 1) << bit;
  }
  for (std::size_t r = 0; r < 32; ++r) rows[r] |= static_cast<std::uint64_t>(constant >> r & 1) << 32;
  for (std::size_t bit = 0; bit < 32; ++bit) {
    const auto pivot = std::find_if(rows.begin() + static_cast<std::ptrdiff_t>(bit), rows.end(),
                                    [&](std::uint64_t r) { return r >> bit & 1; });
    if (pivot == rows.end()) return {};
    std::swap(*pivot, rows[bit]);
    for (std::size_t r = 0; r < 32; ++r) {
      if (r != bit && (rows[r] >> bit & 1)) rows[r] ^= rows[bit];
    }
  }
  std::uint32_t solution = 0;
  for (std::size_t bit = 0; bit < 32; ++bit) solution |= static_cast<std::uint32_t>(rows[bit] >> 32 & 1) << bit;
  return file(solution);
}

TEST(Walk, StopsAtAFileThatHoldsItself) {
  const std::string self = make_gzip_of_itself();
  ASSERT_EQ(self.size(), 120u);
  std::string unpacked(120, '\0');
  ASSERT_EQ(inflate_all(bytes_of(self), Wrap::gzip, std::as_writable_bytes(std::span(unpacked))), 120u);
  ASSERT_EQ(unpacked, self);
  const Notes n = walk_all(self, {.depth = 1000});
  ASSERT_EQ(n.failures.size(), 1u);
  EXPECT_TRUE(n.failures[0].starts_with("cycle ")) << n.failures[0];
  const Notes within =
      walk_all(make_zip({{.name = "a.gz", .data = self}, {.name = "b", .data = "b"}}), {.depth = 1000});
  ASSERT_EQ(within.failures.size(), 1u);
  EXPECT_TRUE(within.failures[0].starts_with("cycle ")) << within.failures[0];
  EXPECT_EQ(within.contents.at("b"), "b");
}

TEST(Walk, ReadsTarInGzip) {
  const std::string tar = make_tar({{"package/a.txt", "first"}, {"package/b.bin", std::string(700, '\2')}});
  const Notes n = walk_all(make_gzip(tar), {}, "x.tgz");
  EXPECT_EQ(n.contents.at("package/a.txt"), "first");
  EXPECT_EQ(n.contents.at("package/b.bin"), std::string(700, '\2'));
  EXPECT_EQ(n.contents.size(), 2u);
  const Notes bad = walk_all(make_tar({{"../out", "x"}, {"in", "y"}}));
  EXPECT_EQ(bad.failures, (Failures{"unsafe-name ../out"}));
  EXPECT_EQ(walk_all(tar.substr(0, 600)).failures.size(), 0u);      // all of the first file is there
  EXPECT_EQ(walk_all(tar.substr(0, 1200)).failures, (Failures{}));  // between two headers: the end
  EXPECT_EQ(walk_all(tar.substr(0, 1600)).failures, (Failures{"truncated package/b.bin"}));
}

TEST(Walk, FindsContainersAtAnyByteOfABlob) {
  const std::string tar = make_tar({{"in.txt", "from a tar"}}),
                    zip = make_zip({{.name = "z.txt", .data = "from a zip"}});
  const std::string noise = std::string("\xff\xfe\x01", 3) + random_bytes(500, 3),
                    blob = noise + tar + noise + zip + noise;
  const Notes n = walk_all(make_zip({{.name = "a.dm", .data = blob, .method = 0}}));
  const std::string at_tar = "a.dm@" + std::to_string(noise.size()),
                    at_zip = "a.dm@" + std::to_string(2 * noise.size() + tar.size());
  EXPECT_EQ(n.contents.at(at_tar + "!/in.txt"), "from a tar");
  EXPECT_EQ(n.contents.at(at_zip + "!/z.txt"), "from a zip");
  EXPECT_EQ(n.covered_ranges, 2u);
  // What lies within a carved container is found once, in its place.
  const std::string outer =
      make_zip({{.name = "in.zip", .data = zip, .method = 0}, {.name = "in.tar", .data = tar, .method = 0}});
  const Notes once = walk_all(noise + outer + make_tar({{"t.zip", zip}}));
  std::string paths;
  for (const auto& [path, content] : once.contents) paths += path + "\n";
  const std::string o = "package@" + std::to_string(noise.size()),
                    t = "package@" + std::to_string(noise.size() + outer.size());
  EXPECT_EQ(paths, "package\n" + t + "!/t.zip!/z.txt\n" + o + "!/in.tar!/in.txt\n" + o + "!/in.zip!/z.txt\n");
  // Three tars joined by bytes that are no header: an ordinary reader sees the first.
  const Notes joined = walk_all(tar + "symbols" + tar);
  EXPECT_EQ(joined.contents.at("in.txt"), "from a tar");
  EXPECT_EQ(joined.contents.at("package@" + std::to_string(tar.size() + 7) + "!/in.txt"), "from a tar");
}

TEST(Names, ArePrintable) {
  EXPECT_EQ(printable("\xc3\xa4\xff\x01z"), "\xc3\xa4??z");
  EXPECT_EQ(printable(std::string(2000, 'a')).size(), 512 + std::string("…").size());
  EXPECT_EQ(unsafe_name("a/b.c"), "");
  EXPECT_NE(unsafe_name("a/../b"), "");
}

}  // namespace
}  // namespace thimble::gauge
