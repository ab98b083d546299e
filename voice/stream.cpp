// Streams: finds where utterances start and end, keeps their frames, and measures them when they end.
#include <algorithm>
#include <cmath>
#include <deque>

#include "base/error.h"
#include "voice/analyse.h"
#include "voice/measure.h"

namespace thimble::voice {
namespace {

constexpr std::size_t kStartFrames = 3;  // loud frames in a row that start an utterance
constexpr double kNoiseFall = 0.3;       // share of the way down to a quieter frame
constexpr double kNoiseRise = 3;         // dB a second upwards
constexpr double kQuietest = -80;        // dB as frame_level_db has them; noise under it counts as this much
constexpr double kTrackSeconds = 0.25;   // of the direction shown while speaking

struct Frame {
  std::vector<dsp::Complex> spectra;  // (M, bins)
  double level = 0;
};

}  // namespace

struct Analyser::Impl {
  Impl(dsp::MicArray array, int rate, const Settings& s, int id)
      : settings(s), device(id), mics(array.size()), meter(std::move(array), rate, s), samples(mics) {
    scratch = meter.stft().make_scratch();
  }

  std::size_t frames_in(double seconds) const {
    return std::max<std::size_t>(1, static_cast<std::size_t>(std::lround(seconds / meter.hop_seconds())));
  }

  // One frame from the last size() samples.
  void take_frame(std::vector<Observation>& out) {
    const std::size_t size = meter.stft().size(), bins = meter.stft().bins();
    Frame frame{std::vector<dsp::Complex>(mics * bins), 0};
    for (std::size_t m = 0; m < mics; ++m)
      meter.stft().frame(std::span(samples[m]).last(size), std::span(frame.spectra).subspan(m * bins, bins), scratch);
    frame.level = frame_level_db(frame.spectra, mics, meter.rate(), size);
    const double level = frame.level;
    frames.push_back(std::move(frame));

    if (!noise_seen) noise = level;
    noise_seen = true;
    if (level < noise)
      noise += kNoiseFall * (level - noise);
    else if (!speaking)
      noise += std::min(level - noise, kNoiseRise * meter.hop_seconds());
    noise = std::max(noise, kQuietest);

    if (!speaking) {
      loud = level > noise + settings.activity.start_db ? loud + 1 : 0;
      if (loud >= kStartFrames) {
        speaking = true;
        quiet = 0;
        peak = level;
      }
    } else {
      peak = std::max(peak, level);
      const bool silent = level < std::max(noise + settings.activity.end_db, peak - settings.activity.range_db);
      quiet = silent ? quiet + 1 : 0;
      const bool too_long = frames.size() >= frames_in(settings.activity.max_seconds);
      if (too_long) {  // perhaps no voice but a new noise: what was quiet in it is the noise from now on
        std::vector<double> levels;
        for (const Frame& f : frames) levels.push_back(f.level);
        std::nth_element(levels.begin(), levels.begin() + static_cast<std::ptrdiff_t>(levels.size() / 5), levels.end());
        noise = levels[levels.size() / 5];
      }
      if (too_long || quiet >= frames_in(settings.activity.hang_seconds)) end_utterance(out);
    }
    if (!speaking) {
      const std::size_t keep = frames_in(settings.activity.preroll_seconds) + kStartFrames;
      while (frames.size() > keep) frames.pop_front();
      drop_samples();
    }
  }

  // Keeps the samples of the frames that are kept.
  void drop_samples() {
    const std::size_t keep = frames.size() * meter.stft().hop() + meter.stft().size();
    if (samples[0].size() < 2 * keep) return;  // not at every frame
    for (auto& x : samples) x.erase(x.begin(), x.end() - static_cast<std::ptrdiff_t>(keep));
  }

  void end_utterance(std::vector<Observation>& out) {
    speaking = false;
    loud = 0;
    const std::size_t bins = meter.stft().bins(), hop = meter.stft().hop();
    std::vector<double> levels;
    for (const Frame& f : frames) levels.push_back(f.level);
    const double active = static_cast<double>(choose_frames(levels, settings).active.size()) * meter.hop_seconds();
    if (active >= settings.activity.min_seconds) {
      dsp::Spectrogram spectra(mics, frames.size(), bins);
      for (std::size_t t = 0; t < frames.size(); ++t)
        for (std::size_t m = 0; m < mics; ++m)
          std::copy_n(frames[t].spectra.begin() + static_cast<std::ptrdiff_t>(m * bins), bins,
                      spectra.frame(m, t).begin());
      const std::size_t span = std::min(samples[0].size(), frames.size() * hop + meter.stft().size() - hop);
      std::vector<std::span<const double>> sounds;
      for (const auto& x : samples) sounds.push_back(std::span(x).last(span));
      Observation o = meter.measure(spectra, levels, sounds);
      o.device = device;
      o.utterance = ++utterances;
      o.duration = static_cast<double>(span) / meter.rate();
      o.start = std::max(0.0, static_cast<double>(seen) / meter.rate() - o.duration);
      o.clipped = clipped;
      for (const auto& x : sounds) {
        double mean = 0;
        for (const double v : x) mean += v;
        o.offset = o.offset || std::abs(mean) > kOffset * static_cast<double>(x.size());
      }
      out.push_back(o);
    }
    clipped = false;
    frames.clear();
    drop_samples();
  }

  const Settings settings;
  const int device;
  const std::size_t mics;
  Meter meter;
  std::vector<std::vector<double>> samples;  // the latest, by microphone
  std::deque<Frame> frames;                  // of the utterance and what was before it
  dsp::Stft::Scratch scratch;
  std::uint64_t seen = 0, bad = 0;  // sample times, samples
  std::uint32_t utterances = 0;
  std::size_t pending = 0;  // sample times since the last frame
  std::size_t loud = 0, quiet = 0;
  std::vector<int> runs;  // of full-scale samples by microphone
  double noise = 0, peak = 0;
  bool noise_seen = false, speaking = false, clipped = false;
};

Analyser::Analyser(dsp::MicArray array, int rate, const Settings& settings, int device) {
  if (rate < kLeastRate || rate > kMostRate)
    fail(ErrorKind::bad_input, "a stream of {} Hz; {} to {} Hz is understood", rate, kLeastRate, kMostRate);
  impl_ = std::make_unique<Impl>(std::move(array), rate, settings, device);
  impl_->runs.assign(impl_->mics, 0);
  // So that the first frame comes after one hop: what was before the stream counts as silence.
  for (auto& x : impl_->samples) x.assign(impl_->meter.stft().size() - impl_->meter.stft().hop(), 0.0);
}
Analyser::~Analyser() = default;
Analyser::Analyser(Analyser&&) noexcept = default;
Analyser& Analyser::operator=(Analyser&&) noexcept = default;

std::vector<Observation> Analyser::push(std::span<const float> interleaved) {
  Impl& s = *impl_;
  if (interleaved.size() % s.mics != 0)
    fail(ErrorKind::bad_input, "a block of {} samples is not a whole number of frames of {} channels",
         interleaved.size(), s.mics);
  std::vector<Observation> out;
  const std::size_t hop = s.meter.stft().hop();
  for (std::size_t i = 0; i < interleaved.size(); i += s.mics) {
    for (std::size_t m = 0; m < s.mics; ++m) {
      double v = interleaved[i + m];
      if (!std::isfinite(v)) {
        v = 0;
        ++s.bad;
      }
      s.runs[m] = std::abs(v) >= kFullScale ? s.runs[m] + 1 : 0;
      s.clipped = s.clipped || s.runs[m] >= kClippedRun;
      s.samples[m].push_back(v);
    }
    ++s.seen;
    if (++s.pending == hop) {
      s.pending = 0;
      s.take_frame(out);
    }
  }
  return out;
}

std::vector<Observation> Analyser::finish() {
  std::vector<Observation> out;
  if (impl_->speaking) impl_->end_utterance(out);
  return out;
}

bool Analyser::speaking() const { return impl_->speaking; }
double Analyser::time() const { return static_cast<double>(impl_->seen) / impl_->meter.rate(); }
std::uint64_t Analyser::bad_samples() const { return impl_->bad; }

std::optional<double> Analyser::current_azimuth() const {
  Impl& s = *impl_;
  if (!s.speaking || s.frames.empty()) return std::nullopt;
  const std::size_t count = std::min(s.frames.size(), s.frames_in(kTrackSeconds)), bins = s.meter.stft().bins();
  dsp::Spectrogram latest(s.mics, count, bins);
  double loudest = -1e300;
  for (std::size_t t = 0; t < count; ++t) {
    const Frame& f = s.frames[s.frames.size() - count + t];
    loudest = std::max(loudest, f.level);
    for (std::size_t m = 0; m < s.mics; ++m)
      std::copy_n(f.spectra.begin() + static_cast<std::ptrdiff_t>(m * bins), bins, latest.frame(m, t).begin());
  }
  if (loudest < s.noise + s.settings.activity.end_db) return std::nullopt;
  s.meter.finder().reset();
  s.meter.finder().add_all(latest);
  return s.meter.peaks(1).front().direction.azimuth;
}

}  // namespace thimble::voice
