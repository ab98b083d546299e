#include "voice/message.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>

#include "base/error.h"
#include "dsp/beamform.h"

namespace thimble::voice {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr int kNoPower = -32768;
constexpr double kDegree = std::numbers::pi / 180;
constexpr BandPowers Observation::*kPowers[] = {&Observation::raw, &Observation::beam, &Observation::coherent,
                                                &Observation::onset};

double to_db(double power) { return 10 * std::log10(power); }
double from_db(double db) { return std::pow(10.0, db / 10); }

// Rounds into [low, high].
std::int64_t fixed(double value, double scale, std::int64_t low, std::int64_t high) {
  if (!std::isfinite(value)) fail(ErrorKind::bad_input, "a message of numbers that are not finite");
  const double scaled = std::round(value * scale);
  if (scaled <= static_cast<double>(low)) return low;
  if (scaled >= static_cast<double>(high)) return high;
  return static_cast<std::int64_t>(scaled);
}

class Writer {
 public:
  void put(std::int64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) out.push_back(static_cast<std::byte>(static_cast<std::uint64_t>(value) >> (8 * i)));
  }
  std::vector<std::byte> out;
};

class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : bytes_(bytes) {}
  std::uint64_t take(int bytes) {  // the length was checked
    std::uint64_t value = 0;
    for (int i = 0; i < bytes; ++i) value |= static_cast<std::uint64_t>(bytes_[at_++]) << (8 * i);
    return value;
  }
  std::int64_t take_signed(int bytes) {
    const std::uint64_t value = take(bytes), sign = std::uint64_t{1} << (8 * bytes - 1);
    return static_cast<std::int64_t>(value) - static_cast<std::int64_t>((value & sign) << 1);
  }

 private:
  std::span<const std::byte> bytes_;
  std::size_t at_ = 0;
};

}  // namespace

std::vector<std::byte> encode_message(const Observation& o) {
  if (o.device < 0 || o.device > 65535) fail(ErrorKind::bad_input, "device id {}; 0 to 65535 fit a message", o.device);
  Writer w;
  w.put(kVersion, 1);
  w.put(o.device, 2);
  w.put(o.utterance, 4);
  w.put(fixed(o.start, 1000, 0, (std::int64_t{1} << 48) - 1), 6);
  w.put(fixed(o.duration, 1000, 0, 65535), 2);
  w.put(fixed(dsp::wrap_angle(o.azimuth), 65536 / (2 * std::numbers::pi), -32768, 32767), 2);
  w.put(o.elevation ? fixed(*o.elevation, 1 / kDegree, -90, 90) : -128, 1);
  w.put(fixed(o.confidence, 255, 0, 255), 1);
  w.put(fixed(std::log10(std::clamp(o.peak_ratio, 1.0, 100.0)), 127.5, 0, 255), 1);
  w.put(fixed(o.steered_coherence, 255, 0, 255), 1);
  w.put((o.clipped ? 1 : 0) | (o.offset ? 2 : 0) | (o.noise_known ? 4 : 0), 1);
  w.put(o.heard & ((1u << kBands) - 1), 1);
  for (const auto powers : kPowers)
    for (const double p : o.*powers) w.put(p == 0 ? kNoPower : fixed(to_db(p), 100, kNoPower + 1, 32767), 2);
  for (const double p : o.noise) w.put(p == 0 ? 0 : fixed(to_db(p) + 200, 1, 1, 255), 1);
  w.put(fixed(o.active_seconds, 10, 0, 255), 1);
  w.put(fixed(o.band_ratio_db, 100, -32767, 32767), 2);
  check(w.out.size() == kMessageBytes, "a message has its fixed length");
  return std::move(w.out);
}

Observation decode_message(std::span<const std::byte> bytes) {
  if (bytes.size() != kMessageBytes)
    fail(ErrorKind::bad_file, "a message of {} bytes; {} were wanted", bytes.size(), kMessageBytes);
  Reader r(bytes);
  if (const auto version = r.take(1); version != kVersion)
    fail(ErrorKind::bad_file, "a message of version {}; this program knows {}", version, kVersion);
  Observation o;
  o.device = static_cast<int>(r.take(2));
  o.utterance = static_cast<std::uint32_t>(r.take(4));
  o.start = static_cast<double>(r.take(6)) / 1000;
  o.duration = static_cast<double>(r.take(2)) / 1000;
  o.azimuth = static_cast<double>(r.take_signed(2)) * 2 * std::numbers::pi / 65536;
  const std::int64_t elevation = r.take_signed(1);
  if (elevation != -128 && std::abs(elevation) > 90)
    fail(ErrorKind::bad_file, "a message with an elevation of {} degrees", elevation);
  if (elevation != -128) o.elevation = static_cast<double>(elevation) * kDegree;
  o.confidence = static_cast<double>(r.take(1)) / 255;
  o.peak_ratio = std::pow(10.0, static_cast<double>(r.take(1)) / 127.5);
  o.steered_coherence = static_cast<double>(r.take(1)) / 255;
  const std::uint64_t flags = r.take(1);
  if (flags > 7) fail(ErrorKind::bad_file, "a message with unknown flags {:#x}", flags);
  o.clipped = (flags & 1) != 0;
  o.offset = (flags & 2) != 0;
  o.noise_known = (flags & 4) != 0;
  o.heard = static_cast<unsigned>(r.take(1));
  if (o.heard >= 1u << kBands) fail(ErrorKind::bad_file, "a message with bands {:#x}; there are {}", o.heard, kBands);
  for (const auto powers : kPowers) {
    for (double& p : o.*powers) {
      const std::int64_t db = r.take_signed(2);
      p = db == kNoPower ? 0 : from_db(static_cast<double>(db) / 100);
    }
  }
  for (double& p : o.noise) {
    const auto db = static_cast<double>(r.take(1));
    p = db == 0 ? 0 : from_db(db - 200);
  }
  o.active_seconds = static_cast<double>(r.take(1)) / 10;
  o.band_ratio_db = static_cast<double>(r.take_signed(2)) / 100;
  return o;
}

BandPowers beam_response(const dsp::MicArray& array, double azimuth, double elevation, int rate,
                         const PowerSettings& settings) {
  constexpr int kSteps = 16;  // frequencies a band
  BandPowers out{1, 1, 1, 1, 1};
  const std::size_t mics = array.size();
  std::vector<dsp::Complex> a(mics), w(mics), field(mics * mics);
  for (std::size_t b = 0; b < kBands; ++b) {
    if (kBandEdges[b + 1] > 0.48 * rate) continue;
    double sum = 0;
    for (int i = 0; i < kSteps; ++i) {
      const double f = kBandEdges[b] + (kBandEdges[b + 1] - kBandEdges[b]) * (i + 0.5) / kSteps;
      dsp::steering_vector(array, {azimuth, elevation}, f, a);
      dsp::diffuse_coherence(array, f, field);
      if (settings.superdirective)
        dsp::mvdr_weights(field, a, settings.loading, w);
      else
        dsp::delay_and_sum_weights(a, w);
      for (std::size_t m = 0; m < mics; ++m)
        for (std::size_t n = 0; n < mics; ++n) sum += (std::conj(w[m]) * field[m * mics + n] * w[n]).real();
    }
    out[b] = std::clamp(sum / kSteps, 1e-3, 1.0);
  }
  return out;
}

}  // namespace thimble::voice
