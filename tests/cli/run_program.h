// Runs the command line program as a person would, in a folder of its own with the tiny model.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace thimble::testing {

struct Ran {
  int status = -1;       // exit status; 1000 + signal when one ended it
  std::string out, err;  // standard output and standard error
};

// Arguments may hold any bytes but NUL. `interrupt_after_ms` > 0: SIGINT is sent then.
Ran run_program(const std::vector<std::string>& arguments, int interrupt_after_ms = 0);

// A new folder, the working directory while it lives; `tiny.safetensors` in it is the model that $THIMBLE_MODEL names.
class Workplace {
 public:
  Workplace();
  ~Workplace();
  std::vector<std::string> files() const;  // names in the folder beside the model, sorted

 private:
  std::filesystem::path folder_, before_;
};

}  // namespace thimble::testing
