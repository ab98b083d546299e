// Walks the tree of a sparse constant. Level l runs over expanded axis traversal[l]: the tensor's axes (divided by the
// blocks) and behind them the axes inside a block. A dense level has a size; a compressed one has, for each position of
// the level before, a segment of coordinates.
#include "gauge/model/sparse.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"

namespace thimble::gauge {
namespace {

constexpr std::size_t kMostLevels = 32;
constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 30;

[[noreturn]] void broken(const char* what) { fail(ErrorKind::bad_file, "sparse tensor: {}", what); }

struct Level {
  std::size_t axis = 0;
  bool compressed = false;
  std::int64_t size = 0;
  std::vector<std::int64_t> segments, coordinates;
};

template <class T>
std::vector<std::int64_t> numbers(const FlatTable& t) {
  const auto v = t.vector<T>(4);
  std::vector<std::int64_t> out;
  for (std::uint32_t i = 0; i < v.size(); ++i) out.push_back(static_cast<std::int64_t>(v[i]));
  return out;
}

// A union of vectors: 1 of i32, 2 of u16, 3 of u8.
std::vector<std::int64_t> union_of(const FlatTable& t, unsigned type_slot) {
  const auto value = t.table(type_slot + 2);
  if (!value) return {};
  switch (t.scalar<std::uint8_t>(type_slot, 0)) {
    case 1: return numbers<std::int32_t>(*value);
    case 2: return numbers<std::uint16_t>(*value);
    case 3: return numbers<std::uint8_t>(*value);
    default: broken("unknown type of index");
  }
}

class Walk {
 public:
  Walk(const FlatTable& sparsity, const ModelTensor& tensor)
      : bytes_(tensor.bytes), rank_(tensor.shape.size()), size_(static_cast<std::size_t>(tensor.type.bits / 8)) {
    if (tensor.type.bits < 8) fail(ErrorKind::unsupported, "sparse tensor of {}", tensor.type.name);
    const auto order = sparsity.vector<std::int32_t>(4), map = sparsity.vector<std::int32_t>(6);
    const auto levels = sparsity.vector<FlatTable>(8);
    if (levels.size() != order.size() || order.size() != rank_ + map.size() || order.size() > kMostLevels) {
      broken("levels, axes and blocks do not agree");
    }
    shape_ = tensor.shape;
    block_.assign(rank_, 1);
    levels_.resize(levels.size());
    std::vector<bool> seen(levels.size());
    for (std::uint32_t l = 0; l < levels.size(); ++l) {
      Level& level = levels_[l];
      const std::int32_t axis = order[l];
      if (axis < 0 || axis >= static_cast<std::int32_t>(levels.size()) || seen[static_cast<std::size_t>(axis)]) {
        broken("the order of its axes is no permutation");
      }
      level.axis = static_cast<std::size_t>(axis);
      seen[level.axis] = true;
      level.compressed = levels[l].scalar<std::uint8_t>(4, 0) != 0;
      level.size = levels[l].scalar<std::int32_t>(6, 0);
      if (level.compressed) {
        level.segments = union_of(levels[l], 8);
        level.coordinates = union_of(levels[l], 12);
        if (!std::ranges::is_sorted(level.segments)) broken("segments overlap");  // each would be walked many times
      } else if (level.size < 1) {
        broken("an axis without elements");
      }
    }
    for (std::uint32_t b = 0; b < map.size(); ++b) {
      if (map[b] < 0 || map[b] >= static_cast<std::int32_t>(rank_)) broken("a block of an axis that is not there");
      const std::size_t axis = static_cast<std::size_t>(map[b]);
      for (const Level& level : levels_) {
        if (level.axis == rank_ + b && level.compressed) broken("a block that is compressed itself");
        if (level.axis == rank_ + b) block_[axis] = level.size;
      }
      block_axis_.push_back(axis);
    }
    place_.assign(levels_.size(), 0);
  }

  std::vector<std::byte> run(std::uint64_t& stored) {
    const std::uint64_t total = static_cast<std::uint64_t>(graph::element_count(shape_)) * size_;
    if (total > kMostBytes) fail(ErrorKind::unsupported, "sparse tensor of {} bytes", total);
    out_.assign(total, std::byte{0});
    visit(0, 0);
    stored = stored_;
    if (stored * size_ != bytes_.size()) broken("not as many values as its tree has leaves");
    return std::move(out_);
  }

 private:
  void visit(std::size_t l, std::int64_t position) {
    if (l == levels_.size()) return leaf();
    const Level& level = levels_[l];
    if (!level.compressed) {
      for (std::int64_t i = 0; i < level.size; ++i) {
        place_[level.axis] = i;
        visit(l + 1, position * level.size + i);
      }
      return;
    }
    const auto at = static_cast<std::size_t>(position);
    if (at + 1 >= level.segments.size()) broken("a segment is missing");
    const std::int64_t begin = level.segments[at], end = level.segments[at + 1];
    if (begin < 0 || begin > end || end > static_cast<std::int64_t>(level.coordinates.size())) {
      broken("a segment lies outside the coordinates");
    }
    for (std::int64_t i = begin; i < end; ++i) {
      place_[level.axis] = level.coordinates[static_cast<std::size_t>(i)];
      visit(l + 1, i);
    }
  }

  void leaf() {
    std::uint64_t element = 0;
    for (std::size_t a = 0; a < rank_; ++a) {
      std::int64_t c = place_[a] * block_[a];
      for (std::size_t b = 0; b < block_axis_.size(); ++b) c += block_axis_[b] == a ? place_[rank_ + b] : 0;
      if (c < 0 || c >= shape_[a]) broken("a coordinate lies outside the tensor");
      element = element * static_cast<std::uint64_t>(shape_[a]) + static_cast<std::uint64_t>(c);
    }
    const std::uint64_t from = stored_ * size_;
    if (!within(bytes_.size(), from, size_)) broken("more leaves than values");
    std::memcpy(out_.data() + element * size_, bytes_.data() + from, size_);
    ++stored_;
  }

  Bytes bytes_;
  std::size_t rank_, size_;
  graph::Shape shape_;
  std::vector<std::int64_t> block_, place_;
  std::vector<std::size_t> block_axis_;
  std::vector<Level> levels_;
  std::vector<std::byte> out_;
  std::uint64_t stored_ = 0;
};

}  // namespace

std::vector<std::byte> dense_from_sparse(const FlatTable& sparsity, const ModelTensor& tensor, std::uint64_t& stored) {
  return Walk(sparsity, tensor).run(stored);
}

}  // namespace thimble::gauge
