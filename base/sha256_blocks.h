// The rounds of SHA-256 over whole blocks, apart for tests: the portable ones, and those by the processor's own
// instructions, which take a tenth of the time. Inside this folder only; sha256 is base/file.h's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace thimble {

using Sha256State = std::array<std::uint32_t, 8>;

// `blocks` blocks of 64 bytes from `p` on.
void sha256_blocks_portable(Sha256State& h, const unsigned char* p, std::size_t blocks);

// Whether the processor has the instructions; the other may be called only then.
bool has_sha256_instructions();
void sha256_blocks_native(Sha256State& h, const unsigned char* p, std::size_t blocks);

extern const std::array<std::uint32_t, 64> kSha256Rounds;

}  // namespace thimble
