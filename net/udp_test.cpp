#include "net/udp.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace thimble::net {
namespace {

TEST(Udp, ThereAndBack) {
  UdpSocket a("127.0.0.1:0"), b("127.0.0.1:0");
  const std::vector<std::byte> hello(97, std::byte{5});
  EXPECT_FALSE(b.receive(0));
  ASSERT_TRUE(a.send(b.local(), hello));
  const auto got = b.receive(5);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->bytes, hello);
  EXPECT_EQ(got->from, a.local());
  ASSERT_TRUE(b.send(got->from, {}));
  const auto empty = a.receive(5);
  ASSERT_TRUE(empty);
  EXPECT_TRUE(empty->bytes.empty());
}

TEST(Udp, NobodyThere) {
  UdpSocket a("127.0.0.1:0");
  std::string free_place;
  {
    const UdpSocket gone("127.0.0.1:0");
    free_place = gone.local().text();
  }
  const Address nobody = Address::resolve(free_place);
  for (int i = 0; i < 3; ++i) a.send(nobody, std::vector<std::byte>(4));  // refused or lost, no failure of ours
  EXPECT_FALSE(a.receive(0.05));
}

TEST(Udp, Addresses) {
  EXPECT_EQ(Address::resolve("127.0.0.1:4710").text(), "127.0.0.1:4710");
  EXPECT_EQ(Address::resolve("[::1]:80").text(), "[::1]:80");
  for (const char* bad : {"", "127.0.0.1", "127.0.0.1:", "127.0.0.1:70000", "127.0.0.1:-1", "::1:80", "127.0.0.1:8o"})
    EXPECT_THROW(Address::resolve(bad), Error) << bad;
  UdpSocket a("127.0.0.1:0");
  EXPECT_THROW(UdpSocket(a.local().text()), Error) << "the place is taken";
}

}  // namespace
}  // namespace thimble::net
