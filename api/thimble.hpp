// C++ over the C interface, header only: handles that free themselves, failures as exceptions. C++17.
//
//   thimble::c::Model model("thimble-emoji.safetensors");
//   model.generate("a smiling cat").save("cat.png");
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include "api/thimble.h"

namespace thimble::c {

class Failure : public std::runtime_error {
 public:
  explicit Failure(thimble_status status) : std::runtime_error(thimble_last_error()), status_(status) {}
  thimble_status status() const { return status_; }

 private:
  thimble_status status_;
};

inline void succeed(thimble_status status) {
  if (status != THIMBLE_OK) throw Failure(status);
}

class Image {
 public:
  explicit Image(thimble_image* taken) : image_(taken, thimble_image_free) {}
  int width() const { return thimble_image_width(image_.get()); }
  int height() const { return thimble_image_height(image_.get()); }
  int channels() const { return thimble_image_channels(image_.get()); }
  const std::uint8_t* pixels() const { return thimble_image_pixels(image_.get()); }
  void save(const std::string& path) const { succeed(thimble_image_save(image_.get(), path.c_str())); }

 private:
  std::unique_ptr<thimble_image, void (*)(thimble_image*)> image_;
};

struct GenerateOptions {
  std::uint64_t seed = 0;
  std::optional<int> steps;
  std::optional<double> guidance;
  std::optional<std::string> sampler;
  std::function<bool(int done, int total)> progress;  // false stops; must not throw
};

class Model {
 public:
  struct Options {
    int threads = 0;
    std::string isa, precision;  // empty: what suits the machine
  };

  // An empty path: the default model.
  explicit Model(const std::string& path = {}) : Model(path, Options()) {}
  Model(const std::string& path, const Options& options) : model_(nullptr, thimble_close) {
    thimble_open_options o = THIMBLE_OPEN_OPTIONS_INIT;
    o.threads = options.threads;
    o.isa = options.isa.empty() ? nullptr : options.isa.c_str();
    o.precision = options.precision.empty() ? nullptr : options.precision.c_str();
    thimble_model* opened = nullptr;
    succeed(thimble_open(path.empty() ? nullptr : path.c_str(), &o, &opened));
    model_.reset(opened);
  }

  std::string name() const { return thimble_model_name(model_.get()); }
  std::string licence() const { return thimble_model_licence(model_.get()); }
  int image_size() const { return thimble_model_image_size(model_.get()); }

  Image generate(const std::string& prompt, const GenerateOptions& options = {}) {
    thimble_generate_options o = THIMBLE_GENERATE_OPTIONS_INIT;
    o.seed = options.seed;
    o.steps = options.steps.value_or(0);
    o.guidance = options.guidance.value_or(-1);
    o.sampler = options.sampler ? options.sampler->c_str() : nullptr;
    if (options.progress) {
      o.progress = [](int done, int total, void* user) -> int {
        return static_cast<const GenerateOptions*>(user)->progress(done, total) ? 0 : 1;
      };
      o.user = const_cast<GenerateOptions*>(&options);
    }
    thimble_image* made = nullptr;
    succeed(thimble_generate(model_.get(), prompt.c_str(), &o, &made));
    return Image(made);
  }

 private:
  std::unique_ptr<thimble_model, void (*)(thimble_model*)> model_;
};

}  // namespace thimble::c
