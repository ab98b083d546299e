#include "api/recorder.h"

#include <cstring>

namespace thimble::api {
namespace {

std::vector<graph::Tensor> copies(std::span<const graph::TensorView> inputs) {
  std::vector<graph::Tensor> made;
  for (const graph::TensorView& v : inputs) {
    made.emplace_back(v.type);
    std::memcpy(made.back().mutable_data(), v.data, v.type.bytes());
  }
  return made;
}

class RecordingProgram final : public graph::Program {
 public:
  RecordingProgram(const graph::Graph& graph, std::unique_ptr<graph::Program> inner,
                   std::shared_ptr<Recording> recording, int most, int stride)
      : Program(graph), inner_(std::move(inner)), recording_(std::move(recording)), most_(most), stride_(stride) {}

  void run(std::span<const graph::TensorView> inputs, std::span<const graph::MutableTensorView> outputs,
           const CancelToken* cancel) override {
    recording_->last = copies(inputs);
    const bool due = recording_->count++ % stride_ == 0;
    if (due && static_cast<int>(recording_->runs.size()) < most_) recording_->runs.push_back(recording_->last);
    inner_->run(inputs, outputs, cancel);
  }
  graph::MemoryReport memory() const override { return inner_->memory(); }
  std::string explain() const override { return inner_->explain(); }

 private:
  std::unique_ptr<graph::Program> inner_;
  std::shared_ptr<Recording> recording_;
  int most_, stride_;
};

}  // namespace

std::unique_ptr<graph::Program> Recorder::compile(const graph::Graph& graph, const graph::Weights& weights,
                                                  const graph::CompileOptions& options) {
  auto recording = std::make_shared<Recording>();
  recording->graph = graph;
  recording->weights = weights.id();
  recordings_.push_back(recording);
  return std::make_unique<RecordingProgram>(graph, inner_.compile(graph, weights, options), std::move(recording), most_,
                                            stride_);
}

}  // namespace thimble::api
