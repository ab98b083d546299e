#include "cli/workbench/voice_common.h"

#include <poll.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <numbers>

#include "base/cancel.h"
#include "base/file.h"

namespace thimble::cli {

double degrees(double radians) { return radians * 180 / std::numbers::pi; }

void VoiceSettingsOption::add(CLI::App& command) {
  command.add_option("--settings", file, "thresholds and weights as JSON; default: the committed voice/frozen.json");
}

voice::Settings VoiceSettingsOption::read() const {
  return file.empty() ? voice::frozen() : voice::read_settings(file);
}

void PcmOptions::add(CLI::App& command) {
  command.add_option("--rate", rate, "samples a second of live sound")
      ->check(CLI::Range(8000, 192000))
      ->capture_default_str();
  command.add_option("--format", format, "of live sound: s16, s32 or f32, little-endian")
      ->check(CLI::IsMember({"s16", "s32", "f32"}))
      ->capture_default_str();
}

PcmInput::PcmInput(const PcmOptions& options, std::size_t channels)
    : options_(options), channels_(channels), sample_(options.format == "s16" ? 2 : 4) {}

bool PcmInput::read(std::vector<float>& block, double seconds) {
  const std::size_t frame = channels_ * sample_;
  const std::size_t wanted = std::max<std::size_t>(1, static_cast<std::size_t>(seconds * options_.rate)) * frame;
  std::vector<char> bytes(wanted);
  while (held_.size() < frame) {
    if (interrupt_token().cancelled()) return false;
    pollfd wait{STDIN_FILENO, POLLIN, 0};
    if (poll(&wait, 1, 200) <= 0) continue;
    const ssize_t got = ::read(STDIN_FILENO, bytes.data(), wanted - std::min(held_.size(), wanted - 1));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(ErrorKind::io, "standard input: {}", std::strerror(errno));
    if (got == 0) return false;
    held_.append(bytes.data(), static_cast<std::size_t>(got));
  }
  const std::size_t whole = held_.size() / frame * frame;
  block.clear();
  for (std::size_t at = 0; at < whole; at += sample_) {
    std::uint32_t word = 0;
    for (std::size_t i = 0; i < sample_; ++i)
      word |= static_cast<std::uint32_t>(static_cast<unsigned char>(held_[at + i])) << (8 * i);
    float value = 0;
    if (options_.format == "f32")
      std::memcpy(&value, &word, sizeof value);
    else if (options_.format == "s16")
      value = static_cast<float>(static_cast<std::int16_t>(word)) / 32768.0f;
    else
      value = static_cast<float>(static_cast<double>(static_cast<std::int32_t>(word)) / 2147483648.0);
    block.push_back(value);
  }
  held_.erase(0, whole);
  return true;
}

net::Key read_key(const std::string& file) {
  constexpr std::size_t kLimit = 4096;
  if (!file.empty()) {
    std::string text = read_file(file, kLimit);
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
    return with_context(file, [&] { return net::Key(text); });
  }
  const char* variable = std::getenv("THIMBLE_VOICE_KEY");
  if (!variable)
    fail(ErrorKind::bad_input, "no shared key: give --key-file FILE, or set THIMBLE_VOICE_KEY (16 bytes or more)");
  return net::Key(variable);
}

std::vector<voice::DevicePose> poses_of(const voice::Scene& scene) {
  std::vector<voice::DevicePose> out;
  for (const voice::Device& d : scene.devices)
    out.push_back({static_cast<int>(out.size()), d.position, d.azimuth, d.array, d.gain_db});
  return out;
}

std::string device_name(const voice::Scene& scene, int device) {
  return device == voice::kNobody ? "nobody" : scene.devices[static_cast<std::size_t>(device)].name;
}

void check_picture(const std::string& path) {
  if (path.empty()) return;
  const auto extension = std::filesystem::path(path).extension();
  if (extension != ".png" && extension != ".svg")
    fail(ErrorKind::bad_input, "'{}': pictures are written as .png or .svg", path);
  check_writable(path);
}

plot::FloorPlan floor_plan(const voice::Scene& scene, std::span<const voice::Observation> observations,
                           const voice::Decision& decision) {
  plot::FloorPlan plan{
      .title = fmt::format("faces {} ({:.0f} %)", device_name(scene, decision.device), 100 * decision.confidence)};
  plan.note = decision.note;
  if (scene.room) {
    plan.width = scene.room->size.x;
    plan.depth = scene.room->size.y;
  }
  for (std::size_t i = 0; i < scene.devices.size(); ++i) {
    const voice::Device& d = scene.devices[i];
    plot::PlanDevice shown{d.name, d.position.x, d.position.y, d.azimuth, {}, decision.device == static_cast<int>(i)};
    for (const voice::Observation& o : observations)
      if (o.device == static_cast<int>(i)) shown.bearing = d.world_azimuth(o.azimuth);
    plan.devices.push_back(shown);
  }
  if (decision.position)
    plan.talker = plot::PlanTalker{decision.position->x, decision.position->y, decision.position_spread,
                                   decision.facing, decision.facing_spread};
  if (scene.talker)
    plan.truth = plot::PlanTalker{scene.talker->position.x, scene.talker->position.y, 0, scene.talker->facing, 0};
  return plan;
}

void print_decision(const voice::Scene& scene, std::span<const voice::Observation> observations,
                    const voice::Decision& decision) {
  fmt::print("{:<16}{:>10}{:>12}{:>12}{:>12}{:>12}\n", "device", "bearing", "confidence", "level", "band ratio",
             "belief");
  for (std::size_t i = 0; i < observations.size(); ++i) {
    const voice::Observation& o = observations[i];
    double power = 0;
    for (const double p : o.raw) power += p;
    const voice::Device& d = scene.devices[static_cast<std::size_t>(o.device)];
    fmt::print("{:<16}{:>6.0f} deg{:>12.2f}{:>9.1f} dB{:>9.1f} dB{:>12.3g}\n", d.name,
               degrees(d.world_azimuth(o.azimuth)), o.confidence, 10 * std::log10(power + 1e-20), o.band_ratio_db,
               decision.scores[i].score);
  }
  if (decision.position)
    fmt::print("talker at ({:.2f}, {:.2f}) m, +-{:.2f} m\n", decision.position->x, decision.position->y,
               decision.position_spread);
  if (decision.facing)
    fmt::print("facing {:.0f} deg, +-{:.0f} deg\n", degrees(*decision.facing), degrees(decision.facing_spread));
  fmt::print("device: {}   confidence {:.2f}\n", device_name(scene, decision.device), decision.confidence);
  if (!decision.note.empty()) fmt::print("note: {}\n", decision.note);
}

OrderedJson decision_json(const voice::Scene& scene, std::span<const voice::Observation> observations,
                          const voice::Decision& decision) {
  OrderedJson out;
  out["device"] =
      decision.device == voice::kNobody ? OrderedJson(nullptr) : OrderedJson(device_name(scene, decision.device));
  out["confidence"] = decision.confidence;
  out["nobody"] = decision.nobody;
  if (decision.facing) {
    out["facing_deg"] = degrees(*decision.facing);
    out["facing_spread_deg"] = degrees(decision.facing_spread);
  }
  if (decision.position) {
    out["position"] = {decision.position->x, decision.position->y};
    out["position_spread"] = decision.position_spread;
  }
  if (!decision.note.empty()) out["note"] = decision.note;
  out["devices"] = OrderedJson::array();
  for (std::size_t i = 0; i < observations.size(); ++i) {
    const voice::Observation& o = observations[i];
    OrderedJson row;
    row["name"] = device_name(scene, o.device);
    row["score"] = decision.scores[i].score;
    row["bearing_deg"] = degrees(scene.devices[static_cast<std::size_t>(o.device)].world_azimuth(o.azimuth));
    row["bearing_confidence"] = o.confidence;
    row["band_ratio_db"] = o.band_ratio_db;
    row["active_seconds"] = o.active_seconds;
    for (const auto& [name, powers] :
         {std::pair{"raw_db", &o.raw}, {"beam_db", &o.beam}, {"coherent_db", &o.coherent}, {"onset_db", &o.onset}}) {
      row[name] = OrderedJson::array();
      for (const double p : *powers)
        row[name].push_back(p > 0 ? OrderedJson(10 * std::log10(p)) : OrderedJson(nullptr));
    }
    row["clipped"] = o.clipped;
    row["offset"] = o.offset;
    out["devices"].push_back(std::move(row));
  }
  return out;
}

}  // namespace thimble::cli
