// Other programs, run to their end: arguments as they are (no shell), both streams kept.
#pragma once

#include <string>
#include <vector>

#include "base/cancel.h"

namespace thimble::gauge {

struct Finished {
  int status = -1;  // exit status; 128 + signal when one ended it
  std::string out, err;
};

// `io` when the program cannot be started. On cancellation the program is ended and `cancelled` thrown.
Finished run_process(const std::vector<std::string>& command, const CancelToken* cancel);

}  // namespace thimble::gauge
