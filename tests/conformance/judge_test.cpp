// The judge is judged: executors with one fault each must be refused, with a message that helps.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "base/error.h"
#include "graph/reference.h"
#include "tests/conformance/judge.h"

namespace thimble::conformance {
namespace {

using graph::MutableTensorView;
using graph::Precision;
using graph::TensorView;

using Outputs = std::span<const MutableTensorView>;
using Inputs = std::span<const TensorView>;

float* floats(const MutableTensorView& view) { return reinterpret_cast<float*>(view.data); }

// The reference, and then `fault(run, inputs, outputs)` spoils something; run counts from 0.
class Faulty final : public graph::Executor {
 public:
  using Fault = std::function<void(int run, Inputs, Outputs)>;
  explicit Faulty(Fault fault) : fault_(std::move(fault)), inner_(graph::make_reference_executor()) {}
  std::string name() const override { return "faulty"; }
  std::unique_ptr<graph::Program> compile(const graph::Graph& graph, const graph::Weights& weights,
                                          const graph::CompileOptions& options) override {
    return std::make_unique<Spoiled>(graph, inner_->compile(graph, weights, options), fault_);
  }

 private:
  class Spoiled final : public graph::Program {
   public:
    Spoiled(const graph::Graph& graph, std::unique_ptr<graph::Program> inner, Fault fault)
        : Program(graph), inner_(std::move(inner)), fault_(std::move(fault)) {}
    void run(Inputs inputs, Outputs outputs, const CancelToken* cancel) override {
      inner_->run(inputs, outputs, cancel);
      fault_(runs_++, inputs, outputs);
    }

   private:
    std::unique_ptr<graph::Program> inner_;
    Fault fault_;
    int runs_ = 0;
  };

  Fault fault_;
  std::unique_ptr<graph::Executor> inner_;
};

const Case& sum_case() {
  static const Case c{"sum",
                      kRounded,
                      [](graph::Builder& b) {
                        const graph::Var x = b.input("x", {3, 5}), z = b.input("z", {5});
                        b.output("total", x + z);
                      },
                      {},
                      DType::f32,
                      7};
  return c;
}

std::string complaint_about(Faulty::Fault fault, Precision precision = Precision::f32) {
  Faulty executor(std::move(fault));
  return complaint(executor, prepare(sum_case(), precision));
}

TEST(Judge, AcceptsTheReference) {
  EXPECT_EQ(complaint_about([](int, Inputs, Outputs) {}), "");
  EXPECT_EQ(complaint_about([](int, Inputs, Outputs) {}, Precision::bf16), "");
}

TEST(Judge, NamesCaseSeedWorstElementAndGraph) {
  const std::string text = complaint_about([](int, Inputs, Outputs out) {
    floats(out[0])[4] += 0.001f;
    floats(out[0])[11] += 0.25f;  // [2,1], the worst
  });
  for (const char* part : {"case 'sum'", "'faulty'", "at f32", "seed 7", "output 'total'", "element [2,1]",
                           "tolerance 2e-06", "one rounding", "binary(%x, %z) {kind=add}"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " is missing in:\n" << text;
  }
}

TEST(Judge, RefusesAnErrorJustAboveTheTolerance) {
  const auto scale_all = [](float factor) {
    return [factor](int, Inputs, Outputs out) {
      for (int i = 0; i < 15; ++i) floats(out[0])[i] *= factor;
    };
  };
  EXPECT_EQ(complaint_about(scale_all(1 + 1e-6f)), "");
  EXPECT_NE(complaint_about(scale_all(1 + 4e-6f)), "");
}

TEST(Judge, RefusesNaNAndWhatWasNotWritten) {
  EXPECT_NE(complaint_about([](int, Inputs, Outputs out) { floats(out[0])[0] = std::nanf(""); }), "");
  EXPECT_NE(complaint_about([](int, Inputs, Outputs out) { std::fill_n(out[0].data + 4, 4, std::byte{0xff}); }), "");
}

TEST(Judge, RefusesWritingToInputs) {
  const std::string text =
      complaint_about([](int, Inputs in, Outputs) { const_cast<std::byte&>(in[1].data[3]) ^= std::byte{1}; });
  EXPECT_NE(text.find("input 1 was written to"), std::string::npos) << text;
}

TEST(Judge, RefusesStateBetweenRuns) {
  const std::string text =
      complaint_about([](int run, Inputs, Outputs out) { floats(out[0])[0] += static_cast<float>(run) * 1e-3f; });
  EXPECT_NE(text.find("differs in the second run"), std::string::npos) << text;
}

TEST(Judge, RefusesWrongBf16Buffers) {
  const std::string text = complaint_about(
      [](int, Inputs, Outputs out) {
        if (out[0].type.dtype == DType::bf16) out[0].data[1] ^= std::byte{0x40};
      },
      Precision::bf16);
  EXPECT_NE(text.find("with bf16 buffers"), std::string::npos) << text;
}

TEST(Judge, ReportsAnExceptionAsAComplaint) {
  const std::string text =
      complaint_about([](int, Inputs, Outputs) { fail(ErrorKind::unsupported, "no kernel for this"); });
  EXPECT_NE(text.find("it threw: no kernel for this"), std::string::npos) << text;
}

TEST(Judge, DrawsTheSameMaterialFromASeedAndRoundsForBf16) {
  const Trial a = prepare(sum_case(), Precision::f32), b = prepare(sum_case(), Precision::f32);
  const Trial narrow = prepare(sum_case(), Precision::bf16);
  for (std::size_t i = 0; i < 15; ++i) {
    const float x = a.inputs[0].as<float>()[i];
    EXPECT_EQ(x, b.inputs[0].as<float>()[i]);
    EXPECT_EQ(narrow.inputs[0].as<float>()[i], to_f32(to_bf16(x)));
  }
}

}  // namespace
}  // namespace thimble::conformance
