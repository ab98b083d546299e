#include "voice/hub.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "voice/message.h"

namespace thimble::voice {
namespace {

std::vector<int> ids_of(std::span<const DevicePose> poses) {
  std::vector<int> ids;
  for (const DevicePose& p : poses) ids.push_back(p.id);
  return ids;
}

double seconds(std::uint64_t now_us) { return static_cast<double>(now_us) * 1e-6; }

}  // namespace

std::vector<std::byte> encode_verdict(const Verdict& verdict) {
  const auto device = static_cast<std::uint16_t>(verdict.device == kNobody ? 0xFFFF : verdict.device);
  const auto confidence = static_cast<std::uint8_t>(std::lround(255 * std::clamp(verdict.confidence, 0.0, 1.0)));
  return {static_cast<std::byte>(device & 255), static_cast<std::byte>(device >> 8),
          static_cast<std::byte>(confidence)};
}

Verdict decode_verdict(std::span<const std::byte> bytes) {
  if (bytes.size() != 3) fail(ErrorKind::bad_file, "a verdict of {} bytes; 3 were wanted", bytes.size());
  const int device = static_cast<int>(bytes[0]) | static_cast<int>(bytes[1]) << 8;
  return {device == 0xFFFF ? kNobody : device, static_cast<double>(bytes[2]) / 255};
}

Hub::Hub(std::vector<DevicePose> poses, const Settings& settings, net::Key key, Options options)
    : poses_(std::move(poses)),
      settings_(settings),
      options_(std::move(options)),
      opener_(key, options_.clock_tolerance),
      sealer_(key, kHubSender),
      gatherer_(ids_of(poses_), options_.gather),
      calibration_(settings.fit),
      method_(make_method(options_.method, settings)) {}

bool Hub::take(std::span<const std::byte> datagram, std::uint64_t now_us) {
  const auto packet = opener_.open(datagram, now_us);
  if (!packet) return false;
  const auto pose =
      std::find_if(poses_.begin(), poses_.end(), [&](const DevicePose& p) { return p.id == packet->sender; });
  if (pose == poses_.end()) {
    ++unknown_;
    return false;
  }
  if (packet->kind == kStarted && packet->content.empty()) {
    gatherer_.started(packet->sender, seconds(now_us));
    return true;
  }
  try {
    if (packet->kind != kObservation) fail(ErrorKind::bad_file, "a packet of kind {}", packet->kind);
    Observation o = decode_message(packet->content);
    if (o.device != packet->sender) fail(ErrorKind::bad_file, "device {} sent as {}", packet->sender, o.device);
    if (pose->array.size() >= 2)
      o.beam_diffuse = beam_response(pose->array, o.azimuth, o.elevation.value_or(0), options_.rate, settings_.power);
    gatherer_.observed(o, seconds(now_us));
  } catch (const Error&) {  // a node of another version, or a mistake of ours: not worth ending the hub
    ++bad_contents_;
    return false;
  }
  return true;
}

std::optional<Hub::Result> Hub::poll(std::uint64_t now_us) {
  std::optional<Gathered> gathered = gatherer_.poll(seconds(now_us));
  if (!gathered) return std::nullopt;
  Result out{method_->decide(gathered->observations, calibration_.apply(poses_)), std::move(*gathered)};
  if (options_.learn_gains) calibration_.learn(out.decision);
  if (!out.gathered.silent.empty()) {
    std::string names;
    for (const int id : out.gathered.silent) names += fmt::format("{}{}", names.empty() ? "" : ", ", id);
    out.decision.note += fmt::format("{}device {} began and fell silent", out.decision.note.empty() ? "" : "; ", names);
  }
  return out;
}

double Hub::wait(std::uint64_t now_us, double longest) const {
  const auto deadline = gatherer_.next_deadline();
  return deadline ? std::clamp(*deadline - seconds(now_us), 0.0, longest) : longest;
}

std::vector<std::byte> Hub::verdict_packet(const Decision& decision, std::uint64_t now_us) {
  return sealer_.seal(kVerdict, encode_verdict({decision.device, decision.confidence}), now_us);
}

}  // namespace thimble::voice
