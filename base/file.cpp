#include "base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace thimble {
namespace {

std::string reason() { return std::strerror(errno); }

struct Fd {
  int fd = -1;
  ~Fd() {
    if (fd >= 0) ::close(fd);
  }
};

Fd open_for_reading(const std::filesystem::path& path, struct stat& info) {
  Fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.fd < 0) fail(ErrorKind::io, "cannot open {}: {}", path.string(), reason());
  if (::fstat(file.fd, &info) != 0) fail(ErrorKind::io, "cannot stat {}: {}", path.string(), reason());
  if (S_ISDIR(info.st_mode)) fail(ErrorKind::bad_input, "{} is a directory, a file was wanted", path.string());
  return file;
}

}  // namespace

std::shared_ptr<const MappedFile> MappedFile::open(const std::filesystem::path& path) {
  struct stat info {};
  const Fd file = open_for_reading(path, info);
  auto mapped = std::shared_ptr<MappedFile>(new MappedFile);
  mapped->path_ = path;
  mapped->size_ = static_cast<std::size_t>(info.st_size);
  if (mapped->size_ == 0) return mapped;
  void* p = ::mmap(nullptr, mapped->size_, PROT_READ, MAP_PRIVATE, file.fd, 0);
  if (p == MAP_FAILED) {
    mapped->size_ = 0;
    fail(ErrorKind::io, "cannot map {}: {}", path.string(), reason());
  }
  mapped->data_ = static_cast<const std::byte*>(p);
  return mapped;
}

MappedFile::~MappedFile() {
  if (size_ != 0) ::munmap(const_cast<std::byte*>(data_), size_);
}

void MappedFile::release_pages() const {
  if (size_ != 0) ::madvise(const_cast<std::byte*>(data_), size_, MADV_DONTNEED);
}

std::string read_file(const std::filesystem::path& path, std::size_t limit) {
  struct stat info {};
  const Fd file = open_for_reading(path, info);
  if (static_cast<std::size_t>(info.st_size) > limit) {
    fail(ErrorKind::bad_file, "{} has {} bytes, at most {} were expected", path.string(), info.st_size, limit);
  }
  std::string content;
  char chunk[1 << 16];
  for (;;) {
    const ssize_t n = ::read(file.fd, chunk, sizeof(chunk));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail(ErrorKind::io, "cannot read {}: {}", path.string(), reason());
    if (n == 0) return content;
    content.append(chunk, static_cast<std::size_t>(n));
    if (content.size() > limit) fail(ErrorKind::bad_file, "{} has more than {} bytes", path.string(), limit);
  }
}

AtomicFile::AtomicFile(std::filesystem::path path) : path_(std::move(path)) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path_, ignored)) {
    fail(ErrorKind::bad_input, "{} is an existing directory, a file name was wanted", path_.string());
  }
  temporary_ = path_;
  temporary_ += fmt::format(".part{}", ::getpid());
  fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd_ < 0) fail(ErrorKind::io, "cannot write {}: {}", path_.string(), reason());
}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::write(const void* data, std::size_t bytes) {
  auto* p = static_cast<const char*>(data);
  while (bytes != 0) {
    const ssize_t n = ::write(fd_, p, bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0)
      fail(ErrorKind::io, "cannot write {}: {} (the former file, if any, is unchanged)", path_.string(), reason());
    p += n;
    bytes -= static_cast<std::size_t>(n);
    written_ += static_cast<std::size_t>(n);
  }
}

void AtomicFile::commit() {
  if (::fsync(fd_) != 0 && errno != EINVAL && errno != EROFS) {
    fail(ErrorKind::io, "cannot write {}: {} (the former file, if any, is unchanged)", path_.string(), reason());
  }
  ::close(fd_);
  fd_ = -1;
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
    const std::string why = reason();
    ::unlink(temporary_.c_str());
    fail(ErrorKind::io, "cannot write {}: {}", path_.string(), why);
  }
}

void write_file(const std::filesystem::path& path, std::string_view content) {
  AtomicFile file(path);
  file.write(content);
  file.commit();
}

void check_writable(const std::filesystem::path& path) { AtomicFile probe(path); }

}  // namespace thimble
