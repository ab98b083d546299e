// The C interface: pictures, every kind of failure as a status with a message, structs of other sizes.
#include "api/thimble.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <string>

#include "api/thimble.hpp"
#include "base/file.h"
#include "media/codec.h"
#include "tests/support/tiny_model.h"

namespace {

class CApi : public ::testing::Test {
 protected:
  CApi() : folder_(std::filesystem::temp_directory_path() / ("thimble_c_api_" + std::to_string(::getpid()))) {
    std::filesystem::create_directory(folder_);
    model_path_ = folder_ / "tiny.safetensors";
    thimble::testing::write_tiny_model(model_path_);
  }
  ~CApi() override {
    thimble_close(model_);
    std::filesystem::remove_all(folder_);
  }
  void open() { ASSERT_EQ(thimble_open(model_path_.c_str(), nullptr, &model_), THIMBLE_OK) << thimble_last_error(); }
  std::string in_folder(const char* name) const { return (folder_ / name).string(); }

  std::filesystem::path folder_, model_path_;
  thimble_model* model_ = nullptr;
};

std::string pixels_of(const thimble_image* image) {
  return {reinterpret_cast<const char*>(thimble_image_pixels(image)),
          static_cast<std::size_t>(thimble_image_width(image) * thimble_image_height(image) *
                                   thimble_image_channels(image))};
}

TEST_F(CApi, OpensGeneratesAndSaves) {
  open();
  EXPECT_STREQ(thimble_model_name(model_), "tiny");
  EXPECT_STREQ(thimble_model_licence(model_), "Apache-2.0");
  EXPECT_EQ(thimble_model_image_size(model_), 32);
  thimble_generate_options options = THIMBLE_GENERATE_OPTIONS_INIT;
  options.seed = 5;
  thimble_image *first = nullptr, *again = nullptr, *other = nullptr;
  ASSERT_EQ(thimble_generate(model_, "a red heart", &options, &first), THIMBLE_OK) << thimble_last_error();
  ASSERT_EQ(thimble_generate(model_, "a red heart", &options, &again), THIMBLE_OK);
  options.seed = 6;
  ASSERT_EQ(thimble_generate(model_, "a red heart", &options, &other), THIMBLE_OK);
  EXPECT_EQ(thimble_image_width(first), 32);
  EXPECT_EQ(thimble_image_channels(first), 4);
  EXPECT_EQ(pixels_of(first), pixels_of(again));
  EXPECT_NE(pixels_of(first), pixels_of(other));

  ASSERT_EQ(thimble_image_save(first, in_folder("a.png").c_str()), THIMBLE_OK) << thimble_last_error();
  const auto read = thimble::media::read_image(in_folder("a.png"));
  EXPECT_EQ(std::string(read.pixels.begin(), read.pixels.end()), pixels_of(first));
  EXPECT_EQ(thimble_image_save(first, in_folder("a.jpg").c_str()), THIMBLE_OK) << thimble_last_error();
  for (thimble_image* image : {first, again, other}) thimble_image_free(image);
}

TEST_F(CApi, FailuresAreStatusAndMessage) {
  open();
  thimble_model* none = model_;
  EXPECT_EQ(thimble_open("/nowhere.safetensors", nullptr, &none), THIMBLE_IO);
  EXPECT_EQ(none, nullptr);
  EXPECT_NE(std::strstr(thimble_last_error(), "/nowhere.safetensors"), nullptr) << thimble_last_error();
  EXPECT_EQ(thimble_open("", nullptr, &none), THIMBLE_BAD_INPUT);
  EXPECT_EQ(thimble_open(model_path_.c_str(), nullptr, nullptr), THIMBLE_BAD_INPUT);
  thimble::write_file(in_folder("broken.safetensors"), "this is no model");
  EXPECT_EQ(thimble_open(in_folder("broken.safetensors").c_str(), nullptr, &none), THIMBLE_BAD_FILE);
  thimble_open_options open = THIMBLE_OPEN_OPTIONS_INIT;
  open.isa = "abacus";
  EXPECT_EQ(thimble_open(model_path_.c_str(), &open, &none), THIMBLE_BAD_INPUT);
  open.isa = nullptr;
  open.precision = "f8";
  EXPECT_EQ(thimble_open(model_path_.c_str(), &open, &none), THIMBLE_BAD_INPUT);

  thimble_image* image = nullptr;
  EXPECT_EQ(thimble_generate(model_, "", nullptr, &image), THIMBLE_BAD_INPUT);
  EXPECT_EQ(thimble_generate(model_, nullptr, nullptr, &image), THIMBLE_BAD_INPUT);
  EXPECT_EQ(thimble_generate(nullptr, "x", nullptr, &image), THIMBLE_BAD_INPUT);
  EXPECT_EQ(thimble_generate(model_, "x", nullptr, nullptr), THIMBLE_BAD_INPUT);
  EXPECT_EQ(thimble_generate(model_, "ab\xc3", nullptr, &image), THIMBLE_BAD_INPUT);
  thimble_generate_options options = THIMBLE_GENERATE_OPTIONS_INIT;
  options.sampler = "guess";
  EXPECT_EQ(thimble_generate(model_, "x", &options, &image), THIMBLE_BAD_INPUT);
  EXPECT_NE(std::strstr(thimble_last_error(), "guess"), nullptr) << thimble_last_error();
  EXPECT_EQ(image, nullptr);
  EXPECT_EQ(thimble_image_save(nullptr, "x.png"), THIMBLE_BAD_INPUT);

  ASSERT_EQ(thimble_generate(model_, "x", nullptr, &image), THIMBLE_OK);
  EXPECT_STREQ(thimble_last_error(), "");
  EXPECT_EQ(thimble_image_save(image, folder_.c_str()), THIMBLE_BAD_INPUT);
  EXPECT_EQ(thimble_image_save(image, in_folder("none/x.png").c_str()), THIMBLE_IO);
  thimble_image_free(image);
  thimble_image_free(nullptr);
  thimble_close(nullptr);
}

TEST_F(CApi, ProgressCountsAndStops) {
  open();
  struct Seen {
    int calls = 0, stop_at = 0, total = 0;
  } seen;
  thimble_generate_options options = THIMBLE_GENERATE_OPTIONS_INIT;
  options.steps = 6;
  options.sampler = "euler";
  options.user = &seen;
  options.progress = [](int done, int total, void* user) {
    auto* s = static_cast<Seen*>(user);
    EXPECT_EQ(done, ++s->calls);
    s->total = total;
    return done == s->stop_at ? 1 : 0;
  };
  thimble_image* image = nullptr;
  EXPECT_EQ(thimble_generate(model_, "x", &options, &image), THIMBLE_OK);
  EXPECT_EQ(seen.calls, 6);
  EXPECT_EQ(seen.total, 6);
  thimble_image_free(image);
  seen = {.stop_at = 2};
  EXPECT_EQ(thimble_generate(model_, "x", &options, &image), THIMBLE_CANCELLED);
  EXPECT_EQ(seen.calls, 2);
  EXPECT_EQ(image, nullptr);
}

TEST_F(CApi, OptionsOfOlderAndNewerProgramsServe) {
  open();
  thimble_image *full = nullptr, *older = nullptr, *newer = nullptr;
  thimble_generate_options options = THIMBLE_GENERATE_OPTIONS_INIT;
  options.seed = 9;
  ASSERT_EQ(thimble_generate(model_, "x", &options, &full), THIMBLE_OK);

  // An older program knew the seed alone.
  struct {
    size_t size;
    uint64_t seed;
  } old = {sizeof(old), 9};
  ASSERT_EQ(thimble_generate(model_, "x", reinterpret_cast<thimble_generate_options*>(&old), &older), THIMBLE_OK)
      << thimble_last_error();
  EXPECT_EQ(pixels_of(older), pixels_of(full));

  struct {
    thimble_generate_options known;
    double unheard_of;
  } grown = {options, 1.0};
  grown.known.size = sizeof(grown);
  ASSERT_EQ(thimble_generate(model_, "x", &grown.known, &newer), THIMBLE_OK);
  EXPECT_EQ(pixels_of(newer), pixels_of(full));
  for (thimble_image* image : {full, older, newer}) thimble_image_free(image);

  thimble_image* image = nullptr;
  options.size = 0;
  EXPECT_EQ(thimble_generate(model_, "x", &options, &image), THIMBLE_BAD_INPUT);
}

TEST_F(CApi, TheCppHeaderThrowsFailures) {
  thimble::c::Model model(model_path_.string(), {.threads = 1, .isa = "scalar", .precision = "f32"});
  EXPECT_EQ(model.name(), "tiny");
  thimble::c::GenerateOptions options;
  options.steps = 2;
  int calls = 0;
  options.progress = [&](int, int) { return ++calls > 0; };
  const auto image = model.generate("a red heart", options);
  EXPECT_EQ(image.height(), 32);
  EXPECT_GT(calls, 0);
  options.progress = [](int, int) { return false; };
  try {
    model.generate("a red heart", options);
    FAIL() << "it went on";
  } catch (const thimble::c::Failure& e) {
    EXPECT_EQ(e.status(), THIMBLE_CANCELLED);
  }
  EXPECT_THROW(thimble::c::Model("/nowhere.safetensors"), thimble::c::Failure);
}

}  // namespace
