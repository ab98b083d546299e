// How random bytes look, to tell an encrypted model from a compressed one and from numbers. Shannon entropy alone does
// not: valid models with half-precision weights reach 7.7 bits a byte. So structure is asked first (the probes), and
// only bytes without any structure are judged here, by three measures together.
#pragma once

#include <cstdint>
#include <string>

#include "gauge/bytes.h"

namespace thimble::gauge {

struct Randomness {
  double entropy = 0;         // bits a byte, 0..8, of the whole
  double window_entropy = 0;  // the least over windows of 64 KiB (whole ones; the whole when it is shorter)
  double chi_square = 0;      // of the byte counts against equal ones, 255 degrees of freedom: about 255 when random
};

Randomness measure_randomness(Bytes bytes);

enum class Texture {
  structured,  // numbers, code, text: something is there to be seen
  dense,       // nearly random, not quite: compressed
  random,      // cannot be told from random: encrypted, or compressed without a trace
  too_short,   // under 1 KiB nothing can be said
};

Texture texture_of(const Randomness& r, std::uint64_t size);
std::string to_string(const Randomness& r);  // "entropy 7.99 bits a byte, chi-square 251"

}  // namespace thimble::gauge
