// A machine that the agent runs on: files to it, a program there, files back. By the programs that people use (adb,
// ssh, scp), found by PATH.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "gauge/bench/process.h"

namespace thimble::gauge {

class Transport {
 public:
  virtual ~Transport() = default;  // removes its folder on the device
  virtual void push(const std::filesystem::path& local, const std::string& name, bool executable) = 0;
  virtual void pull(const std::string& name, const std::filesystem::path& local) = 0;
  // `command[0]` is a file that was pushed; words that are names of such files are put as `file(name)`.
  virtual Finished run(const std::vector<std::string>& command) = 0;
  virtual std::string file(const std::string& name) const = 0;
};

// "adb:SERIAL", "ssh:HOST" ("ssh:user@host"). bad_input for others; `io` with the program's words when the device does
// not answer.
std::unique_ptr<Transport> open_transport(const std::string& device, const CancelToken* cancel);

// One word of a command for a shell.
std::string shell_quoted(const std::string& word);

}  // namespace thimble::gauge
