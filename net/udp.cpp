#include "net/udp.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <utility>

#include "base/error.h"

namespace thimble::net {
namespace {

constexpr std::size_t kLargest = 65536;

}  // namespace

Address Address::resolve(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon + 1 == text.size())
    fail(ErrorKind::bad_input, "'{}' is no address; host:port was wanted", text);
  std::string host(text.substr(0, colon));
  const std::string port(text.substr(colon + 1));
  if (host.size() > 2 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  else if (host.find(':') != std::string::npos)
    fail(ErrorKind::bad_input, "'{}' is no address; an IPv6 host is written in brackets, [::1]:4710", text);
  if (port.size() > 5 || !std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; }) ||
      std::stoi(port) > 65535)
    fail(ErrorKind::bad_input, "'{}' has no port from 0 to 65535", text);

  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  const int status = getaddrinfo(host.empty() ? nullptr : host.c_str(), port.c_str(), &hints, &found);
  if (status != 0) fail(ErrorKind::io, "host '{}': {}", host, gai_strerror(status));
  Address out;
  out.length_ = std::min<unsigned>(found->ai_addrlen, static_cast<unsigned>(out.storage_.size()));
  std::memcpy(out.storage_.data(), found->ai_addr, out.length_);
  freeaddrinfo(found);
  return out;
}

std::string Address::text() const {
  char host[NI_MAXHOST] = {}, port[NI_MAXSERV] = {};
  const auto* address = reinterpret_cast<const sockaddr*>(storage_.data());
  if (getnameinfo(address, length_, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) != 0)
    return "?";
  return address->sa_family == AF_INET6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

bool Address::operator==(const Address& o) const { return text() == o.text(); }

UdpSocket::UdpSocket(std::string_view local) {
  const Address address = Address::resolve(local);
  const auto* raw = reinterpret_cast<const sockaddr*>(address.storage_.data());
  fd_ = socket(raw->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd_ < 0) fail(ErrorKind::io, "no UDP socket: {}", std::strerror(errno));
  if (bind(fd_, raw, address.length_) != 0) {
    const int error = errno;
    close(fd_);
    fail(ErrorKind::io, "cannot listen at {}: {}", local, std::strerror(error));
  }
}

UdpSocket::~UdpSocket() {
  if (fd_ >= 0) close(fd_);
}

UdpSocket::UdpSocket(UdpSocket&& o) noexcept : fd_(std::exchange(o.fd_, -1)) {}

Address UdpSocket::local() const {
  Address out;
  socklen_t length = static_cast<socklen_t>(out.storage_.size());
  getsockname(fd_, reinterpret_cast<sockaddr*>(out.storage_.data()), &length);
  out.length_ = length;
  return out;
}

bool UdpSocket::send(const Address& to, std::span<const std::byte> bytes) {
  const auto* raw = reinterpret_cast<const sockaddr*>(to.storage_.data());
  return sendto(fd_, bytes.data(), bytes.size(), 0, raw, to.length_) == static_cast<ssize_t>(bytes.size());
}

std::optional<Datagram> UdpSocket::receive(double timeout_seconds) {
  pollfd wait{fd_, POLLIN, 0};
  const int milliseconds = static_cast<int>(std::ceil(std::clamp(timeout_seconds, 0.0, 3600.0) * 1000));
  if (poll(&wait, 1, milliseconds) <= 0) return std::nullopt;
  Datagram out{std::vector<std::byte>(kLargest), {}};
  socklen_t length = static_cast<socklen_t>(out.from.storage_.size());
  const ssize_t got = recvfrom(fd_, out.bytes.data(), out.bytes.size(), MSG_DONTWAIT,
                               reinterpret_cast<sockaddr*>(out.from.storage_.data()), &length);
  if (got < 0) return std::nullopt;  // an error that the network reports of an earlier datagram, or nothing after all
  out.bytes.resize(static_cast<std::size_t>(got));
  out.from.length_ = length;
  return out;
}

}  // namespace thimble::net
