// thimble voice simulate: a scene and what its devices would record, from dry speech.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <numbers>

#include "base/error.h"
#include "base/file.h"
#include "cli/workbench/voice.h"
#include "dsp/resample.h"
#include "dsp/signal.h"
#include "media/wav.h"
#include "voice/study/corpus.h"
#include "voice/study/render.h"
#include "voice/study/sampler.h"

namespace thimble::cli {
namespace {

namespace fs = std::filesystem;
using namespace voice;

struct SimulateCommand {
  std::vector<fs::path> speech;
  fs::path out, scene;
  std::string room = "living", array = "ring6", noise = "white";
  double rt60 = 0.4, snr_db = 25, gain_db = 0, mismatch = 0, pause = 1;
  int devices = 4;
  std::uint64_t seed = 1;
  bool json = false;
};

dsp::room::NoiseKind noise_by_name(const std::string& name) {
  if (name == "white") return dsp::room::NoiseKind::white;
  if (name == "pink") return dsp::room::NoiseKind::pink;
  if (name == "speech-shaped") return dsp::room::NoiseKind::speech_shaped;
  fail(ErrorKind::bad_input, "there is no noise '{}'; there are white, pink, speech-shaped", name);
}

const RoomKind& room_by_name(const std::string& name) {
  std::string names;
  for (const RoomKind& kind : sweep_rooms()) {
    if (kind.name == name) return kind;
    names += (names.empty() ? "" : ", ") + kind.name;
  }
  fail(ErrorKind::bad_input, "there is no room '{}'; there are {}", name, names);
}

// One utterance after another.
std::vector<double> read_speech(const SimulateCommand& command) {
  std::vector<double> all;
  for (const fs::path& path : command.speech) {
    dsp::Signal signal = dsp::from_sound(media::read_wav(path));
    dsp::check_signal(signal, {.channels = 1, .frames = 2}, path.string());
    if (dsp::is_silent(signal)) fail(ErrorKind::bad_input, "{} is silent", path.string());
    signal = dsp::resample(signal, kCorpusRate);
    if (!all.empty()) all.resize(all.size() + static_cast<std::size_t>(command.pause * kCorpusRate));
    all.insert(all.end(), signal.channels[0].begin(), signal.channels[0].end());
  }
  return all;
}

// From the file, or drawn.
Scene make_scene(const SimulateCommand& command) {
  if (!command.scene.empty()) {
    Scene scene = read_scene(command.scene);
    if (!scene.room || !scene.talker) {
      fail(ErrorKind::bad_input, "{}: to be simulated a scene needs \"room\" and \"talker\"", command.scene.string());
    }
    return scene;
  }
  const Sampler sampler({.seed = command.seed,
                         .devices = {command.devices},
                         .rt60 = {command.rt60},
                         .nobody = 0,
                         .array = command.array,
                         .positions = 1},
                        1);
  const auto& rooms = sampler.rooms();
  std::size_t index = 0;
  while (&rooms[index] != &room_by_name(command.room)) ++index;
  Scene drawn = sampler.at(index).scene;
  // The sampler's first device is the faced one; here it may be any.
  auto& devices = drawn.devices;
  std::rotate(devices.begin(), devices.begin() + static_cast<std::ptrdiff_t>(command.seed % devices.size()),
              devices.end());
  for (std::size_t d = 0; d < devices.size(); ++d) devices[d].name = fmt::format("d{}", d);
  return drawn;
}

void run_simulate(const SimulateCommand& command) {
  const Scene scene = make_scene(command);
  const std::vector<double> speech = read_speech(command);
  const double rt60 = scene.room->rt60.value_or(command.rt60);
  RoomKind kind = room_by_name(command.room);
  if (!command.scene.empty()) kind.name = command.scene.string();
  kind.size = scene.room->size;
  RenderSetup setup{.room = make_room(kind, rt60), .pattern = talker_pattern(command.seed, command.mismatch)};
  setup.snr_db = command.snr_db;
  setup.noise = noise_by_name(command.noise);
  setup.seed = command.seed;
  setup.reference = static_cast<int>(faced_device(scene, *scene.talker).device);
  setup.gains_db = dsp::room::draw_gains_db(scene.devices.size(), command.gain_db, command.seed);
  ThreadPool pool(usable_processors());
  const Rendered sound = render_scene(scene, speech, setup, pool);

  fs::create_directories(command.out);
  OrderedJson out;
  out["scene"] = (command.out / "scene.json").string();
  out["files"] = OrderedJson::array();
  for (std::size_t d = 0; d < scene.devices.size(); ++d) {
    const fs::path path = command.out / (scene.devices[d].name + ".wav");
    media::write_wav(path, dsp::to_sound(sound.devices[d]), media::WavSample::float32);
    out["files"].push_back(path.string());
  }
  write_scene(command.out / "scene.json", scene);
  const FacedDevice faced = faced_device(scene, *scene.talker);
  out["faced"] = scene.devices[faced.device].name;
  out["off_deg"] = faced.off * 180 / std::numbers::pi;
  out["rt60"] = rt60;
  out["seconds"] = static_cast<double>(sound.devices[0].frames()) / kCorpusRate;
  if (command.json) {
    fmt::print("{}\n", out.dump());
    return;
  }
  fmt::print("{} devices, {:.1f} s at {} Hz, RT60 {:g} s; the talker faces {} ({:.0f} degrees off)\n",
             scene.devices.size(), out["seconds"].get<double>(), kCorpusRate, rt60, scene.devices[faced.device].name,
             out["off_deg"].get<double>());
  fmt::print("thimble voice facing {}", out["scene"].get<std::string>());
  for (const auto& file : out["files"]) fmt::print(" {}", file.get<std::string>());
  fmt::print("\n");
}

}  // namespace

void add_voice_simulate(CLI::App& voice) {
  CLI::App* simulate = voice.add_subcommand("simulate", "write a scene and its recordings from dry speech");
  auto c = std::make_shared<SimulateCommand>();
  simulate->add_option("speech", c->speech, "WAV files of one channel, spoken one after another")->required();
  simulate->add_option("-o,--out", c->out, "folder for scene.json and one WAV a device")->required();
  simulate->add_option("--scene", c->scene, "a scene with room and talker; else one is drawn");
  simulate->add_option("--room", c->room, "study, kitchen, bedroom, living or office: size, and how its walls absorb")
      ->capture_default_str();
  simulate->add_option("--rt60", c->rt60, "seconds; a scene's own counts first")
      ->check(CLI::Range(0.15, 3.0))
      ->capture_default_str();
  simulate->add_option("--devices", c->devices, "of a drawn scene")->check(CLI::Range(2, 8))->capture_default_str();
  simulate->add_option("--array", c->array, "of a drawn scene's devices")->capture_default_str();
  simulate->add_option("--snr", c->snr_db, "dB at the faced device")
      ->check(CLI::Range(-20.0, 100.0))
      ->capture_default_str();
  simulate->add_option("--noise", c->noise, "white, pink or speech-shaped")->capture_default_str();
  simulate->add_option("--gain-errors", c->gain_db, "dB: each device's gain is off by up to this")
      ->check(CLI::Range(0.0, 20.0))
      ->capture_default_str();
  simulate
      ->add_option("--mismatch", c->mismatch, "how far the talker departs from the mean voice pattern; 1: as people do")
      ->check(CLI::Range(0.0, 4.0))
      ->capture_default_str();
  simulate->add_option("--pause", c->pause, "seconds between files")
      ->check(CLI::Range(0.0, 60.0))
      ->capture_default_str();
  simulate->add_option("--seed", c->seed, "of all that is drawn")->capture_default_str();
  simulate->add_flag("--json", c->json, "print what was written as JSON");
  simulate->footer("Example:  thimble voice simulate command.wav --devices 4 --rt60 0.4 -o scene");
  simulate->callback([c] { run_simulate(*c); });
}

}  // namespace thimble::cli
