#include "formats/gguf/blocks.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/error.h"

namespace thimble::formats {
namespace {

constexpr std::size_t kSmall = 32, kSuper = 256;

int byte_at(const std::byte* p, std::size_t i) { return std::to_integer<int>(p[i]); }
int signed_at(const std::byte* p, std::size_t i) { return static_cast<std::int8_t>(std::to_integer<int>(p[i])); }

float half_at(const std::byte* p) {
  return to_f32(f16{static_cast<std::uint16_t>(byte_at(p, 0) | byte_at(p, 1) << 8)});
}

std::uint32_t word_at(const std::byte* p) {
  return static_cast<std::uint32_t>(byte_at(p, 0)) | static_cast<std::uint32_t>(byte_at(p, 1)) << 8 |
         static_cast<std::uint32_t>(byte_at(p, 2)) << 16 | static_cast<std::uint32_t>(byte_at(p, 3)) << 24;
}

void expand_q8_0(const std::byte* b, float* to) {
  const float d = half_at(b);
  for (std::size_t i = 0; i < kSmall; ++i) to[i] = d * static_cast<float>(signed_at(b, 2 + i));
}

// Low halves of 16 bytes are the first 16 elements, high halves the others.
void expand_q4_0(const std::byte* b, float* to) {
  const float d = half_at(b);
  for (std::size_t i = 0; i < kSmall / 2; ++i) {
    to[i] = d * static_cast<float>((byte_at(b, 2 + i) & 15) - 8);
    to[i + 16] = d * static_cast<float>((byte_at(b, 2 + i) >> 4) - 8);
  }
}

void expand_q4_1(const std::byte* b, float* to) {
  const float d = half_at(b), m = half_at(b + 2);
  for (std::size_t i = 0; i < kSmall / 2; ++i) {
    to[i] = d * static_cast<float>(byte_at(b, 4 + i) & 15) + m;
    to[i + 16] = d * static_cast<float>(byte_at(b, 4 + i) >> 4) + m;
  }
}

// The fifth bits of all elements stand in one word.
void expand_five(const std::byte* quarters, std::uint32_t fifths, float d, float offset, float* to) {
  for (std::size_t i = 0; i < kSmall / 2; ++i) {
    const int low = (byte_at(quarters, i) & 15) | static_cast<int>(fifths >> i & 1) << 4;
    const int high = byte_at(quarters, i) >> 4 | static_cast<int>(fifths >> (i + 16) & 1) << 4;
    to[i] = d * static_cast<float>(low) + offset;
    to[i + 16] = d * static_cast<float>(high) + offset;
  }
}

void expand_q5_0(const std::byte* b, float* to) {
  const float d = half_at(b);
  expand_five(b + 6, word_at(b + 2), d, -16 * d, to);
}

void expand_q5_1(const std::byte* b, float* to) { expand_five(b + 8, word_at(b + 4), half_at(b), half_at(b + 2), to); }

// 16 scales of 4 bits with 4 bits of offset, 64 bytes of 2 bits, d, dmin.
void expand_q2_k(const std::byte* b, float* to) {
  const std::byte *scales = b, *bits = b + 16;
  const float d = half_at(b + 80), dmin = half_at(b + 82);
  std::size_t group = 0;
  for (std::size_t half = 0; half < 2; ++half, bits += 32) {
    for (int shift = 0; shift < 8; shift += 2) {
      for (std::size_t part = 0; part < 2; ++part, ++group) {
        const int s = byte_at(scales, group);
        const float scale = d * static_cast<float>(s & 15), offset = dmin * static_cast<float>(s >> 4);
        for (std::size_t i = 0; i < 16; ++i) {
          *to++ = scale * static_cast<float>(byte_at(bits, 16 * part + i) >> shift & 3) - offset;
        }
      }
    }
  }
}

// 32 bytes of third bits, 64 bytes of 2 bits, 16 scales of 6 bits in 12 bytes, d.
void expand_q3_k(const std::byte* b, float* to) {
  const std::byte *thirds = b, *bits = b + 32, *packed = b + 96;
  const float d = half_at(b + 108);
  const auto scale_of = [&](std::size_t g) {  // low 4 bits in bytes 0-7, high 2 in bytes 8-11
    const int low = g < 8 ? byte_at(packed, g) & 15 : byte_at(packed, g - 8) >> 4;
    return (low | (byte_at(packed, 8 + g % 4) >> (2 * (g / 4)) & 3) << 4) - 32;
  };
  std::size_t group = 0;
  int third = 0;
  for (std::size_t half = 0; half < 2; ++half, bits += 32) {
    for (int shift = 0; shift < 8; shift += 2, ++third) {
      for (std::size_t part = 0; part < 2; ++part, ++group) {
        const float scale = d * static_cast<float>(scale_of(group));
        for (std::size_t i = 16 * part; i < 16 * part + 16; ++i) {
          const int q = (byte_at(bits, i) >> shift & 3) - ((byte_at(thirds, i) >> third & 1) != 0 ? 0 : 4);
          *to++ = scale * static_cast<float>(q);
        }
      }
    }
  }
}

// Scale and offset of 32 elements, six bits each, eight of both in 12 bytes.
struct Six {
  int scale, offset;
};
Six six_bits(const std::byte* p, std::size_t j) {
  if (j < 4) return {byte_at(p, j) & 63, byte_at(p, j + 4) & 63};
  return {(byte_at(p, j + 4) & 15) | byte_at(p, j - 4) >> 6 << 4, byte_at(p, j + 4) >> 4 | byte_at(p, j) >> 6 << 4};
}

// d, dmin, twelve bytes of scales, then 128 bytes of halves; 32 bytes of fifth bits before these in Q5_K.
void expand_45_k(const std::byte* scales, const std::byte* fifths, const std::byte* halves, float d, float dmin,
                 float* to) {
  for (std::size_t group = 0; group < 8; ++group) {
    const Six six = six_bits(scales, group);
    const float scale = d * static_cast<float>(six.scale), offset = dmin * static_cast<float>(six.offset);
    const std::byte* from = halves + group / 2 * 32;
    for (std::size_t i = 0; i < 32; ++i) {
      int q = group % 2 == 0 ? byte_at(from, i) & 15 : byte_at(from, i) >> 4;
      if (fifths != nullptr) q |= (byte_at(fifths, i) >> group & 1) << 4;
      *to++ = scale * static_cast<float>(q) - offset;
    }
  }
}

void expand_q4_k(const std::byte* b, float* to) { expand_45_k(b + 4, nullptr, b + 16, half_at(b), half_at(b + 2), to); }

void expand_q5_k(const std::byte* b, float* to) { expand_45_k(b + 4, b + 16, b + 48, half_at(b), half_at(b + 2), to); }

// 128 bytes of low halves, 64 bytes of upper two bits, 16 signed scales, d.
void expand_q6_k(const std::byte* b, float* to) {
  const float d = half_at(b + 208);
  for (std::size_t half = 0; half < 2; ++half) {
    const std::byte *low = b + 64 * half, *high = b + 128 + 32 * half, *scales = b + 192 + 8 * half;
    for (std::size_t quarter = 0; quarter < 4; ++quarter) {
      for (std::size_t i = 0; i < 32; ++i) {
        const int byte = byte_at(low, i + 32 * (quarter % 2));
        const int q = (quarter < 2 ? byte & 15 : byte >> 4) | (byte_at(high, i) >> (2 * quarter) & 3) << 4;
        *to++ = d * static_cast<float>(signed_at(scales, 2 * quarter + i / 16)) * static_cast<float>(q - 32);
      }
    }
  }
}

constexpr std::array kBlockTypes{
    BlockType{"Q4_0", 2, kSmall, 18, expand_q4_0},   BlockType{"Q4_1", 3, kSmall, 20, expand_q4_1},
    BlockType{"Q5_0", 6, kSmall, 22, expand_q5_0},   BlockType{"Q5_1", 7, kSmall, 24, expand_q5_1},
    BlockType{"Q8_0", 8, kSmall, 34, expand_q8_0},   BlockType{"Q2_K", 10, kSuper, 84, expand_q2_k},
    BlockType{"Q3_K", 11, kSuper, 110, expand_q3_k}, BlockType{"Q4_K", 12, kSuper, 144, expand_q4_k},
    BlockType{"Q5_K", 13, kSuper, 176, expand_q5_k}, BlockType{"Q6_K", 14, kSuper, 210, expand_q6_k},
};

}  // namespace

std::span<const BlockType> block_types() { return kBlockTypes; }

const BlockType* find_block_type(std::string_view name) {
  const auto at = std::ranges::find(kBlockTypes, name, &BlockType::name);
  return at == kBlockTypes.end() ? nullptr : &*at;
}

graph::Tensor expand_blocks(const TensorInfo& info, DType as) {
  const BlockType* type = find_block_type(info.stored_type());
  check(type != nullptr && is_float(as), "expand_blocks: a block type, to floats");
  const std::int64_t row = info.shape.empty() ? 1 : info.shape.back();
  const auto blocks = static_cast<std::size_t>(info.elements()) / type->elements;
  if (row % static_cast<std::int64_t>(type->elements) != 0 || info.stored_bytes().size() != blocks * type->bytes) {
    fail(ErrorKind::bad_file, "tensor '{}': {} bytes are no {} of {} {}", info.name(), info.stored_bytes().size(),
         graph::to_string(info.shape), type->name, type->elements);
  }
  graph::Tensor out(graph::TensorType{as, info.shape});
  std::array<float, kSuper> values{};
  std::byte* to = out.mutable_data();
  for (std::size_t i = 0; i < blocks; ++i, to += type->elements * size_of(as)) {
    type->expand(info.stored_bytes().data() + i * type->bytes, values.data());
    convert(DType::f32, values.data(), as, to, type->elements);
  }
  return out;
}

void write_q8_0(const float* from, std::size_t n, std::byte* to) {
  check(n % kSmall == 0, "Q8_0 stores whole blocks");
  for (std::size_t at = 0; at < n; at += kSmall, to += 34) {
    float largest = 0;
    for (std::size_t i = 0; i < kSmall; ++i) largest = std::max(largest, std::abs(from[at + i]));
    const float d = largest / 127;
    const f16 stored = to_f16(d);
    std::memcpy(to, &stored.bits, sizeof(stored.bits));
    for (std::size_t i = 0; i < kSmall; ++i) {
      const float q = d == 0 ? 0 : std::round(from[at + i] / d);
      to[2 + i] = static_cast<std::byte>(static_cast<std::int8_t>(q));
    }
  }
}

}  // namespace thimble::formats
