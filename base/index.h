// From an extent or an axis of a shape, which are signed, to a subscript of a container. Not here: checks of the range.
#pragma once

#include <cstddef>
#include <cstdint>

namespace thimble {

constexpr std::size_t index(std::int64_t i) noexcept { return static_cast<std::size_t>(i); }

}  // namespace thimble
