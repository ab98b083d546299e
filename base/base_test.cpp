// Tests of base/: conversions, random numbers, threads, files, bounded JSON.
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <set>
#include <vector>

#include "base/checksum.h"
#include "base/cpu.h"
#include "base/dtype.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/rng.h"
#include "base/sha256_blocks.h"
#include "base/threads.h"

namespace thimble {
namespace {

template <class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

TEST(DType, Bf16RoundsToNearestEven) {
  EXPECT_EQ(to_bf16(1.0f).bits, 0x3f80);
  EXPECT_EQ(to_bf16(1.00390625f).bits, 0x3f80);  // a tie, to even
  EXPECT_EQ(to_bf16(1.01171875f).bits, 0x3f82);  // a tie, to even, upwards
  EXPECT_TRUE(std::isnan(to_f32(to_bf16(std::nanf("")))));
}

TEST(DType, EveryF16SurvivesARoundTrip) {
  for (std::uint32_t b = 0; b < 0x10000; ++b) {
    const f16 h{static_cast<std::uint16_t>(b)};
    const float v = to_f32(h);
    if (std::isnan(v)) continue;
    ASSERT_EQ(to_f16(v).bits, h.bits) << b;
  }
  EXPECT_EQ(to_f16(65520.0f).bits, 0x7c00);
  EXPECT_EQ(to_f16(0x1p-25f).bits, 0);  // a tie with zero, to even
  EXPECT_EQ(to_f16(0x1.8p-25f).bits, 1);
}

// Known answers of the Random123 distribution for philox4x32-10.
TEST(Rng, PhiloxKnownAnswers) {
  EXPECT_EQ(philox(0, 0, 0), (std::array<std::uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox(~0ull, ~0ull, ~0ull),
            (std::array<std::uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
}

TEST(Rng, NormalsHaveTheRightMoments) {
  std::vector<float> v(200001);
  fill_normal(v, 7);
  double mean = 0, var = 0;
  for (float x : v) mean += x;
  mean /= static_cast<double>(v.size());
  for (float x : v) var += (x - mean) * (x - mean);
  EXPECT_NEAR(mean, 0, 0.01);
  EXPECT_NEAR(var / static_cast<double>(v.size()), 1, 0.01);
}

TEST(Rng, SeekContinuesTheStream) {
  Rng a(3, 4);
  for (int i = 0; i < 5; ++i) a.next_u32();
  Rng b(3, 4);
  b.seek(5);
  EXPECT_EQ(a.next_u32(), b.next_u32());
}

TEST(Threads, EveryIndexOnce) {
  for (int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    std::vector<std::atomic<int>> hits(1003);
    for (int round = 0; round < 50; ++round) {
      pool.parallel_for(1003, 7, [&](std::int64_t b, std::int64_t e, int) {
        for (auto i = b; i < e; ++i) hits[static_cast<std::size_t>(i)]++;
      });
    }
    for (auto& h : hits) ASSERT_EQ(h.load(), 50);
  }
}

TEST(File, Sha256KnownAnswers) {
  const auto hash = [](std::string_view s) { return sha256(std::as_bytes(std::span(s.data(), s.size()))); };
  EXPECT_EQ(hash(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hash("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST(File, Sha256InstructionsAgreeWithTheFormula) {
  if (!has_sha256_instructions()) GTEST_SKIP() << "this processor has none";
  std::vector<unsigned char> bytes(64 * 9 + 1);
  Rng rng(3, 1);
  for (auto& b : bytes) b = static_cast<unsigned char>(rng.below(256));
  for (std::size_t blocks = 0; blocks <= 9; ++blocks) {
    Sha256State portable{1, 2, 3, 0xffffffff, 5, 6, 7, 0x80000000}, native = portable;
    sha256_blocks_portable(portable, bytes.data() + 1, blocks);  // not aligned
    sha256_blocks_native(native, bytes.data() + 1, blocks);
    EXPECT_EQ(portable, native) << blocks << " blocks";
  }
}

TEST(File, AtomicWriteLeavesTheFormerFileWhenAbandoned) {
  const auto dir = std::filesystem::temp_directory_path() / "thimble_base_test";
  std::filesystem::create_directories(dir);
  write_file(dir / "a.txt", "first");
  {
    AtomicFile file(dir / "a.txt");
    file.write("second");
  }
  EXPECT_EQ(read_file(dir / "a.txt"), "first");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(dir), {}), 1);
  EXPECT_NE(message_of([&] { write_file(dir, "x"); }).find("directory"), std::string::npos);
  EXPECT_NE(message_of([&] { write_file(dir / "none" / "x", "x"); }).find("No such file"), std::string::npos);
  std::filesystem::remove_all(dir);
}

// /dev/full fails every write as a full disk does.
TEST(File, FullDiskIsOneClearLine) {
  const auto link = std::filesystem::temp_directory_path() / "thimble_full.txt";
  const auto part = link.string() + ".part" + std::to_string(::getpid());
  std::filesystem::remove(part);
  std::filesystem::create_symlink("/dev/full", part);
  EXPECT_NE(message_of([&] { write_file(link, "x"); }).find("No space left"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(link));
}

TEST(Json, RefusesDeepAndDuplicate) {
  EXPECT_NE(message_of([] { parse_json(std::string(1000, '['), "x"); }).find("deeper"), std::string::npos);
  EXPECT_NE(message_of([] { parse_json(R"({"a":1,"a":2})", "x"); }).find("twice"), std::string::npos);
  EXPECT_NE(message_of([] { parse_json(R"({"a":)", "x"); }).find("byte"), std::string::npos);
  EXPECT_EQ(get_int(parse_json(R"({"a":3})", "x"), "a", "x"), 3);
  EXPECT_NE(message_of([] { get_int(parse_json(R"({"a":"3"})", "x"), "a", "x"); }).find("integer"), std::string::npos);
}

TEST(Cpu, ScalarIsAlwaysThere) { EXPECT_EQ(usable_isas().front(), Isa::scalar); }

TEST(Memory, BuffersAreAligned) {
  for (std::size_t n : {1ul, 100ul, 1ul << 20, 5ul << 20}) {
    Buffer b(n);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(b.data()) % 64, 0u);
    std::memset(b.data(), 1, n);
  }
}

TEST(ChecksumTest, PiecesAddUpAndEveryBitCounts) {
  std::vector<std::byte> bytes(300);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * 7);
  const std::uint64_t whole = checksum(bytes);
  EXPECT_EQ(whole, 14080920844871318917u);  // of a second implementation, in Python
  for (const std::size_t cut : {0, 1, 63, 64, 65, 299, 300}) {
    Checksum c;
    c.add(std::span(bytes).first(cut));
    c.add(std::span(bytes).subspan(cut));
    EXPECT_EQ(c.value(), whole) << cut;
  }
  std::set<std::uint64_t> seen{whole};
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    bytes[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
    EXPECT_TRUE(seen.insert(checksum(bytes)).second) << bit;
    bytes[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
  }
  EXPECT_NE(checksum(std::span(bytes).first(64)), checksum(std::span(bytes).first(63)));
  EXPECT_NE(checksum({}), checksum(std::vector<std::byte>(8)));
}

}  // namespace
}  // namespace thimble
