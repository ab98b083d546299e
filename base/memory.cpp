#include "base/memory.h"

#include <sys/mman.h>

#include <algorithm>

#include <cstdlib>
#include <fstream>
#include <string>
#include <utility>

#include "base/error.h"

namespace thimble {
namespace {

constexpr std::size_t kMapFrom = 1 << 20;  // smaller buffers come from the heap
constexpr std::size_t kHugeFrom = 4 << 20;

std::size_t status_field(const char* field) {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(field))
      return std::strtoull(line.c_str() + std::char_traits<char>::length(field), nullptr, 10) << 10;
  }
  return 0;
}

}  // namespace

Buffer::Buffer(std::size_t bytes) : bytes_(bytes) {
  if (bytes == 0) return;
  if (bytes < kMapFrom) {
    data_ = static_cast<std::byte*>(std::aligned_alloc(64, round_up(bytes, 64)));
    if (data_ == nullptr) fail(ErrorKind::io, "out of memory: {} bytes were wanted", bytes);
    std::fill_n(data_, bytes, std::byte{0});
    return;
  }
  void* p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) fail(ErrorKind::io, "out of memory: {} bytes were wanted", bytes);
  if (bytes >= kHugeFrom) madvise(p, bytes, MADV_HUGEPAGE);
  data_ = static_cast<std::byte*>(p);
}

Buffer::~Buffer() {
  if (data_ == nullptr) return;
  if (bytes_ < kMapFrom) {
    std::free(data_);
  } else {
    munmap(data_, bytes_);
  }
}

Buffer::Buffer(Buffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

std::size_t resident_bytes() { return status_field("VmRSS:"); }
std::size_t peak_resident_bytes() { return status_field("VmHWM:"); }

bool reset_peak_resident() {
  std::ofstream refs("/proc/self/clear_refs");
  return static_cast<bool>(refs << "5" << std::flush);
}

}  // namespace thimble
