// Which messages belong to one utterance, and when enough of them are there: by the time they come in, so that devices
// need no common clock. A device that says nothing more (it was unplugged in mid-sentence) is waited for until a
// deadline only. Pure bookkeeping: times are the caller's, in seconds.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "voice/observation.h"

namespace thimble::voice {

struct GatherSettings {
  double settle = 0.15;   // after the last observation, when no device is still hearing the voice
  double deadline = 0.5;  // after the first observation of an utterance
  double give_up = 30;    // after a start that nothing followed
};

struct Gathered {
  std::vector<Observation> observations;  // by device id
  std::vector<int> silent;                // devices that began and did not end in time
  double first = 0;                       // time of the first observation
};

class Gatherer {
 public:
  Gatherer(std::span<const int> devices, GatherSettings settings = {});

  // A device began to hear a voice. Unknown ids are bad_input.
  void started(int device, double now);
  // What it heard. A second one of a device closes the utterance that is open, and opens the next; one that was sent
  // twice counts once.
  void observed(const Observation& o, double now);
  // An utterance that is complete (all devices have sent, or all that began and the settling time is over) or whose
  // deadline passed.
  std::optional<Gathered> poll(double now);
  // When poll() should be asked again at the latest; none: nothing is open.
  std::optional<double> next_deadline() const;

 private:
  void check_device(int device) const;
  Gathered close();

  std::set<int> devices_, speaking_;  // speaking_: began, not ended
  GatherSettings settings_;
  std::vector<Observation> open_;
  std::vector<Gathered> closed_;
  std::map<int, std::pair<std::uint32_t, double>> latest_;  // utterance and start, by device
  double first_ = 0, last_ = 0, last_start_ = 0;
};

}  // namespace thimble::voice
