// The LibTorch executor on the whole list, on the CPU and, where there is one, on a GPU.
#include <gtest/gtest.h>

#include "tests/conformance/judge.h"
#include "train/torch_executor.h"

namespace thimble::conformance {
namespace {

using Executors = std::vector<std::unique_ptr<graph::Executor>>;

const Executors& executors() {
  static const Executors all = [] {
    Executors made;
    made.push_back(train::make_torch_executor("cpu", 1));
    if (train::torch_has_cuda()) made.push_back(train::make_torch_executor("cuda", 1));
    return made;
  }();
  return all;
}

class Torch : public testing::TestWithParam<Case> {
 protected:
  static void conforms(graph::Precision precision) {
    const Trial trial = prepare(GetParam(), precision);
    for (const auto& executor : executors()) {
      const std::string wrong = complaint(*executor, trial);
      EXPECT_TRUE(wrong.empty()) << wrong;
    }
  }
};

TEST_P(Torch, F32) { conforms(graph::Precision::f32); }
TEST_P(Torch, Bf16) { conforms(graph::Precision::bf16); }

INSTANTIATE_TEST_SUITE_P(Conformance, Torch, testing::ValuesIn(all_cases()),
                         [](const testing::TestParamInfo<Case>& info) { return info.param.name; });

}  // namespace
}  // namespace thimble::conformance
