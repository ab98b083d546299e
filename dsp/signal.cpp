#include "dsp/signal.h"

#include <cmath>

#include "base/error.h"

namespace thimble::dsp {

Signal from_sound(const media::Sound& sound) {
  const auto count = static_cast<std::size_t>(sound.channels);
  Signal signal{sound.rate, std::vector<std::vector<double>>(count, std::vector<double>(sound.frames()))};
  for (std::size_t c = 0; c < count; ++c)
    for (std::size_t t = 0; t < sound.frames(); ++t) signal.channels[c][t] = sound.samples[t * count + c];
  return signal;
}

media::Sound to_sound(const Signal& signal) {
  const std::size_t count = signal.channels.size(), frames = signal.frames();
  media::Sound sound{signal.rate, static_cast<int>(count), std::vector<float>(count * frames)};
  for (std::size_t c = 0; c < count; ++c) {
    if (signal.channels[c].size() != frames) {
      fail(ErrorKind::bad_input, "channel {} has {} samples, channel 1 has {}", c + 1, signal.channels[c].size(),
           frames);
    }
    for (std::size_t t = 0; t < frames; ++t) sound.samples[t * count + c] = static_cast<float>(signal.channels[c][t]);
  }
  return sound;
}

void check_signal(const Signal& signal, const SignalNeeds& needs, std::string_view what) {
  const std::size_t count = signal.channels.size(), frames = signal.frames();
  if (signal.rate <= 0) fail(ErrorKind::bad_input, "{}: a sample rate of {} Hz", what, signal.rate);
  if (count == 0) fail(ErrorKind::bad_input, "{}: no channels", what);
  if (needs.channels != 0 && count != static_cast<std::size_t>(needs.channels))
    fail(ErrorKind::bad_input, "{}: {} channels were wanted, {} came", what, needs.channels, count);
  if (needs.rate != 0 && signal.rate != needs.rate)
    fail(ErrorKind::bad_input, "{}: {} Hz were wanted, {} Hz came; resample first", what, needs.rate, signal.rate);
  if (frames < needs.frames)
    fail(ErrorKind::bad_input, "{}: at least {} samples a channel were wanted, {} came", what, needs.frames, frames);
  for (std::size_t c = 0; c < count; ++c) {
    const auto& x = signal.channels[c];
    if (x.size() != frames) {
      fail(ErrorKind::bad_input, "{}: channel {} has {} samples, channel 1 has {}", what, c + 1, x.size(), frames);
    }
    for (std::size_t t = 0; t < frames; ++t) {
      if (!std::isfinite(x[t])) fail(ErrorKind::bad_input, "{}: channel {}, sample {} is {}", what, c + 1, t, x[t]);
    }
  }
}

double rms(std::span<const double> x) {
  double sum = 0;
  for (const double v : x) sum += v * v;
  return x.empty() ? 0 : std::sqrt(sum / static_cast<double>(x.size()));
}

bool is_silent(const Signal& signal) {
  constexpr double kFloor = 1e-6;  // -120 dB
  for (const auto& x : signal.channels)
    for (const double v : x)
      if (!(std::abs(v) < kFloor)) return false;
  return true;
}

}  // namespace thimble::dsp
