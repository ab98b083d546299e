// Code as the Dalvik bytecode reference lays it out: units of 16 bits, an instruction's length known from its first
// byte, and tables of switches and arrays standing between as pseudo-instructions.
#include "gauge/apk/dex_calls.h"

#include <array>

namespace thimble::gauge {
namespace {

// Units of each instruction by its first byte.
constexpr std::array<std::uint8_t, 256> lengths() {
  std::array<std::uint8_t, 256> out{};
  for (auto& l : out) l = 1;
  const auto set = [&](unsigned first, unsigned last, std::uint8_t length) {
    for (unsigned i = first; i <= last; ++i) out[i] = length;
  };
  for (const unsigned i :
       {0x02u, 0x05u, 0x08u, 0x13u, 0x15u, 0x16u, 0x19u, 0x1au, 0x1cu, 0x1fu, 0x20u, 0x22u, 0x23u, 0x29u}) {
    set(i, i, 2);
  }
  for (const unsigned i : {0x03u, 0x06u, 0x09u, 0x14u, 0x17u, 0x1bu, 0x24u, 0x25u, 0x26u, 0x2au, 0x2bu, 0x2cu})
    set(i, i, 3);
  set(0x18, 0x18, 5);
  set(0x2d, 0x3d, 2);
  set(0x44, 0x6d, 2);
  set(0x6e, 0x72, 3);
  set(0x74, 0x78, 3);
  set(0x90, 0xaf, 2);
  set(0xd0, 0xe2, 2);
  set(0xfa, 0xfb, 4);
  set(0xfc, 0xfd, 3);
  set(0xfe, 0xff, 2);
  return out;
}
constexpr std::array<std::uint8_t, 256> kLengths = lengths();

bool is_invoke(std::uint8_t op) { return (op >= 0x6e && op <= 0x72) || (op >= 0x74 && op <= 0x78); }

// Units of a table that stands in the code behind a first unit with a low byte of zero; 1 for a plain nop.
std::uint64_t table_length(Bytes code, std::size_t at) {
  const auto unit = [&](std::size_t i) {
    if (!within(code.size(), at + 2 * i, 2)) fail_truncated("dex code: a table is cut off");
    return std::uint64_t{load<std::uint16_t>(code, at + 2 * i)};
  };
  switch (unit(0) >> 8) {
    case 1: return unit(1) * 2 + 4;
    case 2: return unit(1) * 4 + 2;
    case 3: return ((unit(2) | unit(3) << 16) * unit(1) + 1) / 2 + 4;
    default: return 1;
  }
}

void read_code(Bytes file, std::uint64_t at, std::uint32_t caller, FunctionRef<void(std::uint32_t, std::uint32_t)> f) {
  Reader r(file, "dex code");
  r.seek(at);
  r.skip(12);  // registers, arguments, tries, debug information
  const std::uint64_t units = r.u32();
  const Bytes code = r.take(units * 2);
  for (std::uint64_t i = 0; i < code.size();) {
    const auto op = std::to_integer<std::uint8_t>(code[i]);
    const std::uint64_t length = 2 * (op == 0 ? table_length(code, i) : kLengths[op]);
    if (!within(code.size(), i, length)) fail_truncated("dex code: instruction {:02x} is cut off", op);
    if (is_invoke(op)) f(caller, load<std::uint16_t>(code, i + 2));
    i += length;
  }
}

}  // namespace

void for_each_call(const Dex& dex, FunctionRef<void(std::uint32_t, std::uint32_t)> f) {
  // Many methods may share their code, so its length bounds nothing; honest code is read once.
  std::uint64_t left = 8 * std::uint64_t{dex.file().size()};
  for (std::uint32_t c = 0; c < dex.classes(); ++c) {
    const std::uint32_t at = dex.class_data(c);
    if (at == 0) continue;
    Reader r(dex.file(), "dex class data");
    r.seek(at);
    const std::uint64_t fields = r.varint() + r.varint();
    const std::uint64_t methods = r.varint() + r.varint();
    if (fields > r.left() || methods > r.left()) fail_truncated("dex: class {} has {} methods", c, methods);
    for (std::uint64_t i = 0; i < 2 * fields; ++i) r.varint();
    const std::uint32_t caller = dex.class_type(c);
    for (std::uint64_t i = 0; i < methods; ++i) {
      r.varint();  // which method, as a step from the last
      r.varint();  // its flags
      const std::uint64_t code = r.varint();
      if (code == 0) continue;  // abstract or native
      if (!within(dex.file().size(), code, 16)) fail_truncated("dex: code at {} of {}", code, dex.file().size());
      const std::uint64_t bytes =
          16 + 2 * std::uint64_t{load<std::uint32_t>(dex.file(), static_cast<std::size_t>(code) + 12)};
      if (bytes > left) fail(ErrorKind::bad_file, "dex: methods share their code beyond measure");
      left -= bytes;
      read_code(dex.file(), code, caller, f);
    }
  }
}

}  // namespace thimble::gauge
