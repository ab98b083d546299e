#include "base/rng.h"

#include <cmath>
#include <numbers>

namespace thimble {
namespace {

double to_unit(std::uint32_t hi, std::uint32_t lo) {
  const std::uint64_t u = (std::uint64_t{hi} << 32 | lo) >> 11;
  return static_cast<double>(u) * 0x1p-53;
}

std::array<double, 2> box_muller(const std::array<std::uint32_t, 4>& w) {
  const double u = 1.0 - to_unit(w[0], w[1]);  // in (0, 1]
  const double v = to_unit(w[2], w[3]);
  const double r = std::sqrt(-2.0 * std::log(u));
  return {r * std::cos(2.0 * std::numbers::pi * v), r * std::sin(2.0 * std::numbers::pi * v)};
}

}  // namespace

std::array<std::uint32_t, 4> philox(std::uint64_t seed, std::uint64_t stream, std::uint64_t counter) {
  std::uint32_t k0 = static_cast<std::uint32_t>(seed), k1 = static_cast<std::uint32_t>(seed >> 32);
  std::array<std::uint32_t, 4> c{static_cast<std::uint32_t>(counter), static_cast<std::uint32_t>(counter >> 32),
                                 static_cast<std::uint32_t>(stream), static_cast<std::uint32_t>(stream >> 32)};
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53u} * c[0];
    const std::uint64_t b = std::uint64_t{0xCD9E8D57u} * c[2];
    c = {static_cast<std::uint32_t>(b >> 32) ^ c[1] ^ k0, static_cast<std::uint32_t>(b),
         static_cast<std::uint32_t>(a >> 32) ^ c[3] ^ k1, static_cast<std::uint32_t>(a)};
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return c;
}

std::uint32_t Rng::next_u32() {
  if (position_ % 4 == 0) block_ = philox(seed_, stream_, position_ / 4);
  return block_[position_++ % 4];
}

void Rng::seek(std::uint64_t position) {
  position_ = position;
  if (position_ % 4 != 0) block_ = philox(seed_, stream_, position_ / 4);
}

double Rng::uniform() {
  const std::uint32_t hi = next_u32();
  return to_unit(hi, next_u32());
}

double Rng::uniform(double lo, double hi) { return lo + (hi - lo) * uniform(); }

double Rng::normal() {
  std::array<std::uint32_t, 4> w{};
  for (auto& x : w) x = next_u32();
  return box_muller(w)[0];
}

std::uint64_t Rng::below(std::uint64_t n) { return static_cast<std::uint64_t>(uniform() * static_cast<double>(n)); }

void fill_normal(std::span<float> out, std::uint64_t seed, std::uint64_t stream) {
  for (std::size_t i = 0; i < out.size(); i += 2) {
    const auto pair = box_muller(philox(seed, stream, i / 2));
    out[i] = static_cast<float>(pair[0]);
    if (i + 1 < out.size()) out[i + 1] = static_cast<float>(pair[1]);
  }
}

}  // namespace thimble
