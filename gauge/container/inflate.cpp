#include "gauge/container/inflate.h"

#include <zlib.h>

#include <algorithm>
#include <limits>

#include "gauge/failure.h"

namespace thimble::gauge {
namespace {

constexpr std::size_t kStep = std::numeric_limits<uInt>::max() / 2;  // zlib counts in 32 bits

class Stream {
 public:
  Stream(Bytes packed, Wrap wrap) : packed_(packed), wrap_(wrap) {
    const int bits = wrap == Wrap::raw ? -MAX_WBITS : 16 + MAX_WBITS;
    if (inflateInit2(&z_, bits) != Z_OK) fail(ErrorKind::io, "out of memory in zlib");
  }
  ~Stream() { inflateEnd(&z_); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // Fills `out` as far as the stream goes; ended() tells whether it came to its end.
  std::size_t read(std::span<std::byte> out) {
    std::size_t made = 0;
    while (!ended_) {
      const std::size_t room = std::min(out.size() - made, kStep), have = std::min(packed_.size() - used_, kStep);
      z_.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(packed_.data() + used_));
      z_.avail_in = static_cast<uInt>(have);
      z_.next_out = reinterpret_cast<Bytef*>(out.data() + made);
      z_.avail_out = static_cast<uInt>(room);
      const int status = ::inflate(&z_, Z_NO_FLUSH);
      used_ += have - z_.avail_in;
      made += room - z_.avail_out;
      if (status == Z_STREAM_END) {
        ended_ = !next_member();
      } else if (status == Z_DATA_ERROR || status == Z_NEED_DICT || status == Z_STREAM_ERROR) {
        refuse(FailureKind::malformed, "deflate: {} after {} bytes", z_.msg == nullptr ? "bad data" : z_.msg, made);
      } else if (status == Z_MEM_ERROR) {
        fail(ErrorKind::io, "out of memory in zlib");
      } else if (made == out.size()) {
        return made;
      } else if (used_ == packed_.size()) {
        fail_truncated("deflate: the packed bytes end after {} unpacked ones, before the stream's end", made);
      }
    }
    return made;
  }
  bool ended() const { return ended_; }

 private:
  bool next_member() {
    if (wrap_ != Wrap::gzip || !starts_with(packed_, "\x1f\x8b", used_)) return false;
    return inflateReset(&z_) == Z_OK;
  }

  Bytes packed_;
  Wrap wrap_;
  z_stream z_{};
  std::size_t used_ = 0;
  bool ended_ = false;
};

}  // namespace

std::string inflate_head(Bytes packed, Wrap wrap, std::size_t count) {
  std::string out(count, '\0');
  Stream stream(packed, wrap);
  out.resize(stream.read(std::as_writable_bytes(std::span(out))));
  return out;
}

std::size_t inflate_all(Bytes packed, Wrap wrap, std::span<std::byte> out) {
  Stream stream(packed, wrap);
  const std::size_t made = stream.read(out);
  if (stream.ended()) return made;
  std::byte more{};
  if (stream.read({&more, 1}) != 0) refuse(FailureKind::lying_size, "the stream holds more than {} bytes", out.size());
  return made;
}

std::uint32_t crc32_of(Bytes bytes) {
  return static_cast<std::uint32_t>(::crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

}  // namespace thimble::gauge
