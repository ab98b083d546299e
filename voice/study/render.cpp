#include "voice/study/render.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "dsp/convolve.h"
#include "dsp/fft.h"
#include "dsp/room/decay.h"
#include "voice/study/corpus.h"

namespace thimble::voice {
namespace room = dsp::room;
namespace {

std::vector<room::Microphone> microphones_of(const Scene& scene) {
  std::vector<room::Microphone> all;
  for (std::size_t d = 0; d < scene.devices.size(); ++d) {
    for (const dsp::Vec3& place : scene.devices[d].microphones()) {
      all.push_back({.position = place, .device = static_cast<int>(d)});
    }
  }
  return all;
}

room::Source source_of(const Talker& talker, const room::Directivity& pattern) {
  return {talker.position, dsp::unit_vector({talker.facing, 0}), pattern};
}

std::vector<BandPowers> direct_powers(const Scene& scene, std::span<const double> speech, const RenderSetup& setup,
                                      ThreadPool& pool) {
  std::vector<room::Microphone> origins;
  for (const Device& device : scene.devices) origins.push_back({.position = device.position});
  const room::Source source = source_of(*scene.talker, setup.pattern);
  const auto responses =
      room::impulse_responses(setup.room, {&source, 1}, origins, {.rate = kCorpusRate, .order = 0}, pool);
  std::vector<BandPowers> powers;
  for (std::size_t d = 0; d < origins.size(); ++d) {
    const std::vector<double> heard = dsp::convolve(speech, responses.at(0, d));
    powers.push_back(band_powers(heard, kCorpusRate));
    // Mean over the speech, not over what the convolution added.
    for (double& p : powers.back()) p *= static_cast<double>(heard.size()) / static_cast<double>(speech.size());
  }
  return powers;
}

}  // namespace

Rendered render_scene(const Scene& scene, std::span<const double> speech, const RenderSetup& setup, ThreadPool& pool) {
  check_scene(scene);
  if (!scene.talker || !scene.room) fail(ErrorKind::bad_input, "to be simulated a scene needs a room and a talker");
  if (speech.empty()) fail(ErrorKind::bad_input, "there is no speech to be simulated");

  room::RenderOptions options;
  options.simulation = {.rate = kCorpusRate, .order = setup.order};
  room::DiffuseTail tail{.rt60 = {}, .seed = setup.seed};
  for (std::size_t band = 0; band < setup.room.walls[0].size(); ++band) {
    tail.rt60.push_back(std::clamp(room::predicted_rt60(setup.room, room::DecayFormula::eyring, band), 0.02, 20.0));
  }
  options.simulation.tail = tail;
  options.noise = room::Noise{setup.noise, setup.snr_db, setup.reference, setup.seed};
  options.gains_db = setup.gains_db;

  std::vector<double> signal(speech.begin(), speech.end());
  signal.resize(signal.size() + static_cast<std::size_t>(setup.trail * kCorpusRate));
  const room::Voice voice{source_of(*scene.talker, setup.pattern), std::move(signal), setup.lead};
  const std::vector<room::Microphone> microphones = microphones_of(scene);
  dsp::Signal all = room::simulate(setup.room, {&voice, 1}, microphones, options, pool);

  Rendered out;
  out.direct = direct_powers(scene, speech, setup, pool);
  std::size_t next = 0;
  for (const Device& device : scene.devices) {
    dsp::Signal own{all.rate, {}};
    for (std::size_t m = 0; m < device.array.size(); ++m) own.channels.push_back(std::move(all.channels[next++]));
    out.devices.push_back(std::move(own));
  }
  return out;
}

RenderSetup setup_of(const Configuration& c, const SamplerOptions& options) {
  const RoomKind& kind = (options.tuning ? tuning_rooms() : sweep_rooms()).at(c.room);
  RenderSetup setup{
      .room = make_room(kind, c.rt60), .pattern = talker_pattern(c.seed, options.mismatch), .gains_db = c.gains_db};
  setup.snr_db = c.snr_db;
  setup.noise = c.noise;
  setup.seed = c.seed;
  return setup;
}

BandPowers band_powers(std::span<const double> x, int rate) {
  const std::size_t size = dsp::good_fft_size(x.size());
  const std::vector<dsp::Complex> bins = dsp::rfft(x, size);
  BandPowers powers{};
  for (std::size_t k = 1; k + 1 < bins.size(); ++k) {
    const double frequency = static_cast<double>(k) * rate / static_cast<double>(size);
    for (int b = 0; b < kBands; ++b) {
      const auto band = static_cast<std::size_t>(b);
      if (frequency >= kBandEdges[band] && frequency < kBandEdges[band + 1]) powers[band] += 2 * std::norm(bins[k]);
    }
  }
  for (double& p : powers) p /= static_cast<double>(size) * static_cast<double>(x.size());
  return powers;
}

}  // namespace thimble::voice
