// A short name for the exact model that made a picture, at the cost of a few reads: SHA-256 of sizes and of samples
// spread over every file. Two models that differ in a config, or anywhere in most of their weights, have different
// fingerprints; a change of single bytes may go unseen (formats/thimble has checksums for that).
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "diffusion/published/published_model.h"

namespace thimble::api {

class Fingerprint {
 public:
  void add(std::string_view text);
  void add_file(const std::filesystem::path& path);  // its size, its first and last bytes and 62 places between
  std::string value() const;                         // 16 hexadecimal digits

 private:
  std::string gathered_;
};

std::string fingerprint(const std::filesystem::path& file);
// Networks, their configs and the scheduler; with another autoencoder, that one.
std::string fingerprint(const diffusion::PublishedModel& model);

}  // namespace thimble::api
