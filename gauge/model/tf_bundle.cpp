#include "gauge/model/tf_bundle.h"

#include <algorithm>

#include "gauge/wire/protobuf.h"

namespace thimble::gauge {
namespace {

using Wire = Protobuf::Wire;

constexpr std::uint64_t kMagic = 0xdb4775248b80fb57;
constexpr std::size_t kFooter = 48, kTrailer = 5;  // of a block: its compression and its checksum

struct Handle {
  std::uint64_t offset = 0, size = 0;
};

Handle handle_of(Bytes bytes) {
  Reader r(bytes, "checkpoint handle");
  Handle h;
  h.offset = r.varint();
  h.size = r.varint();
  return h;
}

// Calls f(key, value) for every entry of a block.
template <class F>
void each_entry(Bytes file, Handle h, const F& f) {
  if (!within(file.size(), h.offset, h.size) || !within(file.size() - h.size, h.offset, kTrailer)) {
    fail_truncated("checkpoint index: a block of {} bytes at {}, the file has {}", h.size, h.offset, file.size());
  }
  const Bytes block = file.subspan(static_cast<std::size_t>(h.offset), static_cast<std::size_t>(h.size));
  const auto compression = std::to_integer<int>(file[static_cast<std::size_t>(h.offset + h.size)]);
  if (compression != 0) fail(ErrorKind::unsupported, "checkpoint index: blocks compressed by method {}", compression);
  if (block.size() < 4) fail(ErrorKind::bad_file, "checkpoint index: a block of {} bytes", block.size());
  const std::uint64_t restarts = load<std::uint32_t>(block, block.size() - 4);
  if (restarts > (block.size() - 4) / 4) fail(ErrorKind::bad_file, "checkpoint index: {} restarts", restarts);
  Reader r(block.first(block.size() - 4 - static_cast<std::size_t>(restarts) * 4), "checkpoint block");
  std::string key;
  while (!r.done()) {
    const std::uint64_t shared = r.varint(), fresh = r.varint(), length = r.varint();
    if (shared > key.size())
      fail(ErrorKind::bad_file, "checkpoint index: a key shares {} bytes of {}", shared, key.size());
    key.resize(static_cast<std::size_t>(shared));
    key += text_of(r.take(fresh));
    f(key, r.take(length));
  }
}

BundleEntry entry_of(Bytes bytes) {
  BundleEntry e;
  Protobuf p(bytes, "checkpoint entry");
  while (p.next()) {
    if (p.is(1, Wire::kVarint)) e.type = p.value();
    if (p.is(3, Wire::kVarint)) e.shard = p.signed_value();
    if (p.is(4, Wire::kVarint)) e.offset = p.value();
    if (p.is(5, Wire::kVarint)) e.size = p.value();
    if (!p.is(2, Wire::kBytes)) continue;
    Protobuf s(p.bytes(), "shape");
    while (s.next()) {
      if (!s.is(2, Wire::kBytes)) continue;
      std::int64_t size = 0;
      Protobuf d(s.bytes(), "size");
      while (d.next()) {
        if (d.is(1, Wire::kVarint)) size = d.signed_value();
      }
      e.shape.push_back(size);
    }
  }
  return e;
}

}  // namespace

Bundle read_bundle_index(Bytes file) {
  if (file.size() < kFooter) fail_truncated("checkpoint index: {} bytes", file.size());
  if (load<std::uint64_t>(file, file.size() - 8) != kMagic)
    fail(ErrorKind::bad_file, "checkpoint index: no such table");
  Reader footer(file.subspan(file.size() - kFooter, kFooter - 8), "checkpoint footer");
  footer.varint();  // the table of further tables
  footer.varint();
  Handle index;
  index.offset = footer.varint();
  index.size = footer.varint();
  Bundle out;
  std::uint64_t blocks = 0, bytes = 0;
  each_entry(file, index, [&](const std::string&, Bytes where) {
    const Handle h = handle_of(where);
    // Blocks do not overlap; a table that names one again and again would otherwise never end.
    if (++blocks > file.size() || __builtin_add_overflow(bytes, h.size, &bytes) || bytes > file.size()) {
      fail(ErrorKind::bad_file, "checkpoint index: its blocks take more bytes than the file has");
    }
    each_entry(file, h, [&](const std::string& key, Bytes value) {
      if (!key.empty()) {
        out.entries[key] = entry_of(value);
        return;
      }
      Protobuf p(value, "checkpoint header");
      while (p.next()) {
        if (p.is(1, Wire::kVarint)) out.shards = p.signed_value();
        if (p.is(2, Wire::kVarint) && p.value() != 0) fail(ErrorKind::unsupported, "a big-endian checkpoint");
      }
    });
  });
  if (out.shards < 1 || out.shards > 100000) fail(ErrorKind::bad_file, "checkpoint index: {} shards", out.shards);
  return out;
}

std::map<std::string, std::string> variable_keys(Bytes object_graph) {
  std::map<std::string, std::string> out;
  Protobuf p(object_graph, "graph of objects");
  while (p.next()) {
    if (!p.is(1, Wire::kBytes)) continue;
    Protobuf node(p.bytes(), "object");
    while (node.next()) {
      if (!node.is(2, Wire::kBytes)) continue;
      std::string name, key;
      Protobuf a(node.bytes(), "attribute of an object");
      while (a.next()) {
        if (a.is(2, Wire::kBytes)) name = a.text();
        if (a.is(3, Wire::kBytes)) key = a.text();
      }
      if (!name.empty()) out.emplace(name, key);
    }
  }
  return out;
}

}  // namespace thimble::gauge
