// thimble voice facing: which device of a scene a talker faces, from recordings or live.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "base/cancel.h"
#include "cli/workbench/voice.h"
#include "cli/workbench/voice_common.h"
#include "media/wav.h"
#include "voice/analyse.h"
#include "voice/calibrate.h"

namespace thimble::cli {
namespace {

struct FacingCommand {
  std::string scene, picture, method = "facing";
  std::vector<std::string> files;
  bool listen = false, json = false;
  PcmOptions pcm;
  VoiceSettingsOption settings;
};

void show(const FacingCommand& command, const voice::Scene& scene, std::span<const voice::Observation> observations,
          const voice::Decision& decision) {
  if (command.json)
    fmt::print("{}\n", decision_json(scene, observations, decision).dump());
  else
    print_decision(scene, observations, decision);
  std::fflush(stdout);
  if (!command.picture.empty()) write_picture(command.picture, floor_plan(scene, observations, decision));
}

void add_note(voice::Decision& decision, const std::string& note) {
  decision.note += decision.note.empty() ? note : "; " + note;
}

std::string uncalibrated_note(const voice::Scene& scene) {
  std::string names;
  for (const std::string& name : scene.uncalibrated()) names += (names.empty() ? "" : ", ") + name;
  return names.empty() ? "" : fmt::format("not calibrated: {} (an unknown gain is allowed for)", names);
}

void from_files(const FacingCommand& command, const voice::Scene& scene, const voice::Settings& settings) {
  if (command.files.size() != scene.devices.size())
    fail(ErrorKind::bad_input, "{} recordings for the {} devices of {}; give one for each, in its order ('-': none)",
         command.files.size(), scene.devices.size(), command.scene);
  std::vector<voice::Observation> observations;
  std::vector<std::string> notes;
  std::vector<int> rates;
  for (std::size_t i = 0; i < command.files.size(); ++i) {
    if (command.files[i] == "-") continue;
    try {
      const dsp::Signal sound = dsp::from_sound(media::read_wav(command.files[i]));
      observations.push_back(voice::analyse_utterance(sound, scene.devices[i].array, settings, static_cast<int>(i)));
      if (std::find(rates.begin(), rates.end(), sound.rate) == rates.end()) rates.push_back(sound.rate);
    } catch (const Error& e) {  // the others may be enough
      if (e.kind() == ErrorKind::io || e.kind() == ErrorKind::cancelled) throw;
      notes.push_back(fmt::format("{} is left out: {}", scene.devices[i].name, e.what()));
      continue;
    }
    if (observations.back().clipped) notes.push_back(scene.devices[i].name + " is clipped, its powers are too low");
    if (observations.back().offset) notes.push_back(scene.devices[i].name + " has a constant offset, taken off");
  }
  if (observations.empty())
    fail(ErrorKind::bad_input, "no recording can be used: {}", notes.empty() ? "none was given" : notes.front());
  if (rates.size() > 1)
    notes.push_back(
        fmt::format("recorded at {} and {} Hz: only bands that all devices have are compared", rates[0], rates[1]));
  const std::string gains = uncalibrated_note(scene);
  if (!gains.empty()) notes.push_back(gains);
  voice::Decision decision = voice::make_method(command.method, settings)->decide(observations, poses_of(scene));
  for (const std::string& note : notes) add_note(decision, note);
  show(command, scene, observations, decision);
}

// Channels of all devices side by side, in the scene's order.
void from_stream(const FacingCommand& command, const voice::Scene& scene, const voice::Settings& settings) {
  std::vector<voice::Analyser> analysers;
  std::vector<int> ids;
  std::size_t channels = 0;
  for (const voice::Device& d : scene.devices) {
    ids.push_back(static_cast<int>(ids.size()));
    analysers.emplace_back(d.array, command.pcm.rate, settings, ids.back());
    channels += d.array.size();
  }
  voice::Gatherer gatherer(ids);
  voice::GainCalibration gains(settings.fit);
  const auto poses = poses_of(scene);
  const auto method = voice::make_method(command.method, settings);
  std::vector<bool> speaking(ids.size());
  const auto decide = [&](double now) {
    while (const auto gathered = gatherer.poll(now)) {
      const voice::Decision decision = method->decide(gathered->observations, gains.apply(poses));
      gains.learn(decision);
      show(command, scene, gathered->observations, decision);
    }
  };
  PcmInput input(command.pcm, channels);
  std::vector<float> block, own;
  while (input.read(block)) {
    std::size_t first = 0;
    for (std::size_t i = 0; i < analysers.size(); ++i) {
      const std::size_t mine = scene.devices[i].array.size();
      own.clear();
      for (std::size_t at = first; at < block.size(); at += channels)
        own.insert(own.end(), block.begin() + static_cast<std::ptrdiff_t>(at),
                   block.begin() + static_cast<std::ptrdiff_t>(at + mine));
      first += mine;
      const auto found = analysers[i].push(own);
      if (analysers[i].speaking() && !speaking[i]) gatherer.started(ids[i], analysers[i].time());
      speaking[i] = analysers[i].speaking();
      for (const voice::Observation& o : found) gatherer.observed(o, analysers[i].time());
    }
    decide(analysers.front().time());
  }
  for (voice::Analyser& a : analysers)
    for (const voice::Observation& o : a.finish()) gatherer.observed(o, a.time());
  constexpr double kLater = 3600;
  decide(analysers.front().time() + kLater);
}

void run(const FacingCommand& command) {
  check_picture(command.picture);
  const voice::Settings settings = command.settings.read();
  const voice::Scene scene = voice::read_scene(command.scene);
  if (command.listen == !command.files.empty())
    fail(ErrorKind::bad_input, "give the devices' recordings, or --listen for sound on standard input");
  if (command.listen)
    from_stream(command, scene, settings);
  else
    from_files(command, scene, settings);
}

}  // namespace

void add_voice_facing(CLI::App& voice) {
  CLI::App* facing = voice.add_subcommand("facing", "the device a talker faces, with angle, place and confidence");
  auto command = std::make_shared<FacingCommand>();
  facing->add_option("scene", command->scene, "devices and their places, JSON (docs/voice.md)")->required();
  facing->add_option("recordings", command->files,
                     "WAV files of one utterance, one a device in the scene's order; '-': none");
  facing->add_option("-o,--output", command->picture, "floor plan, .png or .svg");
  facing->add_option("--method", command->method, "facing, or a baseline: loudest, loudest-beam, nearest, ...")
      ->capture_default_str();
  facing->add_flag("--listen", command->listen, "live: interleaved channels of all devices on standard input");
  facing->add_flag("--json", command->json, "print JSON, one line a decision");
  command->pcm.add(*facing);
  command->settings.add(*facing);
  facing->footer(
      "Example:  thimble voice facing home.json kitchen.wav desk.wav hall.wav -o plan.svg\n"
      "Live:     arecord -t raw -f S16_LE -r 16000 -c 12 | thimble voice facing home.json --listen");
  facing->callback([command] { run(*command); });
}

}  // namespace thimble::cli
