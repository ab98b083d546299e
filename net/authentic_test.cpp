#include "net/authentic.h"

#include <gtest/gtest.h>

#include <string>

#include "base/error.h"
#include "base/rng.h"

namespace thimble::net {
namespace {

constexpr std::uint64_t kNow = 1'750'000'000'000'000;  // microseconds

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

std::string hex(std::span<const std::byte> bytes) {
  std::string out;
  for (const std::byte b : bytes) out += fmt::format("{:02x}", static_cast<unsigned>(b));
  return out;
}

TEST(Hmac, PublishedVectors) {  // RFC 4231, cases 1, 2 and 6
  EXPECT_EQ(hex(hmac_sha256(bytes_of(std::string(20, '\x0b')), bytes_of("Hi There"))),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(hex(hmac_sha256(bytes_of("Jefe"), bytes_of("what do ya want for nothing?"))),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(hex(hmac_sha256(bytes_of(std::string(131, '\xaa')),
                            bytes_of("Test Using Larger Than Block-Size Key - Hash Key First"))),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(Packets, RoundTrip) {
  const Key key("sixteen letters!");
  Sealer sealer(key, 300);
  Opener opener(key);
  const auto sealed = sealer.seal(7, bytes_of("content"), kNow);
  EXPECT_EQ(sealed.size(), kHeaderBytes + 7 + kTagBytes);
  const auto packet = opener.open(sealed, kNow + 1000);
  ASSERT_TRUE(packet);
  EXPECT_EQ(packet->kind, 7);
  EXPECT_EQ(packet->sender, 300);
  EXPECT_EQ(packet->stamp, kNow);
  EXPECT_EQ(hex(packet->content), hex(bytes_of("content")));
  EXPECT_EQ(opener.counts().accepted, 1u);
}

TEST(Packets, EveryChangedBitIsSeen) {
  const Key key("sixteen letters!");
  Sealer sealer(key, 1);
  const auto sealed = sealer.seal(1, bytes_of("abc"), kNow);
  Opener opener(key);
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    auto changed = sealed;
    changed[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
    EXPECT_FALSE(opener.open(changed, kNow)) << bit;
  }
  EXPECT_EQ(opener.counts().accepted, 0u);
  EXPECT_EQ(opener.counts().malformed, 24u);  // the bits of magic and version
  EXPECT_EQ(opener.counts().forged, (sealed.size() - 3) * 8);
  EXPECT_TRUE(opener.open(sealed, kNow));
}

TEST(Packets, AnotherKeyAndNoise) {
  Sealer sealer(Key("another key of 24 bytes."), 1);
  Opener opener(Key("sixteen letters!"));
  EXPECT_FALSE(opener.open(sealer.seal(1, {}, kNow), kNow));
  EXPECT_EQ(opener.counts().forged, 1u);
  Rng rng(4);
  for (int i = 0; i < 200; ++i) {
    std::vector<std::byte> noise(rng.below(120));
    for (auto& b : noise) b = static_cast<std::byte>(rng.below(256));
    EXPECT_FALSE(opener.open(noise, kNow));
  }
  EXPECT_EQ(opener.counts().malformed, 200u);
  EXPECT_THROW(Key("too short"), Error);
  EXPECT_THROW(sealer.seal(1, std::vector<std::byte>(kMaxContent + 1), kNow), Error);
}

TEST(Packets, ReplayedReorderedStale) {
  const Key key("sixteen letters!");
  Sealer sealer(key, 1), other(key, 2);
  Opener opener(key, 10);
  const auto first = sealer.seal(1, {}, kNow), second = sealer.seal(1, {}, kNow), third = sealer.seal(1, {}, kNow);
  EXPECT_TRUE(opener.open(first, kNow));
  EXPECT_TRUE(opener.open(third, kNow));
  EXPECT_FALSE(opener.open(first, kNow));
  EXPECT_FALSE(opener.open(third, kNow));
  EXPECT_EQ(opener.counts().replayed, 2u);
  EXPECT_FALSE(opener.open(second, kNow));
  EXPECT_EQ(opener.counts().reordered, 1u);
  EXPECT_TRUE(opener.open(other.seal(1, {}, kNow), kNow)) << "each sender has stamps of its own";

  EXPECT_FALSE(opener.open(sealer.seal(1, {}, kNow + 20'000'000), kNow));
  EXPECT_FALSE(opener.open(other.seal(1, {}, kNow + 1), kNow + 11'000'000));
  EXPECT_EQ(opener.counts().stale, 2u);
  Sealer restarted(key, 2);  // a node that starts again goes on by its clock
  EXPECT_TRUE(opener.open(restarted.seal(1, {}, kNow + 1'000'000), kNow + 1'000'000));
}

}  // namespace
}  // namespace thimble::net
