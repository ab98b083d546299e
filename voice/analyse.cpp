// Recordings: everything known at once. Streams are in voice/stream.cpp.
#include "voice/analyse.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "voice/measure.h"

namespace thimble::voice {
namespace {

void check_sound(const dsp::Signal& sound, const dsp::MicArray& array, const Settings& settings) {
  if (sound.channels.size() != array.size())
    fail(ErrorKind::bad_input, "array {} has {} microphones, the sound has {} channels", array.name, array.size(),
         sound.channels.size());
  if (sound.rate < kLeastRate || sound.rate > kMostRate)
    fail(ErrorKind::bad_input, "sound of {} Hz; {} to {} Hz is understood", sound.rate, kLeastRate, kMostRate);
  dsp::check_signal(sound, {}, "the sound");
  const double seconds = static_cast<double>(sound.frames()) / sound.rate;
  if (seconds < settings.activity.min_seconds)
    fail(ErrorKind::bad_input, "{} samples are {:.2g} s of sound; at least {:.2f} s are needed", sound.frames(),
         seconds, settings.activity.min_seconds);
  if (dsp::is_silent(sound)) fail(ErrorKind::bad_input, "the sound is silent");
}

// Constant parts off (they would count as sound to the estimators that work on samples).
bool take_off_offset(dsp::Signal& sound) {
  bool found = false;
  for (auto& x : sound.channels) {
    double mean = 0;
    for (const double v : x) mean += v;
    mean /= static_cast<double>(x.size());
    if (std::abs(mean) > kOffset) found = true;
    for (double& v : x) v -= mean;
  }
  return found;
}

bool is_clipped(const dsp::Signal& sound) {
  for (const auto& x : sound.channels) {
    int run = 0;
    for (const double v : x) {
      run = std::abs(v) >= kFullScale ? run + 1 : 0;
      if (run >= kClippedRun) return true;
    }
  }
  return false;
}

std::vector<double> levels_of(const dsp::Spectrogram& spectra, int rate, std::size_t size) {
  std::vector<double> levels(spectra.frames);
  std::vector<dsp::Complex> all(spectra.channels * spectra.bins);
  for (std::size_t t = 0; t < spectra.frames; ++t) {
    for (std::size_t c = 0; c < spectra.channels; ++c) {
      const auto x = spectra.frame(c, t);
      std::copy(x.begin(), x.end(), all.begin() + static_cast<std::ptrdiff_t>(c * spectra.bins));
    }
    levels[t] = frame_level_db(all, spectra.channels, rate, size);
  }
  return levels;
}

}  // namespace

Observation analyse_utterance(const dsp::Signal& sound, const dsp::MicArray& array, const Settings& settings,
                              int device) {
  check_sound(sound, array, settings);
  const bool clipped = is_clipped(sound);
  dsp::Signal clean = sound;
  const bool offset = take_off_offset(clean);
  if (dsp::is_silent(clean)) fail(ErrorKind::bad_input, "the sound is silent but for a constant offset");
  Meter meter(array, clean.rate, settings);
  const dsp::Spectrogram spectra = meter.stft().analyse(clean);
  const std::vector<double> levels = levels_of(spectra, clean.rate, meter.stft().size());
  const std::vector<std::span<const double>> samples(clean.channels.begin(), clean.channels.end());
  Observation out = meter.measure(spectra, levels, samples);
  out.device = device;
  out.duration = static_cast<double>(clean.frames()) / clean.rate;
  out.clipped = clipped;
  out.offset = offset;
  return out;
}

std::vector<Observation> analyse(const dsp::Signal& sound, const dsp::MicArray& array, const Settings& settings,
                                 int device) {
  check_sound(sound, array, settings);
  Analyser analyser(array, sound.rate, settings, device);
  std::vector<float> block(sound.frames() * sound.channels.size());
  for (std::size_t t = 0; t < sound.frames(); ++t)
    for (std::size_t c = 0; c < sound.channels.size(); ++c)
      block[t * sound.channels.size() + c] = static_cast<float>(sound.channels[c][t]);
  std::vector<Observation> out = analyser.push(block);
  for (Observation& o : analyser.finish()) out.push_back(std::move(o));
  return out;
}

DirectionTrack track_direction(const dsp::Signal& sound, const dsp::MicArray& array, const Settings& settings,
                               double seconds) {
  check_sound(sound, array, settings);
  if (!(seconds > 0)) fail(ErrorKind::bad_input, "steps of {} s", seconds);
  Meter meter(array, sound.rate, settings);
  dsp::Signal clean = sound;
  take_off_offset(clean);
  const dsp::Spectrogram spectra = meter.stft().analyse(clean);
  const std::vector<double> levels = levels_of(spectra, sound.rate, meter.stft().size());
  Settings everything = settings;
  everything.direction.onset_share = 1;
  std::vector<bool> active(spectra.frames);
  for (const std::size_t t : choose_frames(levels, everything).active) active[t] = true;

  DirectionTrack track;
  track.map.assign(meter.finder().grid().size(), 0.0);
  const auto step = std::max<std::size_t>(1, static_cast<std::size_t>(std::lround(seconds / meter.hop_seconds())));
  double total = 0;
  for (std::size_t first = 0; first < spectra.frames; first += step) {
    meter.finder().reset();
    for (std::size_t t = first; t < std::min(first + step, spectra.frames); ++t)
      if (active[t]) meter.finder().add(spectra, t);
    track.time.push_back(static_cast<double>(first) * meter.hop_seconds());
    if (meter.finder().frames() * 2 < step) {
      track.azimuth.push_back(std::numeric_limits<double>::quiet_NaN());
      track.coherence.push_back(0);
      continue;
    }
    const dsp::DirectionPeak best = meter.peaks(1).front();
    const auto map = meter.finder().map();
    const auto weight = static_cast<double>(meter.finder().frames());
    for (std::size_t i = 0; i < map.size(); ++i) track.map[i] += weight * map[i];
    total += weight;
    track.azimuth.push_back(best.direction.azimuth);
    track.coherence.push_back(std::clamp(best.value, 0.0, 1.0));
  }
  if (total > 0)
    for (double& v : track.map) v /= total;
  return track;
}

}  // namespace thimble::voice
