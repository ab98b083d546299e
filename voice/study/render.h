// A scene's sound: a talker's dry speech through a room to the microphones of all devices, with noise and gain errors,
// and the truth that the oracle reads.
#pragma once

#include <span>
#include <vector>

#include "dsp/room/render.h"
#include "dsp/signal.h"
#include "voice/bands.h"
#include "voice/scene.h"
#include "voice/study/sampler.h"

namespace thimble::voice {

struct RenderSetup {
  dsp::room::Shoebox room;
  dsp::room::Directivity pattern;
  double lead = 0.4;   // seconds of silence (noise alone) before the speech ...
  double trail = 0.2;  // ... and after its reverberation
  int order = 10;      // of the image sources; a diffuse tail follows
  double snr_db = 25;  // at device `reference`
  dsp::room::NoiseKind noise = dsp::room::NoiseKind::white;
  int reference = 0;
  std::vector<double> gains_db = {};  // one a device; empty: none
  std::uint64_t seed = 0;
};

struct Rendered {
  std::vector<dsp::Signal> devices;  // one a device of the scene, its microphones as channels, at kCorpusRate
  std::vector<BandPowers> direct;    // of the direct sound alone at the devices' origins, without gain error; mean
                                     // squares over the speech's length
};

// `speech` at kCorpusRate. The scene must have a talker and a room.
Rendered render_scene(const Scene& scene, std::span<const double> speech, const RenderSetup& setup, ThreadPool& pool);

RenderSetup setup_of(const Configuration& configuration, const SamplerOptions& options);

// Mean square of each band of bands.h, from the spectrum of the whole.
BandPowers band_powers(std::span<const double> x, int rate);

}  // namespace thimble::voice
