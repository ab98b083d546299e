// A multichannel signal as the folder works on it: one vector a channel, double precision, full scale -1..1.
// Not here: files (media/wav.h).
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "media/wav.h"

namespace thimble::dsp {

struct Signal {
  int rate = 0;  // samples a second
  std::vector<std::vector<double>> channels;

  std::size_t frames() const { return channels.empty() ? 0 : channels.front().size(); }
};

Signal from_sound(const media::Sound& sound);
media::Sound to_sound(const Signal& signal);

struct SignalNeeds {
  int channels = 0;  // exactly so many; 0: any
  int rate = 0;      // exactly this; 0: any
  std::size_t frames = 1;
};

// bad_input, naming `what`, for: no or unequal channels, another count or rate than needed, too few frames, NaN or
// infinite samples (with channel and frame).
void check_signal(const Signal& signal, const SignalNeeds& needs, std::string_view what);

// Root mean square of one channel; 0 for an empty one.
double rms(std::span<const double> x);

// Every sample exactly 0, or under -120 dB of full scale.
bool is_silent(const Signal& signal);

}  // namespace thimble::dsp
