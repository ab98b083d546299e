// What the commands of `thimble voice` share: settings, sound files, live sound, how decisions are written.
#pragma once

#include <CLI/App.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"
#include "dsp/signal.h"
#include "net/authentic.h"
#include "plot/floor_plan.h"
#include "voice/gather.h"
#include "voice/method.h"
#include "voice/scene.h"

namespace thimble::cli {

// --settings FILE; the frozen ones without it.
struct VoiceSettingsOption {
  std::string file;
  void add(CLI::App& command);
  voice::Settings read() const;
};

// Live sound on standard input: interleaved samples, little-endian.
struct PcmOptions {
  int rate = 16000;
  std::string format = "s16";
  void add(CLI::App& command);
};
class PcmInput {
 public:
  PcmInput(const PcmOptions& options, std::size_t channels);
  // About `seconds` of sound, less at the end; false when nothing more comes or Ctrl-C was pressed. A cut-off last
  // frame is dropped.
  bool read(std::vector<float>& block, double seconds = 0.05);

 private:
  PcmOptions options_;
  std::size_t channels_, sample_;
  std::string held_;
};

// --key-file FILE, or the environment's THIMBLE_VOICE_KEY.
net::Key read_key(const std::string& file);

// "scene.json: device 'kitchen'": poses with ids 0, 1, ... in the scene's order.
std::vector<voice::DevicePose> poses_of(const voice::Scene& scene);
std::string device_name(const voice::Scene& scene, int device);

// Extensions .png and .svg; checked before work starts.
void check_picture(const std::string& path);
template <class Plot>
void write_picture(const std::string& path, const Plot& plot) {
  if (std::filesystem::path(path).extension() == ".svg")
    plot.write_svg(path);
  else
    plot.write_png(path);
}

plot::FloorPlan floor_plan(const voice::Scene& scene, std::span<const voice::Observation> observations,
                           const voice::Decision& decision);
void print_decision(const voice::Scene& scene, std::span<const voice::Observation> observations,
                    const voice::Decision& decision);
OrderedJson decision_json(const voice::Scene& scene, std::span<const voice::Observation> observations,
                          const voice::Decision& decision);

double degrees(double radians);

}  // namespace thimble::cli
