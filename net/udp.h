// UDP sockets of POSIX systems, IPv4 and IPv6. Datagrams may be lost, doubled or overtaken; who sent one is not known
// until its content proves it (net/authentic.h).
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace thimble::net {

// Where datagrams come from or go to; any family.
class Address {
 public:
  // "host:port", "[::1]:port"; the host may be a name. bad_input for other forms, io when the name is not known.
  static Address resolve(std::string_view text);

  std::string text() const;
  bool operator==(const Address& o) const;

 private:
  friend class UdpSocket;
  alignas(8) std::array<std::byte, 128> storage_{};
  unsigned length_ = 0;
};

struct Datagram {
  std::vector<std::byte> bytes;
  Address from;
};

class UdpSocket {
 public:
  // Receives at this address ("0.0.0.0:4710", port 0: any free one). io when it is taken.
  explicit UdpSocket(std::string_view local);
  ~UdpSocket();
  UdpSocket(UdpSocket&& o) noexcept;
  UdpSocket& operator=(UdpSocket&&) = delete;

  Address local() const;
  // False when the network refused it just now (nobody listens, a full queue): datagrams may be lost anyway.
  bool send(const Address& to, std::span<const std::byte> bytes);
  // The next datagram; nothing after `timeout` seconds or when a signal came. 0: only what is there already.
  std::optional<Datagram> receive(double timeout_seconds);

 private:
  int fd_ = -1;
};

}  // namespace thimble::net
