// Counter-based random numbers (Philox 4x32-10, Salmon et al. 2011): the i-th number of a stream
// depends on (seed, stream, i) alone, so a seed gives the same values on every machine and for any
// thread count. Not for cryptography.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace thimble {

std::array<std::uint32_t, 4> philox(std::uint64_t seed, std::uint64_t stream, std::uint64_t counter);

class Rng {
 public:
  explicit Rng(std::uint64_t seed, std::uint64_t stream = 0) : seed_(seed), stream_(stream) {}

  std::uint32_t next_u32();
  double uniform();  // in [0, 1)
  double uniform(double lo, double hi);
  double normal();                       // mean 0, variance 1 (Box-Muller)
  std::uint64_t below(std::uint64_t n);  // in [0, n), n > 0
  bool chance(double p) { return uniform() < p; }

  // State, for checkpoints: how many 32-bit words were drawn.
  std::uint64_t position() const { return position_; }
  void seek(std::uint64_t position);

 private:
  std::uint64_t seed_, stream_, position_ = 0;
  std::array<std::uint32_t, 4> block_{};
};

// Fills with standard normals; element i depends on (seed, stream, i) only.
void fill_normal(std::span<float> out, std::uint64_t seed, std::uint64_t stream = 0);

}  // namespace thimble
