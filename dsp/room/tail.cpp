// The diffuse tail: Gaussian noise with the coherence of a diffuse field, shaped by band, joined to the image sources.
#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>

#include "base/error.h"
#include "base/rng.h"
#include "dsp/fft.h"
#include "dsp/room/plan.h"

namespace thimble::dsp::room {
namespace {

constexpr double kAmplitude60 = 3 * std::numbers::ln10;  // 60 dB in nepers of amplitude

// Rows of the Cholesky factor of sinc(2 f d / c) between microphones, packed (0,0), (1,0), (1,1), ... The small part on
// the diagonal keeps it regular where all are nearly one.
void coherence_factor(std::span<const double> distances, std::size_t count, double wave_number,
                      std::vector<double>& factor) {
  factor.resize(count * (count + 1) / 2);
  const auto at = [](std::size_t i, std::size_t j) { return i * (i + 1) / 2 + j; };
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      const double x = wave_number * distances[i * count + j];
      double v = i == j ? 1 + 1e-6 : x < 1e-6 ? 1 : std::sin(x) / x;
      for (std::size_t k = 0; k < j; ++k) v -= factor[at(i, k)] * factor[at(j, k)];
      factor[at(i, j)] = i == j ? std::sqrt(std::max(v, 1e-9)) : v / factor[at(j, j)];
    }
  }
}

// Spectra (microphone, bin) of stationary noise, unit power a sample.
std::vector<std::vector<Complex>> diffuse_noise(std::span<const Vec3> places, double speed, const RealFft& fft,
                                                int rate, std::uint64_t seed, std::uint64_t stream) {
  const std::size_t count = places.size();
  std::vector<std::vector<Complex>> out(count, std::vector<Complex>(fft.bins()));
  std::vector<double> distances, factor;
  for (const Vec3& a : places) {
    for (const Vec3& b : places) distances.push_back(norm(a - b));
  }
  std::vector<Rng> rngs;
  for (std::size_t m = 0; m < count; ++m) rngs.emplace_back(seed, (stream << 16) + m);
  const double scale = std::sqrt(static_cast<double>(fft.size()) / 2);
  std::vector<Complex> drawn(count);
  for (std::size_t k = 1; k < fft.bins(); ++k) {  // without an offset
    for (std::size_t m = 0; m < count; ++m) {
      const double re = rngs[m].normal();
      drawn[m] = scale * Complex(re, rngs[m].normal());
    }
    const double frequency = static_cast<double>(k) * rate / static_cast<double>(fft.size());
    coherence_factor(distances, count, 2 * std::numbers::pi * frequency / speed, factor);
    for (std::size_t m = 0, f = 0; m < count; ++m) {
      for (std::size_t j = 0; j <= m; ++j, ++f) out[m][k] += factor[f] * drawn[j];
    }
  }
  return out;
}

// Takes chance out of the power of a group's noise: over windows of `step` samples their mean power becomes `power`, so
// that even a narrow band, whose power wanders, falls along the line asked for.
void even_out(std::vector<std::vector<double>>& noise, std::size_t step, double power) {
  const std::size_t length = noise.front().size(), centres = length / step + 2;
  for (int round = 0; round < 3; ++round) {
    std::vector<double> sums(centres), weights(centres);
    for (std::size_t t = 0; t < length; ++t) {
      double now = 0;
      for (const auto& n : noise) now += n[t] * n[t] / static_cast<double>(noise.size());
      const std::size_t i = t / step;
      const double right = static_cast<double>(t % step) / static_cast<double>(step);
      sums[i] += (1 - right) * now;
      weights[i] += 1 - right;
      sums[i + 1] += right * now;
      weights[i + 1] += right;
    }
    std::vector<double> gains(centres, 1.0);
    for (std::size_t i = 0; i < centres; ++i) {
      if (sums[i] > 0) gains[i] = std::clamp(std::sqrt(power * weights[i] / sums[i]), 0.5, 2.0);
    }
    for (auto& n : noise) {
      for (std::size_t t = 0; t < length; ++t) {
        const std::size_t i = t / step;
        n[t] *= gains[i] + (gains[i + 1] - gains[i]) * static_cast<double>(t % step) / static_cast<double>(step);
      }
    }
  }
}

struct Joint {
  std::size_t start = 0, fade = 0;  // samples of a response
  std::size_t from = 0, to = 0;     // where the images' energy sets the level
};

class Tail {
 public:
  Tail(const Shoebox& room, const SimulationOptions& options, std::size_t longest)
      : room_(room),
        options_(options),
        longest_(longest),
        grid_(options.rate, false),
        fft_(good_fft_size(2 * longest)),
        scratch_(fft_.make_scratch()),
        signal_(fft_.size()),
        bins_(fft_.bins()),
        rt60_(grid_.spread(options.tail->rt60)) {
    for (std::size_t b = 0; b < grid_.size(); ++b) weights_.push_back(grid_.weights(b, fft_.size()));
    // The lowest band reaches down to 0 Hz, where images pile up into an offset that must not set the noise's level.
    const double octave = static_cast<double>(fft_.size()) * grid_.low(0) / options.rate;  // bin of its lower edge
    for (std::size_t k = 0; k < weights_[0].values.size() && static_cast<double>(k) < octave; ++k) {
      const double rise = std::max(0.0, 2 * static_cast<double>(k) / octave - 1);  // from half the edge on
      weights_[0].values[k] *= 0.5 - 0.5 * std::cos(std::numbers::pi * rise);
    }
  }

  // Microphones of one device.
  void add(std::span<const Vec3> places, std::span<std::vector<double>* const> responses, std::span<const Joint> joints,
           std::uint64_t stream) {
    std::vector<std::vector<Complex>> images;
    for (const auto* h : responses) {
      std::copy(h->begin(), h->end(), signal_.begin());
      std::fill(signal_.begin() + static_cast<std::ptrdiff_t>(h->size()), signal_.end(), 0.0);
      images.emplace_back(fft_.bins());
      fft_.forward(signal_, images.back(), scratch_);
    }
    // Bands that overlap have noise of their own, so that their powers add up whatever their levels are.
    const std::vector<std::vector<Complex>> noise[2] = {
        diffuse_noise(places, room_.sound_speed, fft_, options_.rate, options_.tail->seed, 2 * stream),
        diffuse_noise(places, room_.sound_speed, fft_, options_.rate, options_.tail->seed, 2 * stream + 1)};
    for (std::size_t m = 0; m < responses.size(); ++m) fade_images(*responses[m], joints[m]);

    for (std::size_t b = 0; b < grid_.size(); ++b) {
      double power = 0;
      for (std::size_t m = 0; m < responses.size(); ++m) {
        filter(images[m], b);
        power += level(joints[m], rt60_[b]) / static_cast<double>(responses.size());
      }
      double share = 0;  // of the band in white noise
      for (const double w : weights_[b].values) share += 2 * w / static_cast<double>(fft_.size());
      std::vector<std::vector<double>> band;
      for (std::size_t m = 0; m < responses.size(); ++m) {
        filter(noise[b % 2][m], b);
        band.emplace_back(signal_.begin(), signal_.begin() + static_cast<std::ptrdiff_t>(longest_));
      }
      const double decay = rt60_[b] * options_.rate;
      even_out(band, std::max<std::size_t>(4, static_cast<std::size_t>(decay / 12)), share);
      for (std::size_t m = 0; m < responses.size(); ++m)
        mix(*responses[m], band[m], joints[m], std::sqrt(power / share), decay);
    }
  }

 private:
  // Into signal_, with the power of the band's weight.
  void filter(const std::vector<Complex>& spectrum, std::size_t band) {
    std::fill(bins_.begin(), bins_.end(), Complex{});
    const BandWeights& w = weights_[band];
    for (std::size_t k = 0; k < w.values.size(); ++k)
      bins_[w.first + k] = std::sqrt(w.values[k]) * spectrum[w.first + k];
    fft_.inverse(bins_, signal_, scratch_);
  }

  // Power of the filtered images at the joint: their energy around it, over that of the decay asked for.
  double level(const Joint& joint, double rt60) const {
    double energy = 0, model = 0;
    for (std::size_t t = joint.from; t < joint.to; ++t) {
      const double after = static_cast<double>(t) - static_cast<double>(joint.start);
      energy += signal_[t] * signal_[t];
      model += std::exp(-2 * kAmplitude60 * after / (rt60 * options_.rate));
    }
    return energy / model;
  }

  static double fade_phase(const Joint& joint, std::size_t t) {
    const double x =
        (static_cast<double>(t) - static_cast<double>(joint.start)) / static_cast<double>(joint.fade) + 0.5;
    return std::numbers::pi / 2 * std::clamp(x, 0.0, 1.0);
  }
  static void fade_images(std::vector<double>& h, const Joint& joint) {
    for (std::size_t t = joint.start - joint.fade / 2 - 1; t < h.size(); ++t) h[t] *= std::cos(fade_phase(joint, t));
  }
  static void mix(std::vector<double>& h, const std::vector<double>& noise, const Joint& joint, double gain,
                  double decay) {
    for (std::size_t t = joint.start - joint.fade / 2 - 1; t < h.size(); ++t) {
      const double after = static_cast<double>(t) - static_cast<double>(joint.start);
      h[t] += gain * std::exp(-kAmplitude60 * after / decay) * std::sin(fade_phase(joint, t)) * noise[t];
    }
  }

  const Shoebox& room_;
  const SimulationOptions& options_;
  std::size_t longest_;  // samples of the longest response
  BandGrid grid_;
  RealFft fft_;
  std::vector<Complex> scratch_;
  std::vector<double> signal_;
  std::vector<Complex> bins_;
  std::vector<double> rt60_;
  std::vector<BandWeights> weights_;
};

}  // namespace

void add_tail(const Shoebox& room, const Source& source, std::uint64_t source_index,
              std::span<const Microphone> microphones, std::span<std::vector<double>> responses,
              const SimulationOptions& options) {
  std::size_t longest = 0;
  for (const auto& h : responses) longest = std::max(longest, h.size());
  Tail tail(room, options, longest);

  std::map<int, std::vector<std::size_t>> devices;
  for (std::size_t m = 0; m < microphones.size(); ++m) devices[microphones[m].device].push_back(m);
  const double rate = options.rate;
  for (const auto& [device, members] : devices) {
    std::vector<Vec3> places;
    std::vector<std::vector<double>*> own;
    std::vector<Joint> joints;
    for (const std::size_t m : members) {
      const double direct = norm(source.position - microphones[m].position) / room.sound_speed;
      const double start = tail_start(room, direct, options);
      Joint joint;
      joint.start = static_cast<std::size_t>(start * rate) + kResponseLead;
      joint.fade = static_cast<std::size_t>(std::min(kTailFade, start - direct) * rate);
      joint.from = joint.start - static_cast<std::size_t>(std::min(kTailReach, start - direct - 0.002) * rate);
      joint.to = joint.start + static_cast<std::size_t>(kTailReach * rate);
      places.push_back(microphones[m].position);
      own.push_back(&responses[m]);
      joints.push_back(joint);
    }
    tail.add(places, own, joints, (source_index << 32) + static_cast<std::uint64_t>(members.front()));
  }
}

}  // namespace thimble::dsp::room
