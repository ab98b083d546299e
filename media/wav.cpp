// RIFF/WAVE as described in Microsoft's "Multimedia Programming Interface and Data Specifications 1.0" and the
// WAVEFORMATEXTENSIBLE note. Little-endian throughout.
#include "media/wav.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "base/file.h"

namespace thimble::media {
namespace {

constexpr std::uint32_t kPcm = 1, kFloat = 3, kExtensible = 0xfffe;
constexpr std::uint32_t kMaxChannels = 1024, kMaxRate = 10'000'000;

std::uint32_t little(const std::byte* p, int bytes) {
  std::uint32_t v = 0;
  for (int i = bytes - 1; i >= 0; --i) v = v << 8 | std::to_integer<std::uint32_t>(p[i]);
  return v;
}

std::string put(std::uint32_t v, int bytes) {
  std::string s;
  for (int i = 0; i < bytes; ++i) s += static_cast<char>(v >> (8 * i) & 0xff);
  return s;
}

struct Format {
  std::uint32_t codec = 0, channels = 0, rate = 0, block = 0, bits = 0;
};

Format read_format(std::span<const std::byte> chunk, std::string_view what) {
  if (chunk.size() < 16)
    fail(ErrorKind::bad_file, "{}: a WAV format chunk of {} bytes, 16 were wanted", what, chunk.size());
  const std::byte* p = chunk.data();
  Format f{little(p, 2), little(p + 2, 2), little(p + 4, 4), little(p + 12, 2), little(p + 14, 2)};
  if (f.codec == kExtensible) {
    if (chunk.size() < 40)
      fail(ErrorKind::bad_file, "{}: an extensible WAV format chunk of {} bytes, 40 were wanted", what, chunk.size());
    f.codec = little(p + 24, 2);  // the sub-format's first two bytes
  }
  const bool known = (f.codec == kPcm && (f.bits == 8 || f.bits == 16 || f.bits == 24 || f.bits == 32)) ||
                     (f.codec == kFloat && f.bits == 32);
  if (!known) {
    fail(ErrorKind::unsupported, "{}: WAV codec {} with {} bits; PCM of 8, 16, 24, 32 bits and 32-bit float are read",
         what, f.codec, f.bits);
  }
  if (f.channels < 1 || f.channels > kMaxChannels || f.rate < 1 || f.rate > kMaxRate ||
      f.block != f.channels * f.bits / 8) {
    fail(ErrorKind::bad_file, "{}: WAV header with {} channels, {} Hz, {} bytes a frame", what, f.channels, f.rate,
         f.block);
  }
  return f;
}

float sample_at(const std::byte* p, const Format& f) {
  const std::uint32_t raw = little(p, static_cast<int>(f.bits / 8));
  if (f.codec == kFloat) {
    float v;
    std::memcpy(&v, &raw, 4);
    return v;
  }
  if (f.bits == 8) return (static_cast<float>(raw) - 128.0f) / 128.0f;  // the only unsigned one
  const auto wide = static_cast<std::int32_t>(raw << (32 - f.bits));
  return static_cast<float>(wide / 2147483648.0);
}

}  // namespace

Sound decode_wav(std::span<const std::byte> bytes, std::string_view what) {
  const auto is = [&](std::size_t at, const char* name) { return std::memcmp(bytes.data() + at, name, 4) == 0; };
  if (bytes.size() < 12 || !is(0, "RIFF") || !is(8, "WAVE")) {
    fail(ErrorKind::bad_file, "{}: not a WAV file ({} bytes, no RIFF/WAVE signature)", what, bytes.size());
  }
  Format format;
  for (std::size_t at = 12; bytes.size() - at >= 8;) {
    const std::uint32_t size = little(bytes.data() + at + 4, 4);
    const std::size_t left = bytes.size() - at - 8;
    if (size > left) {
      fail(ErrorKind::bad_file, "{}: truncated WAV: a chunk of {} bytes at byte {}, {} are left", what, size, at, left);
    }
    const auto chunk = bytes.subspan(at + 8, size);
    if (is(at, "fmt ")) format = read_format(chunk, what);
    if (is(at, "data")) {
      if (format.rate == 0) fail(ErrorKind::bad_file, "{}: WAV data before its format chunk", what);
      if (size % format.block != 0)
        fail(ErrorKind::bad_file, "{}: {} bytes of WAV data are no whole number of frames", what, size);
      Sound sound;
      sound.rate = static_cast<int>(format.rate);
      sound.channels = static_cast<int>(format.channels);
      const std::size_t width = format.bits / 8;
      sound.samples.resize(size / width);
      for (std::size_t i = 0; i < sound.samples.size(); ++i)
        sound.samples[i] = sample_at(chunk.data() + i * width, format);
      return sound;
    }
    at += 8 + std::min<std::size_t>(left, size + size % 2);
  }
  fail(ErrorKind::bad_file, "{}: a WAV file without a data chunk", what);
}

Sound read_wav(const std::filesystem::path& path) { return decode_wav(MappedFile::open(path)->bytes(), path.string()); }

std::string encode_wav(const Sound& sound, WavSample sample) {
  if (sound.channels < 1 || sound.rate < 1 || sound.samples.size() % static_cast<std::size_t>(sound.channels) != 0) {
    fail(ErrorKind::bad_input, "cannot write a sound of {} channels, {} Hz, {} samples", sound.channels, sound.rate,
         sound.samples.size());
  }
  const bool pcm = sample == WavSample::pcm16;
  const std::uint32_t width = pcm ? 2 : 4, channels = static_cast<std::uint32_t>(sound.channels);
  const std::uint64_t data = std::uint64_t{width} * sound.samples.size();
  if (data > 0xffffff00u)
    fail(ErrorKind::bad_input, "a WAV file holds less than 4 GiB, this sound needs {} bytes", data);
  const auto rate = static_cast<std::uint32_t>(sound.rate);
  std::string out = "RIFF" + put(static_cast<std::uint32_t>(36 + data), 4) + "WAVEfmt " + put(16, 4) +
                    put(pcm ? kPcm : kFloat, 2) + put(channels, 2) + put(rate, 4) + put(rate * channels * width, 4) +
                    put(channels * width, 2) + put(width * 8, 2) + "data" + put(static_cast<std::uint32_t>(data), 4);
  out.reserve(out.size() + data);
  for (const float v : sound.samples) {
    std::uint32_t raw;
    if (pcm) {
      raw =
          static_cast<std::uint32_t>(static_cast<std::int32_t>(std::clamp(std::lround(v * 32768.0), -32768L, 32767L)));
    } else {
      std::memcpy(&raw, &v, 4);
    }
    for (std::uint32_t i = 0; i < width; ++i) out += static_cast<char>(raw >> (8 * i) & 0xff);
  }
  return out;
}

void write_wav(const std::filesystem::path& path, const Sound& sound, WavSample sample) {
  write_file(path, encode_wav(sound, sample));
}

}  // namespace thimble::media
