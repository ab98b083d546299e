#include "base/error.h"

namespace thimble {

std::string_view to_string(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::bad_input: return "bad input";
    case ErrorKind::bad_file: return "bad file";
    case ErrorKind::unsupported: return "unsupported";
    case ErrorKind::io: return "input/output";
    case ErrorKind::cancelled: return "cancelled";
    case ErrorKind::internal: return "internal error";
  }
  return "error";
}

Error::Error(ErrorKind kind, std::string message) : kind_(kind), message_(std::move(message)), what_(message_) {}

Error& Error::add_context(std::string line) {
  context_.push_back(std::move(line));
  what_ += " (" + context_.back() + ")";
  return *this;
}

}  // namespace thimble
