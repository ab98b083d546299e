// Decoder of ITU-T G.722 at 64 kbit/s (mode 1): telephone prompts of 16 kHz whose upper band reaches 7 kHz. One byte
// holds two samples. Not here: 56 and 48 kbit/s, the encoder, packet loss.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace thimble::voice {

// 2 * bytes.size() samples at 16 kHz, full scale -1..1. Any bytes decode to something: G.722 has no header.
std::vector<double> decode_g722(std::span<const std::byte> bytes);

}  // namespace thimble::voice
