// G.722's two ADPCM bands, in the integer arithmetic and with the names of the Recommendation's section 6 (block 2L and
// 3L: scale factor, block 4: predictor), and the 24-tap quadrature mirror filter that joins them.
#include "voice/study/g722.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>

namespace thimble::voice {
namespace {

// Inverse quantisers: 6 bits for the sound, their upper 4 bits for the lower band's predictor, 2 bits for the upper
// band. The tables are built from the positive half, largest code first as the Recommendation orders the codes.
constexpr std::array<int, 30> kQuantiser6 = {24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192, 10232, 9360,
                                             8576,  7856,  7192,  6576,  6000,  5456,  4944,  4464,  4008,  3576,
                                             3168,  2776,  2400,  2032,  1688,  1360,  1040,  728,   432,   136};
constexpr std::array<int, 7> kQuantiser4 = {20456, 12896, 8968, 6288, 4240, 2584, 1200};
constexpr std::array<int, 4> kQuantiser2 = {-7408, -1616, 7408, 1616};

constexpr std::array<int, 8> kLogStepLow = {-60, 3042, 1198, 538, 334, 172, 58, -30};  // by magnitude of the 4-bit code
constexpr std::array<int, 2> kLogStepHigh = {798, -214};                               // large, small
constexpr std::array<int, 32> kInverseLog = {2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543,
                                             2599, 2656, 2714, 2774, 2834, 2896, 2960, 3025, 3091, 3158, 3228,
                                             3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008};
constexpr std::array<int, 12> kMirror = {3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11};

int saturate(int v) { return std::clamp(v, -32768, 32767); }

int sign(int v) { return v < 0 ? -1 : 1; }

int dequantise6(int code) {
  if (code < 4) return -136;  // codes that no encoder sends
  if (code < 32) return -kQuantiser6[static_cast<std::size_t>(code - 4)];
  if (code < 62) return kQuantiser6[static_cast<std::size_t>(code - 32)];
  return code == 62 ? -432 : -136;
}

int dequantise4(int code) {
  if (code == 0 || code == 15) return 0;
  if (code < 8) return -kQuantiser4[static_cast<std::size_t>(code - 1)];
  return kQuantiser4[static_cast<std::size_t>(code - 8)];
}

int log_step_low(int code4) {
  const int magnitude = code4 < 8 ? code4 : (code4 == 15 ? 0 : code4 - 7);
  return kLogStepLow[static_cast<std::size_t>(magnitude)];
}

// One band: adaptive step and the pole-zero predictor (two poles, six zeros).
class Band {
 public:
  Band(int step, int log_limit, int log_offset) : step_(step), log_limit_(log_limit), log_offset_(log_offset) {}

  int estimate() const { return estimate_; }
  int step() const { return step_; }

  void adapt_step(int change) {
    log_step_ = std::clamp((log_step_ * 127 >> 7) + change, 0, log_limit_);
    const int mantissa = kInverseLog[static_cast<std::size_t>(log_step_ >> 6 & 31)];
    const int shift = log_offset_ - (log_step_ >> 11);
    step_ = (shift < 0 ? mantissa << -shift : mantissa >> shift) << 2;
  }

  // `difference`: the dequantised difference that the predictor learns from.
  void predict(int difference) {
    const int reconstructed = saturate(estimate_ + difference);
    const int partial = saturate(zeros_estimate_ + difference);
    adapt_poles(partial);
    adapt_zeros(difference);
    std::rotate(differences_.rbegin(), differences_.rbegin() + 1, differences_.rend());
    differences_[0] = difference;
    reconstructed_[1] = reconstructed_[0];
    reconstructed_[0] = reconstructed;
    partial_[1] = partial_[0];
    partial_[0] = partial;

    int poles = 0;
    for (std::size_t i = 0; i < 2; ++i) poles += poles_[i] * saturate(2 * reconstructed_[i]) >> 15;
    int zeros = 0;
    for (std::size_t i = 0; i < 6; ++i) zeros += zeros_[i] * saturate(2 * differences_[i]) >> 15;
    zeros_estimate_ = saturate(zeros);
    estimate_ = saturate(saturate(poles) + zeros_estimate_);
  }

 private:
  void adapt_poles(int partial) {
    const int same1 = sign(partial) * sign(partial_[0]), same2 = sign(partial) * sign(partial_[1]);
    int first = saturate(4 * poles_[0]);
    first = std::min(same1 > 0 ? -first : first, 32767);
    const int second = (first >> 7) + (same2 > 0 ? 128 : -128) + (poles_[1] * 32512 >> 15);
    const int pole2 = std::clamp(second, -12288, 12288);
    const int limit = 15360 - pole2;
    poles_[0] = std::clamp((same1 > 0 ? 192 : -192) + (poles_[0] * 32640 >> 15), -limit, limit);
    poles_[1] = pole2;
  }

  void adapt_zeros(int difference) {
    for (std::size_t i = 0; i < 6; ++i) {
      const int move = difference == 0 ? 0 : 128 * sign(difference) * sign(differences_[i]);
      zeros_[i] = saturate(move + (zeros_[i] * 32640 >> 15));
    }
  }

  int step_, log_limit_, log_offset_;
  int log_step_ = 0, estimate_ = 0, zeros_estimate_ = 0;
  std::array<int, 2> poles_{}, reconstructed_{}, partial_{};
  std::array<int, 6> zeros_{}, differences_{};
};

}  // namespace

std::vector<double> decode_g722(std::span<const std::byte> bytes) {
  Band low(32, 18432, 8), high(8, 22528, 10);
  std::array<int, 24> history{};
  std::vector<double> out;
  out.reserve(2 * bytes.size());
  for (std::byte b : bytes) {
    const int code = std::to_integer<int>(b), code6 = code & 63, code4 = code6 >> 2, code2 = code >> 6;
    const int low_sound = std::clamp(low.estimate() + (low.step() * dequantise6(code6) >> 15), -16384, 16383);
    const int low_difference = low.step() * dequantise4(code4) >> 15;
    low.adapt_step(log_step_low(code4));
    low.predict(low_difference);

    const int high_difference = high.step() * kQuantiser2[static_cast<std::size_t>(code2)] >> 15;
    const int high_sound = std::clamp(high.estimate() + high_difference, -16384, 16383);
    high.adapt_step(kLogStepHigh[static_cast<std::size_t>(code2 & 1)]);
    high.predict(high_difference);

    std::copy(history.begin() + 2, history.end(), history.begin());
    history[22] = low_sound + high_sound;
    history[23] = low_sound - high_sound;
    int even = 0, odd = 0;
    for (std::size_t i = 0; i < 12; ++i) {
      odd += history[2 * i] * kMirror[i];
      even += history[2 * i + 1] * kMirror[11 - i];
    }
    out.push_back(saturate(even >> 11) / 32768.0);
    out.push_back(saturate(odd >> 11) / 32768.0);
  }
  return out;
}

}  // namespace thimble::voice
