// What one device tells the others of one utterance: 71 bytes, fixed point, little-endian. No sound leaves a device.
// Version 1, by byte:
//   0 version   1-2 device   3-6 utterance   7-12 start, ms   13-14 duration, ms (0xFFFF: that or longer)
//   15-16 azimuth, 2 pi / 65536   17 elevation, degrees (-128: none)   18 confidence, 1/255
//   19 peak ratio: 127.5 log10   20 steered coherence, 1/255   21 flags: clipped 1, offset 2, noise known 4
//   22 bands heard, one bit each   23-62 raw, beam, coherent, onset by band: 0.01 dB as 16-bit (-32768: none)
//   63-67 noise by band, dB + 200 (0: none)   68 active time, 1/10 s   69-70 band ratio, 0.01 dB
// beam_diffuse is not sent: the receiver knows the array and works it out (beam_response()).
// Not here: who may send (net/authentic.h), how several are gathered (voice/gather.h).
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "voice/observation.h"
#include "voice/settings.h"

namespace thimble::voice {

inline constexpr std::size_t kMessageBytes = 71;

// Values beyond what fixed point holds are kept at its ends. bad_input for numbers that are not finite.
std::vector<std::byte> encode_message(const Observation& o);
// bad_file, in a line, for another length or version and for values that no sender makes.
Observation decode_message(std::span<const std::byte> bytes);

// The share of a diffuse field that a beam of `array` to that direction passes, by band: Observation::beam_diffuse.
BandPowers beam_response(const dsp::MicArray& array, double azimuth, double elevation, int rate,
                         const PowerSettings& settings);

}  // namespace thimble::voice
