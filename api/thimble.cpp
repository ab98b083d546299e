// The C interface: no exception leaves it; each becomes a status and this thread's message.
#include "api/thimble.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "api/engine.h"
#include "base/error.h"
#include "media/codec.h"
#include "media/transform.h"

struct thimble_model {
  std::string name, licence;
  thimble::api::Engine engine;
};

struct thimble_image {
  thimble::media::Image image;
};

namespace {

using thimble::ErrorKind;
using thimble::fail;

thread_local std::string last_error;

thimble_status status_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::bad_input: return THIMBLE_BAD_INPUT;
    case ErrorKind::bad_file: return THIMBLE_BAD_FILE;
    case ErrorKind::unsupported: return THIMBLE_UNSUPPORTED;
    case ErrorKind::io: return THIMBLE_IO;
    case ErrorKind::cancelled: return THIMBLE_CANCELLED;
    case ErrorKind::internal: break;
  }
  return THIMBLE_INTERNAL;
}

template <class F>
thimble_status guarded(F&& f) noexcept {
  try {
    last_error.clear();
    f();
    return THIMBLE_OK;
  } catch (const thimble::Error& e) {
    last_error = e.what();
    return status_of(e.kind());
  } catch (const std::bad_alloc&) {
    last_error = "not enough memory";
  } catch (const std::exception& e) {
    last_error = e.what();
  } catch (...) {
    last_error = "unknown failure";
  }
  return THIMBLE_INTERNAL;
}

void require(const void* pointer, const char* what) {
  if (pointer == nullptr) fail(ErrorKind::bad_input, "{} is NULL", what);
}

// The caller's struct may be older (shorter) or newer (longer) than ours: what both know is taken, the rest of ours
// keeps its default.
template <class Options>
Options known_part(const Options* given, Options defaults) {
  if (given == nullptr) return defaults;
  if (given->size < sizeof(std::size_t) || given->size > 4096) {
    fail(ErrorKind::bad_input, "the options' size is {}; set it to sizeof", given->size);
  }
  std::memcpy(static_cast<void*>(&defaults), given, std::min(given->size, sizeof(Options)));
  return defaults;
}

thimble::api::EngineOptions engine_options(const char* path, const thimble_open_options* given) {
  const thimble_open_options o = known_part(given, thimble_open_options THIMBLE_OPEN_OPTIONS_INIT);
  thimble::api::EngineOptions options;
  if (path != nullptr) {
    if (*path == '\0') fail(ErrorKind::bad_input, "the model's path is empty");
    options.model = path;
  }
  options.threads = o.threads;
  if (o.isa != nullptr) {
    options.isa = thimble::isa_from_string(o.isa);
    if (!options.isa) fail(ErrorKind::bad_input, "there is no instruction set '{}'", o.isa);
  }
  if (o.precision != nullptr) {
    using thimble::graph::Precision;
    const std::string_view name = o.precision;
    if (name != "f32" && name != "bf16") fail(ErrorKind::bad_input, "precision is f32 or bf16, '{}' came", name);
    options.precision = name == "f32" ? Precision::f32 : Precision::bf16;
  }
  return options;
}

}  // namespace

extern "C" {

const char* thimble_version(void) { return THIMBLE_VERSION; }
int thimble_api_version(void) { return THIMBLE_API_VERSION; }
const char* thimble_last_error(void) { return last_error.c_str(); }

thimble_status thimble_open(const char* path, const thimble_open_options* options, thimble_model** model) {
  if (model != nullptr) *model = nullptr;
  return guarded([&] {
    require(model, "model");
    auto made =
        std::unique_ptr<thimble_model>(new thimble_model{{}, {}, thimble::api::Engine(engine_options(path, options))});
    made->name = made->engine.model().name();
    made->licence = made->engine.model().licence();
    *model = made.release();
  });
}

void thimble_close(thimble_model* model) { delete model; }

const char* thimble_model_name(const thimble_model* model) { return model == nullptr ? "" : model->name.c_str(); }
const char* thimble_model_licence(const thimble_model* model) { return model == nullptr ? "" : model->licence.c_str(); }
int thimble_model_image_size(const thimble_model* model) {
  return model == nullptr ? 0 : model->engine.model().image_size();
}

thimble_status thimble_generate(thimble_model* model, const char* prompt, const thimble_generate_options* options,
                                thimble_image** image) {
  if (image != nullptr) *image = nullptr;
  return guarded([&] {
    require(model, "model");
    require(prompt, "prompt");
    require(image, "image");
    if (*prompt == '\0') fail(ErrorKind::bad_input, "the prompt is empty");
    const thimble_generate_options o = known_part(options, thimble_generate_options THIMBLE_GENERATE_OPTIONS_INIT);
    thimble::diffusion::GenerateOptions g;
    if (o.steps != 0) g.steps = o.steps;
    if (!(o.guidance < 0)) g.guidance = o.guidance;
    if (o.sampler != nullptr) g.sampler = o.sampler;
    thimble::CancelToken cancel;
    thimble::ProgressFn progress;
    if (o.progress != nullptr) {
      progress = [&](std::int64_t done, std::int64_t total, const std::string&) {
        if (o.progress(static_cast<int>(done), static_cast<int>(total), o.user) != 0) cancel.cancel();
        cancel.throw_if_cancelled();
      };
    }
    auto made = model->engine.generate({{prompt, o.seed}}, g, progress, &cancel);
    *image = new thimble_image{std::move(made.images.front())};
  });
}

int thimble_image_width(const thimble_image* image) { return image == nullptr ? 0 : image->image.width; }
int thimble_image_height(const thimble_image* image) { return image == nullptr ? 0 : image->image.height; }
int thimble_image_channels(const thimble_image* image) { return image == nullptr ? 0 : image->image.channels; }
const uint8_t* thimble_image_pixels(const thimble_image* image) {
  return image == nullptr ? nullptr : image->image.pixels.data();
}

thimble_status thimble_image_save(const thimble_image* image, const char* path) {
  return guarded([&] {
    require(image, "image");
    require(path, "path");
    using thimble::media::ImageFormat;
    if (thimble::media::format_of_extension(path) == ImageFormat::jpeg) {
      thimble::media::write_image(path, thimble::media::composite(image->image, {255, 255, 255}));
    } else {
      thimble::media::write_image(path, image->image);
    }
  });
}

void thimble_image_free(thimble_image* image) { delete image; }

}  // extern "C"
