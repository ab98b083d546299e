#include "runtime/packed.h"

#include <algorithm>

#include "base/error.h"

namespace thimble::runtime {

using graph::Tensor;

namespace {

bool same_owner(const std::weak_ptr<const void>& a, const std::shared_ptr<const void>& b) {
  return !a.expired() && !a.owner_before(b) && !b.owner_before(a);
}

bool made_from(const Packed& packed, const std::vector<Tensor>& roots) {
  return std::ranges::equal(packed.origins, roots, [](const Packed::Origin& o, const Tensor& t) {
    return o.data == t.data() && same_owner(o.owner, t.owner());
  });
}

bool aligned(const std::byte* p, DType type) { return reinterpret_cast<std::uintptr_t>(p) % size_of(type) == 0; }

}  // namespace

std::shared_ptr<const Packed> PackedWeights::get(const FixedBuffer& wanted, const graph::Weights& weights,
                                                 ThreadPool& pool) {
  const bool shared = !wanted.sources.empty() &&
                      std::ranges::none_of(wanted.sources, [](const StaticSource& s) { return bool(s.literal); });
  std::vector<Tensor> roots;
  std::string key;
  std::lock_guard lock(mutex_);
  if (shared) {
    for (const StaticSource& s : wanted.sources) roots.push_back(weights.at(s.name));
    key = fmt::format("{} {}", weights.id(), wanted.key);
    if (const auto it = entries_.find(key); it != entries_.end()) {
      if (auto found = it->second.lock(); found && made_from(*found, roots)) return found;
    }
  }

  auto made = std::make_shared<Packed>();
  for (const Tensor& t : roots) made->origins.push_back({t.owner(), t.data()});
  std::vector<Tensor> sources;
  for (const StaticSource& s : wanted.sources) sources.push_back(s.fetch(weights));
  if (wanted.borrow && sources[0].type().dtype == *wanted.borrow && aligned(sources[0].data(), *wanted.borrow)) {
    made->borrowed = sources[0];
  } else {
    made->buffer = Buffer(wanted.bytes);
    wanted.fill(sources, pool, made->buffer.data());
  }
  if (shared) {
    std::erase_if(entries_, [](const auto& entry) { return entry.second.expired(); });
    entries_[key] = made;
  }
  return made;
}

}  // namespace thimble::runtime
