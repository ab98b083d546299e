#include "dsp/room/render.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/rng.h"
#include "dsp/convolve.h"
#include "dsp/fft.h"

namespace thimble::dsp::room {
namespace {

// Power density over frequency, up to a factor.
double density(NoiseKind kind, double frequency) {
  switch (kind) {
    case NoiseKind::white: return 1;
    case NoiseKind::pink: return 1 / std::max(frequency, 20.0);
    case NoiseKind::speech_shaped: break;
  }
  constexpr double kLevels[5] = {72.5, 74, 68, 62, 57};  // octaves from 250 Hz
  const double place = std::log2(std::max(frequency, 1.0) / 250), at = std::clamp(place, 0.0, 4.0);
  const auto low = static_cast<std::size_t>(std::min(at, 3.0));
  const double level = kLevels[low] + (at - static_cast<double>(low)) * (kLevels[low + 1] - kLevels[low]);
  return std::pow(10, (level - 6 * std::abs(place - at)) / 10) /
         std::max(frequency, 1.0);  // an octave's width grows with f
}

std::size_t lasting(const Voice& voice, int rate) {
  return static_cast<std::size_t>(std::llround(voice.start * rate)) + voice.signal.size();
}

void check_voices(std::span<const Voice> voices, const RenderOptions& options,
                  std::span<const Microphone> microphones) {
  for (std::size_t v = 0; v < voices.size(); ++v) {
    if (voices[v].signal.empty()) fail(ErrorKind::bad_input, "render: the signal of source {} is empty", v);
    for (const double x : voices[v].signal) {
      if (!std::isfinite(x)) fail(ErrorKind::bad_input, "render: the signal of source {} holds NaN or infinity", v);
    }
    if (!(voices[v].start >= 0 && voices[v].start <= 3600))
      fail(ErrorKind::bad_input, "render: source {} starts at {} s; 0..3600 are possible", v, voices[v].start);
    if (voices[v].signal.size() > std::size_t{1} << 28)
      fail(ErrorKind::bad_input, "render: the signal of source {} has {} samples; at most 2^28 are possible", v,
           voices[v].signal.size());
  }
  for (const auto& m : microphones) {
    if (m.device < 0) fail(ErrorKind::bad_input, "render: device {} of a microphone; devices count from 0", m.device);
    if (!options.gains_db.empty() && static_cast<std::size_t>(m.device) >= options.gains_db.size())
      fail(ErrorKind::bad_input, "render: {} gains, but a microphone belongs to device {}", options.gains_db.size(),
           m.device);
  }
  for (const double g : options.gains_db) {
    if (!(std::abs(g) <= 120)) fail(ErrorKind::bad_input, "render: a gain of {} dB is outside -120..120", g);
  }
  if (!options.noise) return;
  if (!(options.noise->snr_db >= -100 && options.noise->snr_db <= 200))
    fail(ErrorKind::bad_input, "render: a signal-to-noise ratio of {} dB is outside -100..200", options.noise->snr_db);
  if (std::none_of(microphones.begin(), microphones.end(),
                   [&](const auto& m) { return m.device == options.noise->reference; }))
    fail(ErrorKind::bad_input, "render: the noise refers to device {}, which has no microphone",
         options.noise->reference);
}

double mean_power(std::span<const double> x) {
  double sum = 0;
  for (const double v : x) sum += v * v;
  return x.empty() ? 0 : sum / static_cast<double>(x.size());
}

void add_noise(Signal& out, std::span<const Microphone> microphones, const Noise& noise) {
  double power = 0;
  int count = 0;
  for (std::size_t m = 0; m < microphones.size(); ++m) {
    if (microphones[m].device != noise.reference) continue;
    power += mean_power(out.channels[m]);
    ++count;
  }
  const double scale = std::sqrt(power / count * std::pow(10, -noise.snr_db / 10));
  for (std::size_t m = 0; m < out.channels.size(); ++m) {
    const auto n = make_noise(noise.kind, out.channels[m].size(), out.rate, noise.seed, m);
    for (std::size_t t = 0; t < n.size(); ++t) out.channels[m][t] += scale * n[t];
  }
}

}  // namespace

std::vector<double> make_noise(NoiseKind kind, std::size_t count, int rate, std::uint64_t seed, std::uint64_t stream) {
  if (count > kMaxFftSize / 2)
    fail(ErrorKind::bad_input, "noise: {} samples were asked for, at most {} are possible", count, kMaxFftSize / 2);
  std::vector<double> out(count);
  Rng rng(seed, stream);
  if (kind == NoiseKind::white) {
    for (double& x : out) x = rng.normal();
    return out;
  }
  const RealFft fft(good_fft_size(std::max<std::size_t>(count, 2)));
  auto scratch = fft.make_scratch();
  std::vector<Complex> bins(fft.bins());
  double power = 0;
  for (std::size_t k = 1; k < bins.size(); ++k) {
    const double d = density(kind, static_cast<double>(k) * rate / static_cast<double>(fft.size()));
    const double re = rng.normal(), im = rng.normal();
    bins[k] = std::sqrt(d) * Complex(re, im);
    power += 4 * d;  // of this bin and its mirror image
  }
  const double scale = static_cast<double>(fft.size()) / std::sqrt(power);
  for (Complex& b : bins) b *= scale;
  std::vector<double> all(fft.size());
  fft.inverse(bins, all, scratch);
  std::copy_n(all.begin(), count, out.begin());
  return out;
}

Signal simulate(const Shoebox& room, std::span<const Voice> voices, std::span<const Microphone> microphones,
                const RenderOptions& options, ThreadPool& pool) {
  std::vector<Source> sources;
  for (const Voice& v : voices) sources.push_back(v.source);
  check_voices(voices, options, microphones);
  const int rate = options.simulation.rate;
  const Responses responses = impulse_responses(room, sources, microphones, options.simulation, pool);

  std::size_t frames = 0;
  for (std::size_t v = 0; v < voices.size(); ++v) {
    for (std::size_t m = 0; m < microphones.size(); ++m)
      frames = std::max(frames, lasting(voices[v], rate) + responses.at(v, m).size() - 1 - kResponseLead);
  }
  const double bytes = static_cast<double>(frames) * static_cast<double>(microphones.size()) * sizeof(double);
  if (bytes > static_cast<double>(kMaxResponseBytes))
    fail(ErrorKind::bad_input, "render: the recordings would take {:.1f} GiB, at most {} are possible",
         bytes / (1 << 30), kMaxResponseBytes >> 30);

  Signal out{rate, std::vector<std::vector<double>>(microphones.size(), std::vector<double>(frames))};
  for (std::size_t m = 0; m < microphones.size(); ++m) {
    for (std::size_t v = 0; v < voices.size(); ++v) {
      const std::vector<double> heard = convolve(voices[v].signal, responses.at(v, m));
      const auto at = std::llround(voices[v].start * rate) - kResponseLead;
      for (std::size_t t = 0; t < heard.size(); ++t) {
        const auto to = at + static_cast<std::ptrdiff_t>(t);
        if (to >= 0) out.channels[m][static_cast<std::size_t>(to)] += heard[t];
      }
    }
  }
  if (options.noise) add_noise(out, microphones, *options.noise);
  if (!options.gains_db.empty()) {
    for (std::size_t m = 0; m < microphones.size(); ++m) {
      const double gain = std::pow(10, options.gains_db[static_cast<std::size_t>(microphones[m].device)] / 20);
      for (double& x : out.channels[m]) x *= gain;
    }
  }
  return out;
}

std::vector<double> draw_gains_db(std::size_t devices, double spread_db, std::uint64_t seed) {
  if (!(spread_db >= 0 && spread_db <= 60))
    fail(ErrorKind::bad_input, "gains: a spread of {} dB is outside 0..60", spread_db);
  Rng rng(seed);
  std::vector<double> out(devices);
  for (double& g : out) g = rng.uniform(-spread_db, spread_db);
  return out;
}

}  // namespace thimble::dsp::room
