// The device executor on the whole list, at every ISA level of this machine and with one and two threads.
#include <gtest/gtest.h>

#include "runtime/device.h"
#include "tests/conformance/judge.h"

namespace thimble::conformance {
namespace {

using Executors = std::vector<std::unique_ptr<graph::Executor>>;

const Executors& executors() {
  static const Executors all = [] {
    Executors made;
    for (Isa isa : usable_isas()) {
      for (int threads : {1, 2}) made.push_back(runtime::make_device_executor({.isa = isa, .threads = threads}));
    }
    return made;
  }();
  return all;
}

class Device : public testing::TestWithParam<Case> {
 protected:
  static void conforms(graph::Precision precision) {
    const Trial trial = prepare(GetParam(), precision);
    for (const auto& executor : executors()) {
      const std::string wrong = complaint(*executor, trial);
      EXPECT_TRUE(wrong.empty()) << wrong;
    }
  }
};

TEST_P(Device, F32) { conforms(graph::Precision::f32); }
TEST_P(Device, Bf16) { conforms(graph::Precision::bf16); }

INSTANTIATE_TEST_SUITE_P(Conformance, Device, testing::ValuesIn(all_cases()),
                         [](const testing::TestParamInfo<Case>& info) { return info.param.name; });

}  // namespace
}  // namespace thimble::conformance
