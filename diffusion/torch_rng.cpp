#include "diffusion/torch_rng.h"

#include <cmath>
#include <numbers>

namespace thimble::diffusion {

TorchRng::TorchRng(std::uint64_t seed) {
  state_[0] = static_cast<std::uint32_t>(seed);
  for (std::uint32_t i = 1; i < state_.size(); ++i) {
    state_[i] = 1812433253U * (state_[i - 1] ^ (state_[i - 1] >> 30)) + i;
  }
}

std::uint32_t TorchRng::next_u32() {
  constexpr std::size_t n = 624, m = 397;
  if (index_ == n) {
    for (std::size_t i = 0; i < n; ++i) {
      const std::uint32_t y = (state_[i] & 0x80000000U) | (state_[(i + 1) % n] & 0x7fffffffU);
      state_[i] = state_[(i + m) % n] ^ (y >> 1) ^ ((y & 1U) != 0 ? 0x9908b0dfU : 0U);
    }
    index_ = 0;
  }
  std::uint32_t y = state_[index_++];
  y ^= y >> 11;
  y ^= (y << 7) & 0x9d2c5680U;
  y ^= (y << 15) & 0xefc60000U;
  return y ^ (y >> 18);
}

double TorchRng::uniform_double() {
  const std::uint64_t high = next_u32(), low = next_u32();
  return static_cast<double>((high << 32 | low) & ((std::uint64_t{1} << 53) - 1)) * 0x1p-53;
}

float TorchRng::uniform_float() { return static_cast<float>(next_u32() & ((1U << 24) - 1)) * 0x1p-24F; }

// Box and Muller: element j and element j + 8 make a pair.
void TorchRng::fill_block(std::span<float, 16> block) {
  for (std::size_t j = 0; j < 8; ++j) {
    const float radius = std::sqrt(-2 * std::log(1 - block[j]));
    const float angle = 2 * std::numbers::pi_v<float> * block[j + 8];
    block[j] = radius * std::cos(angle);
    block[j + 8] = radius * std::sin(angle);
  }
}

void TorchRng::randn(std::span<float> out) {
  if (out.size() < 16) {
    for (float& v : out) {
      if (waiting_) {
        v = static_cast<float>(*waiting_);
        waiting_.reset();
        continue;
      }
      const double u1 = uniform_double(), u2 = uniform_double();
      const double radius = std::sqrt(-2 * std::log1p(-u2)), angle = 2 * std::numbers::pi * u1;
      waiting_ = radius * std::sin(angle);
      v = static_cast<float>(radius * std::cos(angle));
    }
    return;
  }
  for (float& v : out) v = uniform_float();
  for (std::size_t i = 0; i + 16 <= out.size(); i += 16) fill_block(out.subspan(i).first<16>());
  // A rest that fills no block: the last 16 are drawn anew.
  if (out.size() % 16 != 0) {
    const auto last = out.last<16>();
    for (float& v : last) v = uniform_float();
    fill_block(last);
  }
}

}  // namespace thimble::diffusion
