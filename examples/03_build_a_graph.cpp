// Builds a small network, prints it, counts what it costs, and runs it on the slow judge and on the device.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/error.h"
#include "graph/builder.h"
#include "graph/cost.h"
#include "graph/reference.h"
#include "graph/text.h"
#include "runtime/device.h"

using namespace thimble;

// One transformer feed-forward block: x + fc2(gelu(fc1(norm(x)))).
graph::Graph feed_forward(int tokens, int width) {
  graph::Builder b("feed_forward");
  graph::Var x = b.input("x", {1, tokens, width});
  graph::Var h = b.gelu_tanh(b.linear(b.layer_norm(x, "norm"), "fc1", 4 * width));
  b.output("y", x + b.linear(h, "fc2", width));
  return b.finish();
}

int main() {
  try {
    const graph::Graph g = feed_forward(64, 128);
    std::fputs(graph::print_graph(g).c_str(), stdout);
    const graph::GraphCost cost = graph::cost(g);
    std::printf("%.1f MFLOP, %lld parameters\n", cost.flops / 1e6, static_cast<long long>(cost.parameters));

    const graph::Weights weights = graph::initialise(g, 1);
    graph::Tensor x({DType::f32, {1, 64, 128}});
    auto values = x.mutable_as<float>();
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = std::sin(0.1f * static_cast<float>(i));

    const auto judge = graph::make_reference_executor(), device = runtime::make_device_executor();
    const auto program = device->compile(g, weights, {});
    const auto wanted = (*judge->compile(g, weights, {}))({x}), came = (*program)({x});

    float worst = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      worst = std::max(worst, std::abs(wanted[0].as<float>()[i] - came[0].as<float>()[i]));
    }
    std::printf("%s: %zu bytes at the peak, largest difference from the reference %.1e\n", device->name().c_str(),
                program->memory().peak_bytes(), worst);
    return worst < 1e-4f ? 0 : 1;
  } catch (const Error& e) {
    std::fprintf(stderr, "error: %s\n", e.what());
    return 2;
  }
}
