// WAV (RIFF) sound files. Read: PCM of 8, 16, 24, 32 bits, 32-bit float, any channel count, WAVE_FORMAT_EXTENSIBLE.
// Written: 16-bit PCM or 32-bit float. Not here: compressed codecs, RF64, resampling.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace thimble::media {

struct Sound {
  int rate = 0;  // samples a second
  int channels = 0;
  std::vector<float> samples;  // (T, channels), full scale -1..1

  std::size_t frames() const { return channels == 0 ? 0 : samples.size() / static_cast<std::size_t>(channels); }
};

enum class WavSample { pcm16, float32 };

// Damaged or truncated files are bad_file, other codecs unsupported; both name `what`.
Sound decode_wav(std::span<const std::byte> bytes, std::string_view what);
Sound read_wav(const std::filesystem::path& path);

// pcm16 clips to full scale and rounds to nearest.
std::string encode_wav(const Sound& sound, WavSample format = WavSample::pcm16);
void write_wav(const std::filesystem::path& path, const Sound& sound, WavSample format = WavSample::pcm16);

}  // namespace thimble::media
