// Every published network that is built, against its original implementation: each tap and output of the reference
// interpreter within 1e-5 of the largest value, and of the device kernels in f32; bf16 within the bound derived below.
#include <gtest/gtest.h>

#include "graph/executor.h"
#include "graph/reference.h"
#include "models/bind.h"
#include "runtime/device.h"
#include "tests/zoo/golden.h"

namespace thimble::zoo {
namespace {

constexpr double kExact = 1e-5;
// bf16 keeps 8 significant bits, so that every rounding is off by up to 2^-9; errors of independent roundings along a
// few dozen operations add up as their root, and the largest of thousands of elements lies some four deviations out.
constexpr double kBf16 = 5e-2;

class Zoo : public testing::TestWithParam<std::filesystem::path> {
 protected:
  static void judge(graph::Executor& executor, graph::Precision precision, double bound) {
    const Golden golden = read_golden(GetParam());
    graph::Graph g = models::build_network(golden.class_name, golden.role, golden.config, golden.size);
    const graph::Weights weights = models::bind_checkpoint(g, golden.weights, golden.file);
    EXPECT_EQ(models::unused_names(g, golden.weights), std::vector<std::string>());
    std::vector<graph::Tensor> inputs;
    for (const graph::ValueId id : g.inputs) {
      const auto it = golden.inputs.find(g.value(id).name);
      ASSERT_NE(it, golden.inputs.end()) << "the golden has no input " << g.value(id).name;
      inputs.push_back(it->second);
    }
    std::map<std::string, const graph::Tensor*> wanted;
    for (const auto& [name, t] : golden.outputs) wanted["output " + name] = &t;
    for (const auto& [name, t] : golden.taps) wanted["tap " + name] = &t;
    std::vector<std::string> names;
    for (const graph::NamedValue& o : g.outputs) names.push_back("output " + o.name);
    for (const graph::NamedValue& t : g.taps) {
      names.push_back("tap " + t.name);
      g.outputs.push_back({"tap " + t.name, t.value});
    }
    const auto results = (*executor.compile(g, weights, {.precision = precision}))(inputs);
    ASSERT_EQ(results.size(), names.size());
    std::size_t compared = 0;
    for (std::size_t i = 0; i < names.size(); ++i) {
      const auto it = wanted.find(names[i]);
      if (it == wanted.end()) continue;
      ++compared;
      EXPECT_LT(relative_error(results[i], *it->second), bound) << golden.file << " " << names[i];
    }
    EXPECT_EQ(compared, wanted.size()) << "taps or outputs of the golden that the graph does not have";
  }
};

TEST_P(Zoo, Reference) { judge(*graph::make_reference_executor(), graph::Precision::f32, kExact); }
TEST_P(Zoo, DeviceF32) { judge(*runtime::make_device_executor({}), graph::Precision::f32, kExact); }
TEST_P(Zoo, DeviceBf16) { judge(*runtime::make_device_executor({}), graph::Precision::bf16, kBf16); }

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Zoo);
INSTANTIATE_TEST_SUITE_P(Goldens, Zoo, testing::ValuesIn(golden_files()),
                         [](const testing::TestParamInfo<std::filesystem::path>& info) {
                           std::string name = info.param.stem().string();
                           for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
                           return name;
                         });

}  // namespace
}  // namespace thimble::zoo
