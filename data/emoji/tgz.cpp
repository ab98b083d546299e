#include "data/emoji/tgz.h"

#include <zlib.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>

#include "base/error.h"

namespace thimble::data {
namespace {

constexpr std::size_t kBlock = 512;
constexpr std::uint64_t kContentLimit = 1ull << 30;

class GzipReader {
 public:
  explicit GzipReader(const std::filesystem::path& path) : path_(path), file_(::gzopen(path.c_str(), "rb")) {
    if (file_ == nullptr) fail(ErrorKind::io, "cannot open {}", path.string());
  }
  ~GzipReader() { ::gzclose(file_); }
  GzipReader(const GzipReader&) = delete;
  GzipReader& operator=(const GzipReader&) = delete;

  void read(char* to, std::size_t bytes) {
    if (bytes != 0 && ::gzread(file_, to, static_cast<unsigned>(bytes)) != static_cast<int>(bytes)) {
      fail(ErrorKind::bad_file, "{}: damaged or truncated archive", path_.string());
    }
  }
  void skip(std::uint64_t bytes) {
    char chunk[1 << 14];
    for (; bytes != 0; bytes -= std::min<std::uint64_t>(bytes, sizeof(chunk))) {
      read(chunk, static_cast<std::size_t>(std::min<std::uint64_t>(bytes, sizeof(chunk))));
    }
  }

 private:
  const std::filesystem::path& path_;
  gzFile file_;
};

std::string field(const char* header, std::size_t at, std::size_t size) {
  return std::string(header + at, ::strnlen(header + at, size));
}

// Octal text; 11 digits at most, so it cannot overflow.
std::uint64_t octal(const char* header, std::size_t at, std::size_t size, const std::string& what) {
  std::uint64_t value = 0;
  for (const char c : field(header, at, size)) {
    if (c == ' ') continue;
    if (c < '0' || c > '7') fail(ErrorKind::bad_file, "{}: damaged archive, a size that is not octal", what);
    value = value * 8 + static_cast<std::uint64_t>(c - '0');
  }
  return value;
}

// pax records are "length key=value\n".
std::string pax_path(const std::string& records) {
  const auto at = records.find(" path=");
  if (at == std::string::npos) return {};
  const auto end = records.find('\n', at);
  return records.substr(at + 6, end == std::string::npos ? std::string::npos : end - at - 6);
}

}  // namespace

std::map<std::string, std::string> read_tgz(const std::filesystem::path& path,
                                            const std::function<bool(std::string_view name)>& wanted) {
  GzipReader reader(path);
  const std::string what = path.string();
  std::map<std::string, std::string> files;
  std::string long_name;
  std::uint64_t total = 0;
  for (;;) {
    char header[kBlock];
    reader.read(header, kBlock);
    if (header[0] == '\0') return files;  // the archive ends with empty blocks
    const std::uint64_t size = octal(header, 124, 12, what);
    const char type = header[156];
    const std::uint64_t padding = (kBlock - size % kBlock) % kBlock;
    total += size;
    if (total > kContentLimit) fail(ErrorKind::bad_file, "{}: more than {} bytes of content", what, kContentLimit);
    std::string name = std::exchange(long_name, {});
    if (name.empty()) {
      name = field(header, 0, 100);
      const std::string prefix = std::memcmp(header + 257, "ustar", 5) == 0 ? field(header, 345, 155) : "";
      if (!prefix.empty()) name = prefix + "/" + name;
    }
    const bool plain = type == '0' || type == '\0';
    if (type == 'x' || (plain && wanted(name))) {
      std::string content(size, '\0');
      reader.read(content.data(), size);
      reader.skip(padding);
      if (type == 'x') {
        long_name = pax_path(content);
      } else {
        files.emplace(std::move(name), std::move(content));
      }
    } else {
      reader.skip(size + padding);
    }
  }
}

}  // namespace thimble::data
