// Aligned owning buffers for tensors and arenas. 64-byte aligned; zeroed by the system on first touch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace thimble {

class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::size_t bytes);  // mapped from the system, huge pages asked for above 4 MiB
  ~Buffer();
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;

  std::byte* data() { return data_; }
  const std::byte* data() const { return data_; }
  std::size_t size() const { return bytes_; }

  template <class T>
  std::span<T> as() {
    return {reinterpret_cast<T*>(data_), bytes_ / sizeof(T)};
  }
  template <class T>
  std::span<const T> as() const {
    return {reinterpret_cast<const T*>(data_), bytes_ / sizeof(T)};
  }

 private:
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
};

// From /proc/self/status, in bytes; 0 where the system does not say.
std::size_t resident_bytes();
std::size_t peak_resident_bytes();
// Makes the peak start anew from what is resident now; false where the system does not offer it.
bool reset_peak_resident();

constexpr std::size_t round_up(std::size_t n, std::size_t to) { return (n + to - 1) / to * to; }

}  // namespace thimble
