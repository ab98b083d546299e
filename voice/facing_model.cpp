#include "voice/facing_model.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>

#include "voice/pattern.h"

namespace thimble::voice {
namespace {

// 10 log10 of a positive normal number to 1e-8: the inner loop is made of it.
double to_db(double power) {
  const auto bits = std::bit_cast<std::uint64_t>(power);
  double exponent = static_cast<double>(static_cast<int>(bits >> 52) - 1023);
  double mantissa = std::bit_cast<double>((bits & 0xFFFFFFFFFFFFFULL) | 0x3FF0000000000000ULL);  // [1, 2)
  const bool upper = mantissa > std::numbers::sqrt2;
  mantissa = upper ? mantissa / 2 : mantissa;
  exponent += upper ? 1 : 0;
  // log m = 2 artanh((m - 1) / (m + 1))
  const double t = (mantissa - 1) / (mantissa + 1), u = t * t;
  const double log = 2 * t * (1 + u * (1.0 / 3 + u * (1.0 / 5 + u * (1.0 / 7 + u * (1.0 / 9)))));
  return 10 / std::numbers::ln10 * (exponent * std::numbers::ln2 + log);
}
// The noise that is taken off is known to about a tenth: relative variance over that of the fit.
constexpr double kNoiseError = 0.03;

double from_db(double db) { return std::pow(10.0, db / 10); }

}  // namespace

FacingModel::FacingModel(std::span<const Observation> observations, std::span<const DevicePose> poses,
                         const Settings& settings) {
  const FitSettings& fit = settings.fit;
  residual_variance_ = fit.residual_db * fit.residual_db;
  gain_variance_ = fit.gain_spread_db * fit.gain_spread_db;
  for (const DevicePose& pose : poses) places_.push_back(pose.position);
  for (std::size_t b = 0; b < kBands; ++b) {
    BandData data;
    data.band = static_cast<int>(b);
    data.weight = fit.band_weights[b];
    std::vector<bool> seen(observations.size());
    std::size_t devices = 0;
    for (std::size_t d = 0; d < observations.size(); ++d) {
      const Observation& o = observations[d];
      if (!o.hears(data.band)) continue;
      // The nearer a power is to the noise that was taken off it, the less it is worth.
      const double beam_noise =
          o.noise[b] *
          std::max(o.beam_diffuse[b], 1.0 / static_cast<double>(std::max<std::size_t>(1, poses[d].array.size())));
      const auto add = [&](double power, double noise, double diffuse, double weight) {
        if (!(power > 1e-200) || !(weight > 0)) return;
        const double noisy = fit.noise_penalty * noise / power;
        data.powers.push_back({d, to_db(power), diffuse, weight / (1 + kNoiseError * noisy * noisy)});
        if (!seen[d]) ++devices;
        seen[d] = true;
      };
      add(o.raw[b], o.noise[b], 1, fit.raw);
      add(o.beam[b], beam_noise, o.beam_diffuse[b], fit.beam);
      add(o.coherent[b], beam_noise, 0, fit.coherent);
      add(o.onset[b], beam_noise, 0, fit.onset);
    }
    if (devices < 2 || data.weight <= 0) continue;
    for (int i = 0; i < kLevels; ++i) {
      const double z = 2.5 * (2.0 * i / (kLevels - 1) - 1);
      data.reverberation.push_back(from_db(fit.reverberation_db[b] + z * fit.reverberation_spread_db));
      data.prior.push_back(0.5 * z * z);
    }
    bands_.push_back(std::move(data));
  }
}

double FacingModel::evaluate(const dsp::Vec3& mouth, double facing, std::vector<double>* gains) const {
  const VoicePattern& pattern = VoicePattern::shared();
  const std::size_t devices = places_.size();
  std::vector<double> angle(devices), near(devices), sums(devices), weights(devices);
  constexpr double kNearest = 0.25;  // metres: nearer than this the pattern's far field is none
  for (std::size_t d = 0; d < devices; ++d) {
    const dsp::Vec3 way = places_[d] - mouth;
    const double r = std::max(norm(way), kNearest);
    // The pattern is taken as round about the facing axis: the angle in space.
    angle[d] = std::acos(std::clamp((way.x * std::cos(facing) + way.y * std::sin(facing)) / r, -1.0, 1.0));
    near[d] = 1 / (r * r);
  }
  double cost = 0;
  std::vector<double> direct(devices), best, trial;
  for (const BandData& band : bands_) {
    for (std::size_t d = 0; d < devices; ++d) direct[d] = pattern.gain(band.band, angle[d]) * near[d];
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t level = 0; level < band.reverberation.size(); ++level) {
      trial.clear();
      double sum = 0, weight = 0;
      for (const Power& p : band.powers) {
        const double error = p.value_db - to_db(direct[p.device] + band.reverberation[level] * p.diffuse);
        trial.push_back(error);
        sum += p.weight * error;
        weight += p.weight;
      }
      const double mean = sum / weight;
      double squares = 0;
      for (std::size_t i = 0; i < trial.size(); ++i) {
        trial[i] -= mean;
        squares += band.powers[i].weight * trial[i] * trial[i];
      }
      const double value = band.weight * 0.5 * squares / residual_variance_ + band.prior[level];
      if (value >= least) continue;
      least = value;
      best = trial;
    }
    cost += least;
    for (std::size_t i = 0; i < best.size(); ++i) {
      sums[band.powers[i].device] += band.weight * band.powers[i].weight * best[i];
      weights[band.powers[i].device] += band.weight * band.powers[i].weight;
    }
  }
  // A gain error explains what all powers of a device share, as far as gains spread.
  for (std::size_t d = 0; d < devices; ++d) {
    if (weights[d] <= 0) continue;
    if (gains) (*gains)[d] = sums[d] / weights[d];
    if (gain_variance_ > 0)
      cost -= 0.5 * sums[d] * sums[d] / residual_variance_ / (weights[d] + residual_variance_ / gain_variance_);
  }
  return cost;
}

double FacingModel::cost(const dsp::Vec3& mouth, double facing) const { return evaluate(mouth, facing, nullptr); }

std::vector<double> FacingModel::residuals_db(const dsp::Vec3& mouth, double facing) const {
  std::vector<double> gains(places_.size());
  evaluate(mouth, facing, &gains);
  double mean = 0;
  for (const double g : gains) mean += g / static_cast<double>(gains.size());
  for (double& g : gains) g -= mean;
  return gains;
}

}  // namespace thimble::voice
