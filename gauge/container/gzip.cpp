// gzip (RFC 1952): one member, however many streams stand one after another. Its size is known when it is unpacked.
#include <algorithm>

#include "base/memory.h"
#include "gauge/container/container.h"
#include "gauge/container/inflate.h"

namespace thimble::gauge {
namespace {

class Gzip final : public Container {
 public:
  Gzip(Bytes bytes, std::string inner_name) : bytes_(bytes) {
    if (bytes.size() < 18 || !starts_with(bytes, "\x1f\x8b\x08")) {
      refuse(FailureKind::malformed, "gzip: no header of a deflate stream");
    }
    end_ = bytes.size();
    // The trailer's size counts modulo 2^32 and only the last stream: a hint.
    members_.push_back({std::move(inner_name), gauge::load<std::uint32_t>(bytes, bytes.size() - 4), bytes.size()});
  }

  std::string_view kind() const override { return "gzip"; }
  std::string head(std::size_t, std::size_t count) const override { return inflate_head(bytes_, Wrap::gzip, count); }

  Content load(std::size_t, std::uint64_t most) const override {
    // Pages that nothing is written to cost nothing, so room is taken for the most that can come.
    auto buffer = std::make_shared<Buffer>(static_cast<std::size_t>(std::min(most, most_inflated(bytes_.size()))));
    try {
      const std::size_t made = inflate_all(bytes_, Wrap::gzip, {buffer->data(), buffer->size()});
      return {{buffer->data(), made}, buffer};
    } catch (const Refused& e) {
      if (e.failure() != FailureKind::lying_size) throw;
      refuse(FailureKind::too_large, "it unpacks to more than {} bytes", buffer->size());
    }
  }

 private:
  Bytes bytes_;
};

}  // namespace

std::unique_ptr<Container> open_gzip(Bytes bytes, std::string inner_name) {
  return std::make_unique<Gzip>(bytes, std::move(inner_name));
}

}  // namespace thimble::gauge
