// A library loaded at run time, by path: the runtimes that Thimble is compared with are never linked.
#pragma once

#include <string>

#include "base/error.h"

namespace thimble::gauge {

class SharedLibrary {
 public:
  // `io` with the loader's own reason when it cannot be loaded.
  explicit SharedLibrary(const std::string& path);
  ~SharedLibrary();
  SharedLibrary(const SharedLibrary&) = delete;
  SharedLibrary& operator=(const SharedLibrary&) = delete;

  bool has(const char* symbol) const { return find(symbol) != nullptr; }
  // `unsupported`, naming library and symbol, when it has none.
  template <class F>
  void get(F*& function, const char* symbol) const {
    function = reinterpret_cast<F*>(find(symbol));
    if (function == nullptr) fail(ErrorKind::unsupported, "{}: it has no {}; another library is needed", path_, symbol);
  }
  const std::string& path() const { return path_; }

 private:
  void* find(const char* symbol) const;
  std::string path_;
  void* handle_ = nullptr;
};

}  // namespace thimble::gauge
