// One network of a published model at work: graph, weights and program of one size, inputs and outputs by name.
// Not here: which network (published_model.h), what its inputs mean (text_encoding.h, denoising.h).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "graph/executor.h"

namespace thimble::diffusion {

using NamedTensors = std::map<std::string, graph::Tensor>;

// What a network is packed from.
struct NetworkWeights {
  std::string name;                    // of the part, for messages
  graph::Weights stored;               // under the graph's names; more than it needs does no harm
  std::function<void()> release = {};  // called once all is packed: `stored` is not read again
  std::size_t read_bytes = 0;          // of the originals, where `stored` derives from them; 0: it is what was read
};

class Network {
 public:
  // `steady`: inputs that stay as they are over many runs, set by fix(); what follows from them alone is computed
  // there.
  Network(const NetworkWeights& weights, const graph::Graph& graph, graph::Executor& executor,
          graph::Precision precision, const std::set<std::string>& steady = {});

  // Values for the steady inputs; those that the network does not have are passed over.
  void fix(const NamedTensors& values, const CancelToken* cancel);
  // What fix() left, to go back to later: several sets of steady values take turns.
  const NamedTensors& fixed() const { return fixed_; }
  void restore(const NamedTensors& fixed) { fixed_ = fixed; }
  // Outputs in f32, valid until the next run. `unsupported` names an input that neither `values` nor fix() has.
  const NamedTensors& run(const NamedTensors& values, const CancelToken* cancel);

  graph::MemoryReport memory() const;
  std::size_t stored_bytes() const { return stored_bytes_; }  // of the weights, as they were read

 private:
  struct Compiled {
    std::unique_ptr<graph::Program> program;
    std::vector<std::string> inputs, outputs;
  };
  Compiled compile(const graph::Graph& graph, const graph::Weights& stored, graph::Executor& executor,
                   graph::Precision precision);
  NamedTensors run(Compiled& c, const NamedTensors& values, const CancelToken* cancel) const;

  std::string what_;
  std::size_t stored_bytes_ = 0;
  Compiled once_, rest_;  // once_ has no program where nothing is steady
  NamedTensors fixed_, results_;
};

}  // namespace thimble::diffusion
