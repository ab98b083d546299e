#include "voice/gather.h"

#include <algorithm>

#include "base/error.h"

namespace thimble::voice {

Gatherer::Gatherer(std::span<const int> devices, GatherSettings settings)
    : devices_(devices.begin(), devices.end()), settings_(settings) {
  if (devices_.empty()) fail(ErrorKind::bad_input, "a hub without devices");
}

void Gatherer::check_device(int device) const {
  if (!devices_.contains(device)) fail(ErrorKind::bad_input, "device {} is not in the scene", device);
}

void Gatherer::started(int device, double now) {
  check_device(device);
  speaking_.insert(device);
  last_start_ = now;
}

void Gatherer::observed(const Observation& o, double now) {
  check_device(o.device);
  const std::pair mark{o.utterance, o.start};
  const auto known = latest_.find(o.device);
  if (known != latest_.end() && known->second == mark) return;
  latest_[o.device] = mark;
  const auto same = [&](const Observation& other) { return other.device == o.device; };
  if (std::any_of(open_.begin(), open_.end(), same)) closed_.push_back(close());
  speaking_.erase(o.device);
  if (open_.empty()) first_ = now;
  last_ = now;
  open_.push_back(o);
}

Gathered Gatherer::close() {
  Gathered out{std::move(open_), {speaking_.begin(), speaking_.end()}, first_};
  std::sort(out.observations.begin(), out.observations.end(),
            [](const Observation& a, const Observation& b) { return a.device < b.device; });
  open_.clear();
  speaking_.clear();
  return out;
}

std::optional<Gathered> Gatherer::poll(double now) {
  if (closed_.empty() && !open_.empty() && (open_.size() == devices_.size() || now >= *next_deadline()))
    closed_.push_back(close());
  if (open_.empty() && !speaking_.empty() && now >= last_start_ + settings_.give_up) speaking_.clear();
  if (closed_.empty()) return std::nullopt;
  Gathered out = std::move(closed_.front());
  closed_.erase(closed_.begin());
  return out;
}

std::optional<double> Gatherer::next_deadline() const {
  if (!closed_.empty()) return 0;
  if (!open_.empty()) {
    const double deadline = first_ + settings_.deadline;
    return speaking_.empty() ? std::min(deadline, last_ + settings_.settle) : deadline;
  }
  if (!speaking_.empty()) return last_start_ + settings_.give_up;
  return std::nullopt;
}

}  // namespace thimble::voice
