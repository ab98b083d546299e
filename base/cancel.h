// A flag that long work polls; Ctrl-C sets it in command-line programs.
#pragma once

#include <atomic>

#include "base/error.h"

namespace thimble {

class CancelToken {
 public:
  void cancel() { flag_.store(true, std::memory_order_relaxed); }
  bool cancelled() const { return flag_.load(std::memory_order_relaxed); }
  void throw_if_cancelled() const {
    if (cancelled()) throw Error(ErrorKind::cancelled, "stopped on request");
  }

 private:
  std::atomic<bool> flag_{false};
};

// The token that SIGINT and SIGTERM set. The first signal asks politely, the second ends the process.
CancelToken& interrupt_token();
void install_interrupt_handler();

}  // namespace thimble
