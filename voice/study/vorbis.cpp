#include "voice/study/vorbis.h"

#include <vorbis/vorbisfile.h>

#include "base/error.h"

namespace thimble::voice {
namespace {

constexpr double kMaxSeconds = 600;
constexpr int kBlock = 4096;

struct OpenFile {
  OggVorbis_File file{};
  ~OpenFile() { ov_clear(&file); }
};

}  // namespace

dsp::Signal read_vorbis(const std::filesystem::path& path) {
  OpenFile open;
  if (const int status = ov_fopen(path.c_str(), &open.file); status != 0) {
    open.file = {};
    fail(ErrorKind::bad_file, "{} cannot be read as Ogg Vorbis (status {})", path.string(), status);
  }
  const vorbis_info* info = ov_info(&open.file, 0);
  const int channels = info->channels;
  dsp::Signal signal{static_cast<int>(info->rate), {}};
  if (channels < 1 || channels > 8 || signal.rate < 1000 || signal.rate > 192000) {
    fail(ErrorKind::unsupported, "{}: {} channels at {} Hz", path.string(), channels, signal.rate);
  }
  signal.channels.resize(static_cast<std::size_t>(channels));
  const auto limit = static_cast<std::size_t>(kMaxSeconds * signal.rate);
  int link = 0;
  float** block = nullptr;
  for (long n = 0; (n = ov_read_float(&open.file, &block, kBlock, &link)) != 0 && link == 0;) {
    if (n < 0) fail(ErrorKind::bad_file, "{} is damaged (status {})", path.string(), n);
    for (std::size_t c = 0; c < signal.channels.size(); ++c) {
      signal.channels[c].insert(signal.channels[c].end(), block[c], block[c] + n);
    }
    if (signal.frames() > limit) fail(ErrorKind::unsupported, "{} is longer than {} s", path.string(), kMaxSeconds);
  }
  return signal;
}

}  // namespace thimble::voice
