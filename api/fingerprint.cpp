#include "api/fingerprint.h"

#include <algorithm>

#include "base/file.h"

namespace thimble::api {
namespace {

constexpr std::size_t kSampleBytes = 4096, kSamples = 64, kFingerprintDigits = 16;

}  // namespace

void Fingerprint::add(std::string_view text) { gathered_ += fmt::format("{}:{};", text.size(), text); }

void Fingerprint::add_file(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  const auto bytes = file->bytes();
  gathered_ += fmt::format("file {};", bytes.size());
  const auto append = [&](std::size_t at, std::size_t n) {
    gathered_.append(reinterpret_cast<const char*>(bytes.data() + at), n);
  };
  if (bytes.size() <= kSamples * kSampleBytes) {
    append(0, bytes.size());
    return;
  }
  const std::size_t last = bytes.size() - kSampleBytes;
  for (std::size_t i = 0; i < kSamples; ++i) append(last / (kSamples - 1) * i, kSampleBytes);
  append(last, kSampleBytes);
}

std::string Fingerprint::value() const {
  return sha256(std::as_bytes(std::span(gathered_))).substr(0, kFingerprintDigits);
}

std::string fingerprint(const std::filesystem::path& file) {
  Fingerprint f;
  f.add_file(file);
  return f.value();
}

std::string fingerprint(const diffusion::PublishedModel& model) {
  Fingerprint f;
  f.add(model.files().pipeline_class);
  f.add(model.files().scheduler_class);
  f.add(model.files().scheduler.dump());
  for (const formats::DiffusersPart& listed : model.files().parts) {
    const formats::DiffusersPart& part = model.part(listed.name);
    f.add(part.class_name);
    f.add(part.config.dump());
    for (const auto& file : part.checkpoint().files()) f.add_file(file->path());
  }
  return f.value();
}

}  // namespace thimble::api
