// One exception type for the whole house: what was wanted, what came, what to try.
// Not for run-time kernels: those are noexcept, and planning has checked everything before they run.
#pragma once

#include <fmt/format.h>

#include <exception>
#include <string>
#include <utility>
#include <vector>

namespace thimble {

enum class ErrorKind {
  bad_input,    // the caller's arguments: a prompt, an option, a shape
  bad_file,     // a foreign file that is truncated, hostile or of another type
  unsupported,  // understood, and refused by name
  io,           // the machine: missing file, full disk, no permission
  cancelled,    // Ctrl-C or a cancel token
  internal,     // our own mistake
};

std::string_view to_string(ErrorKind kind);

class Error : public std::exception {
 public:
  Error(ErrorKind kind, std::string message);

  ErrorKind kind() const { return kind_; }
  const std::string& message() const { return message_; }

  // Context lines are added on the way up: "while reading model.safetensors".
  Error& add_context(std::string line);

  // Message, then one "context" clause after another, all on one line.
  const char* what() const noexcept override { return what_.c_str(); }

 private:
  ErrorKind kind_;
  std::string message_;
  std::vector<std::string> context_;
  std::string what_;
};

template <class... Args>
[[noreturn]] void fail(ErrorKind kind, fmt::format_string<Args...> format, Args&&... args) {
  throw Error(kind, fmt::format(format, std::forward<Args>(args)...));
}

// Our own invariants. `word` says what broke.
inline void check(bool ok, const char* word) {
  if (!ok) throw Error(ErrorKind::internal, word);
}

// Runs `f`; an Error that passes through gains the context line.
template <class F>
decltype(auto) with_context(const std::string& line, F&& f) {
  try {
    return std::forward<F>(f)();
  } catch (Error& e) {
    e.add_context(line);
    throw;
  }
}

}  // namespace thimble
