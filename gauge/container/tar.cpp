// TAR: POSIX ustar headers, with pax (x) and GNU (L) records for long names and large sizes. Links and devices are
// passed over: nothing is made from them. The end is the first block that is no header; the caller looks at what
// follows.
#include <charconv>
#include <unordered_map>

#include "gauge/container/container.h"

namespace thimble::gauge {
namespace {

constexpr std::size_t kBlock = 512, kMostRecord = 1 << 20;

std::string_view field(Bytes block, std::size_t at, std::size_t length) {
  const std::string_view s = text_of(block.subspan(at, length));
  return s.substr(0, std::min(s.find('\0'), s.size()));
}

// Octal digits with blanks around, or base 256 when the first bit is set.
bool number(Bytes block, std::size_t at, std::size_t length, std::uint64_t& value) {
  value = 0;
  if ((std::to_integer<unsigned>(block[at]) & 0x80) != 0) {
    if (block[at] != std::byte{0x80}) return false;
    for (std::size_t i = at + 1; i < at + length; ++i) {
      if (value >> 55 != 0) return false;
      value = value << 8 | std::to_integer<unsigned>(block[i]);
    }
    return true;
  }
  std::string_view s = field(block, at, length);
  while (!s.empty() && s.front() == ' ') s.remove_prefix(1);
  while (!s.empty() && s.back() == ' ') s.remove_suffix(1);
  if (s.empty()) return true;
  const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), value, 8);
  return error == std::errc{} && end == s.data() + s.size();
}

bool is_header(Bytes block) {
  std::uint64_t wanted = 0;
  if (!starts_with(block, "ustar", 257) || !number(block, 148, 8, wanted)) return false;
  std::uint64_t sum = 8 * ' ';  // the checksum's own field counts as blanks
  for (std::size_t i = 0; i < kBlock; ++i) sum += i >= 148 && i < 156 ? 0 : std::to_integer<unsigned>(block[i]);
  return sum == wanted;
}

bool is_zero(Bytes block) {
  for (const std::byte b : block) {
    if (b != std::byte{0}) return false;
  }
  return true;
}

// pax records: "<length> <key>=<value>\n", the length counting itself.
std::string pax_value(std::string_view records, std::string_view key) {
  std::string value;
  while (!records.empty()) {
    std::size_t length = 0;
    const auto [end, error] = std::from_chars(records.data(), records.data() + records.size(), length);
    const auto digits = static_cast<std::size_t>(end - records.data());
    if (error != std::errc{} || length <= digits + 1 || length > records.size()) break;
    const std::string_view record = records.substr(digits + 1, length - digits - 2);
    if (record.starts_with(key) && record.substr(key.size()).starts_with('=')) value = record.substr(key.size() + 1);
    records.remove_prefix(length);
  }
  return value;
}

class Tar final : public Container {
 public:
  Tar(Bytes bytes, std::size_t most_entries) : bytes_(bytes) {
    if (bytes.size() < kBlock || !is_header(bytes.first(kBlock))) {
      refuse(FailureKind::malformed, "tar: no header with a right checksum at its start");
    }
    read(most_entries);
  }

  std::string_view kind() const override { return "tar"; }
  std::string head(std::size_t i, std::size_t count) const override {
    return std::string(text_of(data_[i]).substr(0, count));
  }
  Content load(std::size_t i, std::uint64_t) const override { return {data_[i], nullptr}; }

 private:
  void read(std::size_t most_entries) {
    std::string long_name;
    std::uint64_t long_size = 0;
    std::unordered_map<std::string, int> seen;
    std::size_t at = 0;
    while (bytes_.size() - at >= kBlock && is_header(bytes_.subspan(at, kBlock))) {
      const Bytes block = bytes_.subspan(at, kBlock);
      at += kBlock;
      std::uint64_t size = 0;
      const char type = static_cast<char>(block[156]);
      if (!number(block, 124, 12, size)) {
        flaws_.push_back({FailureKind::malformed, printable(field(block, 0, 100)), "its size is no number"});
        break;
      }
      const bool file = type == '0' || type == '\0' || type == '7';
      if (file && long_size != 0) size = long_size;
      if (size > bytes_.size() - at) {
        flaws_.push_back({FailureKind::truncated, printable(name_of(block, long_name)),
                          fmt::format("{} bytes are declared, {} are left", size, bytes_.size() - at)});
        at = bytes_.size();
        break;
      }
      const Bytes data = bytes_.subspan(at, static_cast<std::size_t>(size));
      at +=
          static_cast<std::size_t>(std::min<std::uint64_t>((size + kBlock - 1) / kBlock * kBlock, bytes_.size() - at));
      if (type == 'L' && size <= kMostRecord) {
        long_name = text_of(data).substr(0, text_of(data).find('\0'));
      } else if (type == 'x' && size <= kMostRecord) {
        const std::string name = pax_value(text_of(data), "path"), wide = pax_value(text_of(data), "size");
        if (!name.empty()) long_name = name;
        std::from_chars(wide.data(), wide.data() + wide.size(), long_size);
      } else if (type != 'g') {
        if (members_.size() == most_entries) {
          flaws_.push_back({FailureKind::too_many, {}, fmt::format("the first {} entries are read", most_entries)});
          break;
        }
        if (file) add(name_of(block, long_name), data, seen);
        long_name.clear();
        long_size = 0;
      }
    }
    while (bytes_.size() - at >= kBlock && is_zero(bytes_.subspan(at, kBlock))) at += kBlock;
    end_ = at;
  }

  static std::string name_of(Bytes block, const std::string& long_name) {
    if (!long_name.empty()) return long_name;
    const std::string name(field(block, 0, 100)), prefix(field(block, 345, 155));
    return prefix.empty() ? name : prefix + "/" + name;
  }

  void add(std::string name, Bytes data, std::unordered_map<std::string, int>& seen) {
    while (name.starts_with("./")) name.erase(0, 2);
    const std::string bad = unsafe_name(name);
    if (!bad.empty()) {
      flaws_.push_back({FailureKind::unsafe_name, printable(name), "its name is refused: " + bad});
      return;
    }
    const int times = ++seen[name];
    if (times > 1) name += "#" + std::to_string(times);  // a later entry replaces the former: usual in tars
    members_.push_back({std::move(name), data.size(), data.size()});
    data_.push_back(data);
  }

  Bytes bytes_;
  std::vector<Bytes> data_;  // beside members_
};

}  // namespace

std::unique_ptr<Container> open_tar(Bytes bytes, std::size_t most_entries) {
  return std::make_unique<Tar>(bytes, most_entries);
}

}  // namespace thimble::gauge
