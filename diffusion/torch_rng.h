// PyTorch's CPU generator for torch.randn in f32: the Mersenne twister (Matsumoto and Nishimura 1998) and the two ways
// in which PyTorch makes normals of it. For pictures that are to be compared with those of other programs; Thimble's
// own generator is base/rng.h. Values agree to a few units in the last place: logarithm and sine are those of this
// machine.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

namespace thimble::diffusion {

class TorchRng {
 public:
  explicit TorchRng(std::uint64_t seed);  // torch.Generator().manual_seed(seed)

  // torch.randn(out.size()): 16 values or more are drawn in blocks of 16, fewer one by one. In the order of the
  // tensor's memory, which for latents of diffusers is (B, C, H, W).
  void randn(std::span<float> out);

  std::uint32_t next_u32();

 private:
  double uniform_double();
  float uniform_float();
  void fill_block(std::span<float, 16> block);

  std::array<std::uint32_t, 624> state_{};
  std::size_t index_ = 624;
  std::optional<double> waiting_;  // the second normal of a pair drawn one by one
};

}  // namespace thimble::diffusion
