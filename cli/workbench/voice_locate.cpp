// thimble voice locate: where a voice comes from, seen from one array, over time.
#include <CLI/CLI.hpp>
#include <cmath>
#include <memory>
#include <numbers>

#include "base/cancel.h"
#include "cli/workbench/voice.h"
#include "cli/workbench/voice_common.h"
#include "dsp/stft.h"
#include "media/wav.h"
#include "plot/polar.h"
#include "voice/analyse.h"

namespace thimble::cli {
namespace {

struct LocateCommand {
  std::vector<std::string> files;
  std::string array, picture, spectrogram;
  std::vector<int> channels;
  double step = 0.1;
  bool listen = false, json = false;
  PcmOptions pcm;
  VoiceSettingsOption settings;
};

// One file with all channels, or several with one channel each.
dsp::Signal read_sound(const std::vector<std::string>& files) {
  dsp::Signal out = dsp::from_sound(media::read_wav(files.front()));
  if (files.size() == 1) return out;
  for (std::size_t i = 0; i < files.size(); ++i) {
    dsp::Signal one = i == 0 ? out : dsp::from_sound(media::read_wav(files[i]));
    if (one.channels.size() != 1)
      fail(ErrorKind::bad_input, "{} has {} channels; of several files each is one channel", files[i],
           one.channels.size());
    if (one.rate != out.rate || one.frames() != out.frames())
      fail(ErrorKind::bad_input, "{} has {} samples at {} Hz, {} has {} at {} Hz: channels of one array are alike",
           files[i], one.frames(), one.rate, files.front(), out.frames(), out.rate);
    if (i > 0) out.channels.push_back(std::move(one.channels.front()));
  }
  return out;
}

dsp::Signal chosen_channels(const dsp::Signal& sound, const std::vector<int>& channels, const std::string& file) {
  if (channels.empty()) return sound;
  dsp::Signal out{sound.rate, {}};
  for (const int c : channels) {
    if (c < 0 || static_cast<std::size_t>(c) >= sound.channels.size())
      fail(ErrorKind::bad_input, "{}: there is no channel {}; there are {}, counted from 0", file, c,
           sound.channels.size());
    out.channels.push_back(sound.channels[static_cast<std::size_t>(c)]);
  }
  return out;
}

plot::HeatMap draw_spectrogram(const dsp::Signal& sound) {
  constexpr std::size_t kSize = 512, kMostColumns = 240, kRows = 64;
  const dsp::Spectrogram spectra = dsp::Stft(kSize, kSize / 2).analyse(sound.channels.front());
  const std::size_t columns = std::min(kMostColumns, spectra.frames);
  plot::HeatMap map{.title = fmt::format("spectrogram, dB, 0 to {} Hz", sound.rate / 2),
                    .x_label = fmt::format("0 to {:.1f} s", static_cast<double>(sound.frames()) / sound.rate),
                    .rows = kRows,
                    .columns = static_cast<int>(columns)};
  const std::size_t per_row = (kSize / 2) / kRows;
  for (std::size_t r = 0; r < kRows; ++r) {
    for (std::size_t c = 0; c < columns; ++c) {
      double power = 1e-9;
      for (std::size_t t = c * spectra.frames / columns; t < (c + 1) * spectra.frames / columns; ++t)
        for (std::size_t k = 0; k < per_row; ++k)
          power += std::norm(spectra.frame(0, t)[(kRows - 1 - r) * per_row + k]);
      map.values.push_back(10 * std::log10(power));
    }
  }
  return map;
}

OrderedJson observation_json(const voice::Observation& o) {
  OrderedJson out;
  out["start"] = o.start;
  out["duration"] = o.duration;
  out["azimuth_deg"] = degrees(o.azimuth);
  out["confidence"] = o.confidence;
  out["peak_ratio"] = o.peak_ratio;
  out["steered_coherence"] = o.steered_coherence;
  out["band_ratio_db"] = o.band_ratio_db;
  out["clipped"] = o.clipped;
  out["offset"] = o.offset;
  return out;
}

void print_observation(const voice::Observation& o) {
  fmt::print(
      "utterance {:.2f} to {:.2f} s: {:.0f} deg, confidence {:.2f}, peak ratio {:.2f}, band ratio {:.1f} dB{}{}\n",
      o.start, o.start + o.duration, degrees(o.azimuth), o.confidence, o.peak_ratio, o.band_ratio_db,
      o.clipped ? ", clipped" : "", o.offset ? ", has a constant offset (taken off)" : "");
}

void listen(const LocateCommand& command, const voice::Settings& settings) {
  const dsp::MicArray array = dsp::array_by_name(command.array);
  voice::Analyser analyser(array, command.pcm.rate, settings);
  PcmInput input(command.pcm, array.size());
  std::vector<float> block;
  double shown = -1;
  const auto show = [&](const std::vector<voice::Observation>& found) {
    for (const voice::Observation& o : found) {
      if (command.json)
        fmt::print("{}\n", observation_json(o).dump());
      else
        print_observation(o);
      std::fflush(stdout);
    }
  };
  while (input.read(block)) {
    show(analyser.push(block));
    const auto now = analyser.current_azimuth();
    if (!now || command.json || analyser.time() < shown + 0.25) continue;
    shown = analyser.time();
    fmt::print("{:8.2f} s {:6.0f} deg\n", shown, degrees(*now));
    std::fflush(stdout);
  }
  show(analyser.finish());
  if (analyser.bad_samples() > 0)
    fmt::print(stderr, "{} samples were not finite and count as 0\n", analyser.bad_samples());
}

void run(const LocateCommand& command) {
  check_picture(command.picture);
  check_picture(command.spectrogram);
  const voice::Settings settings = command.settings.read();
  if (command.listen == !command.files.empty())
    fail(ErrorKind::bad_input, "give a sound file, or --listen for sound on standard input");
  if (command.listen) return listen(command, settings);

  const dsp::MicArray array = dsp::array_by_name(command.array);
  const std::string& name = command.files.front();
  const dsp::Signal sound = chosen_channels(read_sound(command.files), command.channels, name);
  const auto [track, whole] = with_context(name, [&] {
    auto found = voice::track_direction(sound, array, settings, command.step);
    return std::pair{std::move(found), voice::analyse_utterance(sound, array, settings)};
  });
  if (command.json) {
    OrderedJson out;
    out["file"] = name;
    out["array"] = array.name;
    out["utterance"] = observation_json(whole);
    out["track"] = OrderedJson::array();
    for (std::size_t i = 0; i < track.time.size(); ++i) {
      if (std::isnan(track.azimuth[i])) continue;
      out["track"].push_back({track.time[i], degrees(track.azimuth[i]), track.coherence[i]});
    }
    fmt::print("{}\n", out.dump());
  } else {
    fmt::print("{:>8}{:>10}{:>12}\n", "seconds", "azimuth", "coherence");
    for (std::size_t i = 0; i < track.time.size(); ++i) {
      if (std::isnan(track.azimuth[i])) continue;
      fmt::print("{:>8.2f}{:>6.0f} deg{:>12.2f}\n", track.time[i], degrees(track.azimuth[i]), track.coherence[i]);
    }
    print_observation(whole);
  }
  if (!command.picture.empty()) {
    plot::PolarPlot plot{.title = "direction of arrival, " + array.name,
                         .note = fmt::format("{:.0f} degrees, confidence {:.2f}; dots: over time, outwards",
                                             degrees(whole.azimuth), whole.confidence),
                         .values = track.map};
    plot.rays.push_back({whole.azimuth, fmt::format("{:.0f}", degrees(whole.azimuth)), 1});
    for (std::size_t i = 0; i < track.time.size(); ++i)
      if (!std::isnan(track.azimuth[i]))
        plot.dots.push_back(
            {track.azimuth[i], "", 0.2 + 0.8 * static_cast<double>(i) / static_cast<double>(track.time.size())});
    write_picture(command.picture, plot);
  }
  if (!command.spectrogram.empty()) write_picture(command.spectrogram, draw_spectrogram(sound));
}

}  // namespace

void add_voice_locate(CLI::App& voice) {
  CLI::App* locate = voice.add_subcommand("locate", "direction of arrival over time, from one array");
  auto command = std::make_shared<LocateCommand>();
  locate->add_option("sound", command->files, "WAV file with one channel a microphone, or one file a microphone");
  locate
      ->add_option("--array", command->array, "ring6, ring4, ring8, square4, line2, line4, or by measure: ring:6:46.3")
      ->required();
  locate->add_option("--channels", command->channels, "the file's channels that are the array's microphones, from 0")
      ->delimiter(',');
  locate->add_option("-o,--output", command->picture, "polar plot, .png or .svg");
  locate->add_option("--spectrogram", command->spectrogram, "picture of the first channel, .png or .svg");
  locate->add_option("--step", command->step, "seconds between directions")
      ->check(CLI::Range(0.02, 60.0))
      ->capture_default_str();
  locate->add_flag("--listen", command->listen, "live: interleaved sound on standard input");
  locate->add_flag("--json", command->json, "print JSON");
  command->pcm.add(*locate);
  command->settings.add(*locate);
  locate->footer(
      "Example:  thimble voice locate --array ring6 in.wav -o polar.svg\n"
      "Live:     arecord -t raw -f S16_LE -r 16000 -c 6 | thimble voice locate --array ring6 --listen");
  locate->callback([command] { run(*command); });
}

}  // namespace thimble::cli
