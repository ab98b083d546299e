// An executor that runs everything on another one and keeps some of the inputs it saw, with the graph they belong to:
// material for calibration and for comparing two versions of a model.
#pragma once

#include <memory>
#include <vector>

#include "graph/executor.h"

namespace thimble::api {

struct Recording {
  graph::Graph graph;
  std::uint64_t weights = 0;  // Weights::id()
  std::vector<std::vector<graph::Tensor>> runs;
  std::vector<graph::Tensor> last;  // inputs of the latest run
  std::int64_t count = 0;
};

class Recorder final : public graph::Executor {
 public:
  // Keeps the first run of each program and every `stride`th after it, at most `most`.
  Recorder(graph::Executor& inner, int most, int stride) : inner_(inner), most_(most), stride_(stride) {}
  std::string name() const override { return inner_.name(); }
  std::unique_ptr<graph::Program> compile(const graph::Graph& graph, const graph::Weights& weights,
                                          const graph::CompileOptions& options) override;
  const std::vector<std::shared_ptr<Recording>>& recordings() const { return recordings_; }

 private:
  graph::Executor& inner_;
  int most_, stride_;
  std::vector<std::shared_ptr<Recording>> recordings_;
};

}  // namespace thimble::api
