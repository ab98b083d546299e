// Target: WAV files. What is read must be whole frames of a sane rate, and survive being written and read again.
#include "media/wav.h"

#include "tests/fuzz/target.h"

namespace thimble::fuzz {

std::vector<std::string> seeds() {
  media::Sound sound{16000, 3, {}};
  for (int i = 0; i < 30; ++i) sound.samples.push_back(static_cast<float>(i) / 32.0f - 0.5f);
  const std::string pcm = media::encode_wav(sound), exact = media::encode_wav(sound, media::WavSample::float32);
  // The same bytes as 24-bit PCM: ten frames of three channels hold 90 bytes, the header's bits and sizes are
  // rewritten.
  std::string wide = pcm.substr(0, 44) + std::string(90, '\x5a');
  wide[4] = 126;
  wide[32] = 9;
  wide[34] = 24;
  wide[40] = 90;
  return {pcm, exact, wide};
}

}  // namespace thimble::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace thimble;
  return fuzz::survives([&] {
    const media::Sound sound = media::decode_wav(fuzz::bytes_of(fuzz::text_of(data, size)), "input");
    fuzz::require(sound.rate > 0 && sound.channels > 0 && sound.samples.size() <= size);
    fuzz::require(sound.samples.size() == sound.frames() * static_cast<std::size_t>(sound.channels));
    fuzz::touch(std::as_bytes(std::span(sound.samples)));
    const std::string again = media::encode_wav(sound, media::WavSample::float32);
    const media::Sound copy = media::decode_wav(fuzz::bytes_of(again), "copy");
    fuzz::require(copy.rate == sound.rate && copy.channels == sound.channels && copy.frames() == sound.frames());
  });
}
