#include "gauge/testing/material.h"

#include <zlib.h>

#include <algorithm>
#include <functional>
#include <map>

#include "base/rng.h"

namespace thimble::gauge::testing {
namespace {

template <class T>
std::string le(T value) {
  std::string out(sizeof(T), '\0');
  for (std::size_t i = 0; i < sizeof(T); ++i) out[i] = static_cast<char>(static_cast<std::uint64_t>(value) >> (8 * i));
  return out;
}
std::string u16(std::uint64_t v) { return le(static_cast<std::uint16_t>(v)); }
std::string u32(std::uint64_t v) { return le(static_cast<std::uint32_t>(v)); }
std::string u64(std::uint64_t v) { return le(v); }

void patch32(std::string& out, std::size_t at, std::uint64_t value) { out.replace(at, 4, u32(value)); }
void align(std::string& out, std::size_t to) { out.resize((out.size() + to - 1) / to * to, '\0'); }

std::string deflated(const std::string& data, int window_bits) {
  z_stream z{};
  deflateInit2(&z, 9, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&z, data.size()), '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
  z.avail_in = static_cast<uInt>(data.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  deflate(&z, Z_FINISH);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

std::uint32_t crc(const std::string& data) {
  return static_cast<std::uint32_t>(
      crc32(0, reinterpret_cast<const Bytef*>(data.data()), static_cast<uInt>(data.size())));
}

std::string varint(std::uint64_t v) {
  std::string out;
  for (; v >= 0x80; v >>= 7) out += static_cast<char>(v | 0x80);
  return out + static_cast<char>(v);
}
std::string proto_bytes(unsigned field, const std::string& value) {
  return varint(field << 3 | 2) + varint(value.size()) + value;
}
std::string proto_number(unsigned field, std::uint64_t value) { return varint(field << 3) + varint(value); }

// A FlatBuffers writer, front to back: whatever is pointed to is written behind.
using Child = std::function<std::size_t(std::string&)>;
struct Field {
  unsigned slot;
  std::string scalar;
  Child child;
};
std::size_t put_table(std::string& out, const std::vector<Field>& fields) {
  unsigned slots = 4;
  for (const Field& f : fields) slots = std::max(slots, f.slot + 2);
  std::string vtable(slots, '\0'), table(4, '\0');
  std::vector<std::size_t> places;
  for (const Field& f : fields) {
    align(table, 4);
    places.push_back(table.size());
    vtable.replace(f.slot, 2, u16(table.size()));
    table += f.child ? std::string(4, '\0') : f.scalar;
  }
  align(table, 4);
  vtable.replace(0, 4, u16(vtable.size()) + u16(table.size()));
  align(out, 4);
  const std::size_t vtable_at = out.size();
  out += vtable;
  align(out, 4);
  const std::size_t at = out.size();
  table.replace(0, 4, u32(at - vtable_at));
  out += table;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (fields[i].child) patch32(out, at + places[i], fields[i].child(out) - (at + places[i]));
  }
  return at;
}
Child numbers(const std::string& packed, std::size_t count) {
  return [=](std::string& out) {
    align(out, 4);
    const std::size_t at = out.size();
    out += u32(count) + packed;
    return at;
  };
}
Child ints(const std::vector<std::int32_t>& values) {
  std::string packed;
  for (const std::int32_t v : values) packed += u32(static_cast<std::uint32_t>(v));
  return numbers(packed, values.size());
}
Child bytes(const std::string& text) { return numbers(text, text.size()); }
Child tables(const std::vector<std::vector<Field>>& items) {
  return [=](std::string& out) {
    align(out, 4);
    const std::size_t at = out.size();
    out += u32(items.size()) + std::string(4 * items.size(), '\0');
    for (std::size_t i = 0; i < items.size(); ++i) {
      const std::size_t place = at + 4 + 4 * i, item = put_table(out, items[i]);
      patch32(out, place, item - place);
    }
    return at;
  };
}

}  // namespace

std::string make_zip(const std::vector<ZipEntry>& entries, const std::string& comment, const std::string& before) {
  constexpr std::uint16_t kDescriptor = 8;
  std::string out = before, central;
  for (const ZipEntry& e : entries) {
    const std::string packed = e.method == 8 ? deflated(e.data, -MAX_WBITS) : e.data;
    const std::size_t at = out.size() - before.size();
    const std::uint64_t size = e.size.value_or(static_cast<std::uint32_t>(e.data.size()));
    const std::uint64_t packed_size = e.packed.value_or(static_cast<std::uint32_t>(packed.size()));
    const std::uint32_t sum = e.crc.value_or(crc(e.data));
    const bool descriptor = (e.flags & kDescriptor) != 0;
    const std::string local_name = e.local_name.value_or(e.name);
    const std::string wide = e.zip64 ? u16(1) + u16(16) + u64(size) + u64(packed_size) : "";
    const std::string sizes = e.zip64 ? u32(~0u) + u32(~0u) : u32(packed_size) + u32(size);
    out += u32(0x04034b50) + u16(20) + u16(e.flags) + u16(e.method) + u32(0) + u32(descriptor ? 0 : sum) +
           (descriptor ? u64(0) : sizes) + u16(local_name.size()) + u16(wide.size()) + local_name + wide + packed;
    if (descriptor) out += u32(0x08074b50) + u32(sum) + u32(packed_size) + u32(size);
    central += u32(0x02014b50) + u16(20) + u16(20) + u16(e.flags) + u16(e.method) + u32(0) + u32(sum) + sizes +
               u16(e.name.size()) + u16(wide.size()) + u16(0) + u16(0) + u16(0) + u32(0) +
               u32(e.local_offset.value_or(static_cast<std::uint32_t>(at))) + e.name + wide;
  }
  const std::size_t at = out.size() - before.size();
  return out + central + u32(0x06054b50) + u16(0) + u16(0) + u16(entries.size()) + u16(entries.size()) +
         u32(central.size()) + u32(at) + u16(comment.size()) + comment;
}

std::string make_tar(const std::vector<std::pair<std::string, std::string>>& files) {
  const auto octal = [](std::uint64_t value, int digits) {
    std::string s(static_cast<std::size_t>(digits), '0');
    for (auto it = s.rbegin(); it != s.rend(); ++it, value >>= 3) *it = static_cast<char>('0' + (value & 7));
    return s + '\0';
  };
  std::string out;
  for (const auto& [name, data] : files) {
    std::string h(512, '\0');
    h.replace(0, name.size(), name);
    h.replace(100, 24, octal(0644, 7) + octal(0, 7) + octal(0, 7));
    h.replace(124, 24, octal(data.size(), 11) + octal(0, 11));
    h.replace(148, 8, "        ");
    h[156] = '0';
    h.replace(257, 8,
              std::string("ustar\0"
                          "00",
                          8));
    std::uint64_t sum = 0;
    for (const char c : h) sum += static_cast<unsigned char>(c);
    h.replace(148, 7, octal(sum, 6));
    out += h + data;
    align(out, 512);
  }
  return out + std::string(1024, '\0');
}

std::string make_gzip(const std::string& data) { return deflated(data, 16 + MAX_WBITS); }

std::string make_axml(const ManifestText& m) {
  std::vector<std::string> pool{"versionCode", "versionName", "minSdkVersion", "targetSdkVersion", "name", "value"};
  const std::vector<std::uint32_t> resources{0x0101021b, 0x0101021c, 0x0101020c, 0x01010270, 0x01010003, 0x01010024};
  const auto index = [&](const std::string& s) {
    const auto at = std::find(pool.begin(), pool.end(), s);
    if (at != pool.end()) return static_cast<std::uint32_t>(at - pool.begin());
    pool.push_back(s);
    return static_cast<std::uint32_t>(pool.size() - 1);
  };
  struct Value {
    std::string name, text;
    std::uint32_t number = 0;
    bool is_number = false;
  };
  std::string tags;
  const auto tag = [&](const std::string& name, const std::vector<Value>& values) {
    std::string body = u32(~0u) + u32(index(name)) + u16(20) + u16(20) + u16(values.size()) + u16(0) + u16(0) + u16(0);
    for (const Value& v : values) {
      const std::uint32_t raw = v.is_number ? ~0u : index(v.text);
      body += u32(~0u) + u32(index(v.name)) + u32(raw) + u16(8) + std::string(1, '\0') +
              (v.is_number ? '\x10' : '\x03') + u32(v.is_number ? v.number : raw);
    }
    tags += u16(0x0102) + u16(16) + u32(16 + body.size()) + u32(1) + u32(~0u) + body;
    tags += u16(0x0103) + u16(16) + u32(24) + u32(1) + u32(~0u) + u32(~0u) + u32(index(name));
  };
  std::vector<Value> root{
      {"versionCode", "", m.version_code, true}, {"versionName", m.version_name}, {"package", m.package}};
  if (!m.split.empty()) root.push_back({"split", m.split});
  tag("manifest", root);
  tag("uses-sdk", {{"minSdkVersion", "", m.min_sdk, true}, {"targetSdkVersion", "", m.target_sdk, true}});
  for (const std::string& p : m.permissions) tag("uses-permission", {{"name", p}});
  for (const auto& [name, value] : m.meta_data) tag("meta-data", {{"name", name}, {"value", value}});

  std::string offsets, strings;
  for (const std::string& s : pool) {
    offsets += u32(strings.size());
    if (m.utf8) {
      strings += std::string(1, static_cast<char>(s.size())) + static_cast<char>(s.size()) + s + '\0';
    } else {
      strings += u16(s.size());
      for (const char c : s) strings += u16(static_cast<unsigned char>(c));
      strings += u16(0);
    }
  }
  align(strings, 4);
  std::string map;
  for (const std::uint32_t r : resources) map += u32(r);
  const std::string body = u16(0x0001) + u16(28) + u32(28 + offsets.size() + strings.size()) + u32(pool.size()) +
                           u32(0) + u32(m.utf8 ? 1 << 8 : 0) + u32(28 + offsets.size()) + u32(0) + offsets + strings +
                           u16(0x0180) + u16(8) + u32(8 + map.size()) + map + tags;
  return u16(0x0003) + u16(8) + u32(8 + body.size()) + body;
}

std::string make_proto_manifest(const ManifestText& m) {
  const auto attribute = [](const std::string& name, const std::string& value) {
    return proto_bytes(4, proto_bytes(2, name) + proto_bytes(3, value));
  };
  const auto element = [](const std::string& name, const std::string& rest) {
    return proto_bytes(1, proto_bytes(3, name) + rest);
  };
  std::string children =
      proto_bytes(5, element("uses-sdk", attribute("minSdkVersion", std::to_string(m.min_sdk)) +
                                             attribute("targetSdkVersion", std::to_string(m.target_sdk))));
  for (const std::string& p : m.permissions)
    children += proto_bytes(5, element("uses-permission", attribute("name", p)));
  return element("manifest", attribute("package", m.package) +
                                 attribute("versionCode", std::to_string(m.version_code)) +
                                 attribute("versionName", m.version_name) + children);
}

std::string make_dex(const DexText& d) {
  std::vector<std::string> strings, types = d.defined;
  types.insert(types.end(), d.referenced.begin(), d.referenced.end());
  const auto index = [&](const std::string& s) {
    const auto at = std::find(strings.begin(), strings.end(), s);
    if (at != strings.end()) return static_cast<std::uint32_t>(at - strings.begin());
    strings.push_back(s);
    return static_cast<std::uint32_t>(strings.size() - 1);
  };
  std::string type_ids, method_ids, class_defs;
  for (const std::string& t : types) type_ids += u32(index(t));
  for (const auto& [type, name] : d.methods) {
    const auto at = std::find(types.begin(), types.end(), type) - types.begin();
    method_ids += u16(static_cast<std::uint64_t>(at)) + u16(0) + u32(index(name));
  }
  const std::size_t class_defs_size = 32 * d.defined.size();
  for (const std::string& s : d.strings) index(s);

  const std::size_t strings_at = 0x70, types_at = strings_at + 4 * strings.size(),
                    methods_at = types_at + type_ids.size(), classes_at = methods_at + method_ids.size(),
                    data_at = classes_at + class_defs_size;
  std::string ids, data;
  for (const std::string& s : strings) {
    ids += u32(data_at + data.size());
    data += varint(s.size()) + s + '\0';
  }
  // One method a class, whose code is its calls among a constant, a table of an array and the return.
  for (std::size_t c = 0; c < d.defined.size(); ++c) {
    std::string code = u16(0x0018) + u64(0x6e6e6e6e6e6e6e6e);  // const-wide: its value is no call
    for (const auto& [caller, method] : d.calls) {
      if (caller == c) code += u16(0x206e) + u16(method) + u16(0x10);
    }
    code += u16(0x000e) + u16(0x0300) + u16(1) + u32(3) + std::string("nnn\0", 4);  // return; three bytes of an array
    align(data, 4);
    const std::size_t code_at = data_at + data.size();
    data += u16(1) + u16(1) + u16(0) + u16(0) + u32(0) + u32(code.size() / 2) + code;
    class_defs += u32(c) + std::string(20, '\0') + u32(data_at + data.size()) + u32(0);
    data += varint(0) + varint(0) + varint(1) + varint(0) + varint(0) + varint(1) + varint(code_at);
  }
  std::string header = std::string("dex\n035\0", 8) + std::string(24, '\0') + u32(data_at + data.size()) + u32(0x70) +
                       u32(0x12345678) + std::string(12, '\0');
  header += u32(strings.size()) + u32(strings_at) + u32(types.size()) + u32(types_at) + std::string(16, '\0') +
            u32(d.methods.size()) + u32(methods_at) + u32(d.defined.size()) + u32(classes_at) + u32(data.size()) +
            u32(data_at);
  return header + ids + type_ids + method_ids + class_defs + data;
}

std::string make_elf(const ElfText& e) {
  std::string dynstr(1, '\0'), dynsym(24, '\0');
  const auto name = [&](const std::string& s) {
    const std::size_t at = dynstr.size();
    dynstr += s + '\0';
    return at;
  };
  std::string dynamic;
  for (const std::string& n : e.needed) dynamic += u64(1) + u64(name(n));
  dynamic += u64(14) + u64(name(e.soname));
  for (const std::string& s : e.exported) dynsym += u32(name(s)) + "\x12" + '\0' + u16(1) + u64(0x1000) + u64(4);
  for (const std::string& s : e.imported) dynsym += u32(name(s)) + "\x12" + '\0' + u16(0) + u64(0) + u64(0);
  const std::size_t symbols = 1 + e.exported.size() + e.imported.size();
  const std::string hash = u32(1) + u32(symbols) + u32(0) + std::string(4 * symbols, '\0');
  const std::size_t dynamic_at = 64 + 2 * 56, dynamic_size = dynamic.size() + 5 * 16,
                    sym_at = dynamic_at + dynamic_size, hash_at = sym_at + dynsym.size(),
                    str_at = hash_at + hash.size();
  dynamic += u64(4) + u64(hash_at) + u64(5) + u64(str_at) + u64(6) + u64(sym_at) + u64(10) + u64(dynstr.size()) +
             u64(0) + u64(0);
  const std::size_t size = str_at + dynstr.size() + e.rodata.size();
  const auto segment = [](std::uint32_t type, std::uint64_t at, std::uint64_t length) {
    return u32(type) + u32(4) + u64(at) + u64(at) + u64(at) + u64(length) + u64(length) + u64(8);
  };
  std::string out = std::string(
                        "\x7f"
                        "ELF\2\1\1",
                        7) +
                    std::string(9, '\0') + u16(3) + u16(183) + u32(1) + u64(0) + u64(64) + u64(0) + u32(0) + u16(64) +
                    u16(56) + u16(2) + u16(0) + u16(0) + u16(0);
  return out + segment(1, 0, size) + segment(2, dynamic_at, dynamic_size) + dynamic + dynsym + hash + dynstr + e.rodata;
}

std::string make_tflite(std::uint32_t weights) {
  const auto tensor = [](const std::vector<std::int32_t>& shape, std::uint32_t buffer, const std::string& name) {
    return std::vector<Field>{{4, {}, ints(shape)}, {8, u32(buffer), {}}, {10, {}, bytes(name)}};
  };
  std::string floats;
  for (std::uint32_t i = 0; i < weights; ++i) floats += u32(0x3f800000 + i * 977);
  const auto w = static_cast<std::int32_t>(weights);
  const std::vector<Field> graph{
      {4,
       {},
       tables({tensor({1, 8, 8, w}, 0, "image"), tensor({1, 1, 1, w}, 1, "filter"), tensor({1, 8, 8, 1}, 0, "map")})},
      {6, {}, ints({0})},
      {8, {}, ints({2})},
      {10, {}, tables({{{4, u32(0), {}}, {6, {}, ints({0, 1, -1})}, {8, {}, ints({2})}}})}};
  std::string out = std::string(4, '\0') + "TFL3";
  const std::size_t root = put_table(out, {{4, u32(3), {}},
                                           {6, {}, tables({{{4, std::string(1, '\3'), {}}, {10, u32(3), {}}}})},
                                           {8, {}, tables({graph})},
                                           {10, {}, bytes("made by a test")},
                                           {12, {}, tables({{}, {{4, {}, bytes(floats)}}})}});
  patch32(out, 0, root);
  return out;
}

std::string make_onnx(std::uint32_t weights) {
  const std::string tensor = proto_number(1, weights) + proto_number(2, 1) + proto_bytes(8, "w") +
                             proto_bytes(9, std::string(4 * std::size_t{weights}, '\x3e'));
  const auto node = [](const std::string& in, const std::string& out, const std::string& op, const std::string& rest) {
    return proto_bytes(1, proto_bytes(1, in) + proto_bytes(2, out) + proto_bytes(4, op) + rest);
  };
  const std::string branch = proto_bytes(2, "then") + node("y", "z", "Identity", "");
  const std::string graph =
      node("x", "y", "Gemm", "") +
      node("c", "z", "If", proto_bytes(5, proto_bytes(1, "then_branch") + proto_bytes(6, branch))) +
      proto_bytes(2, "main") + proto_bytes(5, tensor) + proto_bytes(11, proto_bytes(1, "x")) +
      proto_bytes(12, proto_bytes(1, "z"));
  return proto_number(1, 8) + proto_bytes(2, "a test") + proto_bytes(7, graph) + proto_bytes(8, proto_number(2, 17));
}

std::string make_gguf() {
  const auto text = [](const std::string& s) { return u64(s.size()) + s; };
  std::string out = "GGUF" + u32(3) + u64(2) + u64(3);
  out += text("general.name") + u32(8) + text("tiny");
  out += text("general.alignment") + u32(4) + u32(32);
  out += text("tokens") + u32(9) + u32(8) + u64(2) + text("a") + text("b");
  out += text("norm") + u32(1) + u64(64) + u32(0) + u64(0);
  out += text("weight") + u32(2) + u64(32) + u64(2) + u32(8) + u64(256);
  align(out, 32);
  return out + std::string(256, '\1') + std::string(2 * 34, '\2');
}

std::string make_safetensors() {
  const std::string header = R"({"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}})";
  return u64(header.size()) + header + std::string(24, '\1');
}

std::string make_ncnn_param() {
  return "7767517\n2 2\nInput data 0 1 data 0=8 1=8 2=1\nConvolution conv 1 1 data out 0=3 1=3 5=1 6=27 -23301=2,1,2\n";
}
std::string make_ncnn_binary_param() {
  return u32(0x007685DD) + u32(2) + u32(2) + u32(16) + u32(0) + u32(1) + u32(0) + u32(0) + u32(8) + u32(-233) + u32(6) +
         u32(1) + u32(1) + u32(0) + u32(1) + u32(0) + u32(3) + u32(-23301) + u32(1) + u32(5) + u32(-233);
}
std::string make_ncnn_bin() { return u32(0x01306B47) + std::string(56, '\x3c') + std::string(12, '\0'); }

std::string random_bytes(std::size_t count, std::uint64_t seed) {
  Rng rng(seed, 0);
  std::string out(count, '\0');
  for (char& c : out) c = static_cast<char>(rng.below(256));
  return out;
}

}  // namespace thimble::gauge::testing
