// The two ends of a system of several computers, without their sockets: a node wraps what its device heard into
// authenticated packets, the hub opens them, gathers those of one utterance and decides. Packets: net/authentic.h with
// the device as sender and the kinds below.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "net/authentic.h"
#include "voice/calibrate.h"
#include "voice/gather.h"
#include "voice/method.h"

namespace thimble::voice {

enum PacketKind : std::uint8_t {
  kStarted = 1,      // node to hub: a voice began; no content
  kObservation = 2,  // node to hub: voice/message.h
  kVerdict = 3,      // hub to nodes: device (2 bytes, 0xFFFF nobody), confidence (1 byte, 1/255)
};
inline constexpr std::uint16_t kHubSender = 0xFFFF;

struct Verdict {
  int device = kNobody;
  double confidence = 0;
};
std::vector<std::byte> encode_verdict(const Verdict& verdict);
Verdict decode_verdict(std::span<const std::byte> bytes);  // bad_file

class Hub {
 public:
  struct Options {
    std::string method = "facing";
    GatherSettings gather;
    double clock_tolerance = 10;  // seconds between the clocks of nodes and hub
    bool learn_gains = true;
    int rate = 16000;  // of the nodes' microphones: for their beams' response to diffuse sound
  };
  struct Result {
    Decision decision;
    Gathered gathered;
  };

  // Poses' ids are the devices that may send. bad_input for none.
  Hub(std::vector<DevicePose> poses, const Settings& settings, net::Key key, Options options);

  // One datagram; false when it was dropped (the counts say why). `now_us`: microseconds since 1970.
  bool take(std::span<const std::byte> datagram, std::uint64_t now_us);
  // A decision when an utterance is complete or its deadline passed.
  std::optional<Result> poll(std::uint64_t now_us);
  // Seconds until poll() has something to do; at most `longest`.
  double wait(std::uint64_t now_us, double longest) const;
  // To send to the nodes.
  std::vector<std::byte> verdict_packet(const Decision& decision, std::uint64_t now_us);

  const net::Opener::Counts& counts() const { return opener_.counts(); }
  std::uint64_t unknown_senders() const { return unknown_; }    // valid packets of devices that the scene lacks
  std::uint64_t bad_contents() const { return bad_contents_; }  // valid packets with content that no node makes
  const GainCalibration& calibration() const { return calibration_; }

 private:
  std::vector<DevicePose> poses_;
  Settings settings_;
  Options options_;
  net::Opener opener_;
  net::Sealer sealer_;
  Gatherer gatherer_;
  GainCalibration calibration_;
  std::unique_ptr<Method> method_;
  std::uint64_t unknown_ = 0, bad_contents_ = 0;
};

}  // namespace thimble::voice
