#include "gauge/bench/shared_library.h"

#include <dlfcn.h>

namespace thimble::gauge {

SharedLibrary::SharedLibrary(const std::string& path)
    : path_(path), handle_(dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) {
  if (handle_ == nullptr) {
    const char* reason = dlerror();
    fail(ErrorKind::io, "{}", reason != nullptr ? reason : path);
  }
}

// Stays mapped: these libraries leave threads and thread-local data behind that outlive their last object.
SharedLibrary::~SharedLibrary() = default;

void* SharedLibrary::find(const char* symbol) const { return dlsym(handle_, symbol); }

}  // namespace thimble::gauge
