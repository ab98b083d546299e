// What can go wrong with one entry of a package, and the exception that carries it to whoever keeps the record.
// A failure never ends a scan: it becomes a row with its reason.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace thimble::gauge {

enum class FailureKind {
  malformed,           // the bytes contradict their format
  truncated,           // they end before what they announce
  unsafe_name,         // an absolute path, "..", a control character
  duplicate_name,      // a second entry of the same name: which one an app sees depends on its reader
  overlap,             // two entries claim the same bytes
  encrypted,           // a zip entry behind a password; a model without any structure
  compressed,          // a model inside a compression that is not opened
  unsupported_method,  // a zip entry packed by something else than deflate
  unsupported_version,
  lying_size,    // more or fewer bytes than declared
  bad_checksum,  // CRC-32 differs
  ratio,         // packed so tightly that only a bomb is
  too_large,     // over the memory of one package
  too_deep,      // containers within containers within ...
  cycle,         // a container that holds itself
  too_many,      // entries, or bytes in all, over the limit of one package
  not_a_model,   // has a model's name, is none
  io,            // the machine: unreadable, gone
};

std::string_view to_string(FailureKind kind);

class Refused : public Error {
 public:
  Refused(FailureKind failure, std::string message)
      : Error(ErrorKind::bad_file, std::move(message)), failure_(failure) {}
  FailureKind failure() const { return failure_; }

 private:
  FailureKind failure_;
};

template <class... Args>
[[noreturn]] void refuse(FailureKind kind, fmt::format_string<Args...> format, Args&&... args) {
  throw Refused(kind, fmt::format(format, std::forward<Args>(args)...));
}

// The kind of any Error: its own for Refused, `truncated` for Truncated, otherwise by ErrorKind.
FailureKind failure_of(const Error& error);

}  // namespace thimble::gauge
