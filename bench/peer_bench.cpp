// The device executor against LibTorch on one graph: a denoiser step (batch 2: guided), the decoder and the text
// encoder of Thimble Emoji, same precision, random weights, each with its best thread count. LibTorch has OpenBLAS and
// oneDNN. Prints milliseconds (median), GFLOP/s, and the ratio. A plain program: `peer_bench [--json] [--runs N]`.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/rng.h"
#include "base/threads.h"
#include "graph/cost.h"
#include "models/autoencoder.h"
#include "models/dit.h"
#include "models/text_encoder.h"
#include "runtime/device.h"
#include "train/torch_executor.h"

namespace {

using namespace thimble;

using MakeExecutor = std::function<std::unique_ptr<graph::Executor>(int threads)>;

std::vector<graph::Tensor> random_inputs(const graph::Graph& g) {
  std::vector<graph::Tensor> inputs;
  for (std::size_t i = 0; i < g.inputs.size(); ++i) {
    graph::Tensor t(g.type(g.inputs[i]));
    if (t.type().dtype == DType::f32) {
      fill_normal(t.mutable_as<float>(), 1, i);
      if (g.value(g.inputs[i]).name == "mask") std::ranges::fill(t.mutable_as<float>(), 0.0f);
      if (g.value(g.inputs[i]).name == "keep") std::ranges::fill(t.mutable_as<float>(), 1.0f);
    }
    inputs.push_back(std::move(t));
  }
  return inputs;
}

// Median over `runs` after three warm-ups, in seconds.
double time_program(graph::Program& program, const std::vector<graph::Tensor>& inputs, int runs) {
  std::vector<double> seconds;
  for (int i = -3; i < runs; ++i) {
    const auto start = std::chrono::steady_clock::now();
    program(inputs);
    const double s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (i >= 0) seconds.push_back(s);
  }
  std::ranges::nth_element(seconds, seconds.begin() + runs / 2);
  return seconds[static_cast<std::size_t>(runs / 2)];
}

struct Best {
  double seconds = 1e9;
  int threads = 0;
};

Best best_of(const MakeExecutor& make, const graph::Graph& g, const graph::Weights& weights, graph::Precision precision,
             int runs) {
  Best best;
  const auto inputs = random_inputs(g);
  for (int threads = 1; threads <= usable_processors(); ++threads) {
    const auto executor = make(threads);
    const auto program = executor->compile(g, weights, {precision});
    const double s = time_program(*program, inputs, runs);
    if (s < best.seconds) best = {s, threads};
  }
  return best;
}

}  // namespace

int main(int argc, char** argv) {
  bool json = false;
  int runs = 30;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--json") == 0) {
      json = true;
    } else if (std::strcmp(argv[i], "--runs") == 0 && i + 1 < argc) {
      runs = std::max(1, std::atoi(argv[++i]));
    } else {
      fmt::print(stderr, "usage: peer_bench [--json] [--runs N]\n");
      return 2;
    }
  }
  const std::vector<std::pair<std::string, graph::Graph>> graphs{
      {"denoiser step, batch 2, text 16", models::build_dit({}, 2, 16)},
      {"decoder, 256x256", models::build_decoder({}, 1, 256)},
      {"text encoder, batch 2, text 16", models::build_text_encoder({}, 2, 16)},
  };
  const MakeExecutor device = [](int threads) { return runtime::make_device_executor({.threads = threads}); };
  const MakeExecutor torch = [](int threads) { return train::make_torch_executor("cpu", threads); };

  Json rows = Json::array();
  if (!json) fmt::print("{:34} {:5} {:>18} {:>18} {:>7}\n", "work", "", "thimble", "LibTorch", "ratio");
  for (const auto& [name, g] : graphs) {
    const graph::Weights weights = graph::initialise(g, 1);
    const double flops = graph::cost(g).flops;
    for (const auto precision : {graph::Precision::f32, graph::Precision::bf16}) {
      const Best a = best_of(device, g, weights, precision, runs), b = best_of(torch, g, weights, precision, runs);
      rows.push_back({{"work", name},
                      {"precision", to_string(precision)},
                      {"flops", flops},
                      {"thimble_ms", a.seconds * 1e3},
                      {"thimble_threads", a.threads},
                      {"libtorch_ms", b.seconds * 1e3},
                      {"libtorch_threads", b.threads},
                      {"ratio", b.seconds / a.seconds}});
      if (json) continue;
      const auto cell = [&](const Best& x) {
        return fmt::format("{:.2f} ms {:4.0f} GF/s", x.seconds * 1e3, flops / x.seconds / 1e9);
      };
      fmt::print("{:34} {:5} {:>18} {:>18} {:6.1f}x\n", name, to_string(precision), cell(a), cell(b),
                 b.seconds / a.seconds);
    }
  }
  if (json) fmt::print("{}\n", rows.dump(2));
}
