// The engine on this machine's kernels against the pipeline on the reference executor.
#include "api/engine.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

#include "base/error.h"
#include "graph/reference.h"
#include "tests/support/tiny_model.h"

namespace thimble::api {
namespace {

class TinyModel {
 public:
  explicit TinyModel(const testing::TinyModelOptions& options = {})
      : path(std::filesystem::temp_directory_path() / fmt::format("thimble_engine_{}.safetensors", ::getpid())) {
    testing::write_tiny_model(path, options);
  }
  ~TinyModel() { std::filesystem::remove(path); }
  std::filesystem::path path;
};

struct Distance {
  int most = 0;
  double mean = 0;
};

Distance distance(const media::Image& a, const media::Image& b) {
  Distance d;
  EXPECT_EQ(a.pixels.size(), b.pixels.size());
  for (std::size_t i = 0; i < a.pixels.size(); ++i) {
    const int each = std::abs(a.pixels[i] - b.pixels[i]);
    d.most = std::max(d.most, each);
    d.mean += each / static_cast<double>(a.pixels.size());
  }
  return d;
}

TEST(Engine, EveryIsaAndThreadCountGivesTheReferencesPicture) {
  const TinyModel tiny;
  const diffusion::Model model = diffusion::Model::open(tiny.path);
  const auto judge = graph::make_reference_executor();
  diffusion::Pipeline wanted(model, *judge, {});
  const std::vector<diffusion::Request> requests{{"a smiling cat with sunglasses", 7}, {"a red heart", 8}};
  const auto reference = wanted.generate(requests, {});
  for (const Isa isa : usable_isas()) {
    for (const int threads : {1, 2, 3}) {
      Engine engine({.model = tiny.path, .threads = threads, .isa = isa, .precision = graph::Precision::f32});
      const auto made = engine.generate(requests);
      for (std::size_t i = 0; i < requests.size(); ++i) {
        EXPECT_LE(distance(made.images[i], reference.images[i]).most, 1)
            << to_string(isa) << ", " << threads << " threads";
      }
    }
    Engine rough({.model = tiny.path, .isa = isa, .precision = graph::Precision::bf16});
    EXPECT_LE(distance(rough.generate(requests).images[0], reference.images[0]).mean, 6) << to_string(isa);
  }
}

TEST(Engine, ThreadsDoNotChangeABit) {
  const TinyModel tiny;
  Engine one({.model = tiny.path, .threads = 1}), three({.model = tiny.path, .threads = 3});
  EXPECT_EQ(one.generate({{"a red heart", 3}}).images[0], three.generate({{"a red heart", 3}}).images[0]);
}

TEST(Engine, RefusesWhatThisMachineCannotDo) {
  const TinyModel tiny;
  EXPECT_THROW(Engine({.model = tiny.path, .threads = -1}), Error);
  EXPECT_THROW(Engine({.model = tiny.path, .threads = 1000}), Error);
  const auto usable = usable_isas();
  for (const Isa isa : {Isa::neon, Isa::avx2, Isa::amx}) {
    if (std::find(usable.begin(), usable.end(), isa) != usable.end()) continue;
    EXPECT_THROW(Engine({.model = tiny.path, .isa = isa}), Error) << to_string(isa);
  }
}

TEST(Engine, FindsTheModelThatTheEnvironmentNames) {
  ::setenv("THIMBLE_MODEL", "/somewhere/else.safetensors", 1);
  EXPECT_EQ(find_model(), "/somewhere/else.safetensors");
  EXPECT_EQ(find_model("mine.safetensors"), "mine.safetensors");
  ::unsetenv("THIMBLE_MODEL");
}

}  // namespace
}  // namespace thimble::api
