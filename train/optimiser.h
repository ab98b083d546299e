// Optimisers over f32 masters: AdamW (Loshchilov and Hutter 2019), and Muon (Jordan et al. 2024) for matrices with
// AdamW for the rest; clipping, and the moving average of weights. Includes LibTorch.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "train/schedule.h"
#include "train/torch.h"

namespace thimble::train {

struct OptimiserOptions {
  OptimiserKind kind = OptimiserKind::adamw;
  double beta1 = 0.9, beta2 = 0.99, eps = 1e-8;
  double momentum = 0.95;      // Muon's, of Nesterov's kind
  double weight_decay = 0.01;  // not on vectors, embeddings, learned positions or tables
  double clip = 1.0;           // largest norm of the whole gradient; 0: no clipping
};

class Optimiser {
 public:
  // Keeps references to the tensors and asks them for gradients.
  Optimiser(const Parameters& parameters, const OptimiserOptions& options);

  // Applies and clears the gradients; parameters without one stay. Returns the gradient's norm before clipping; when
  // that is not finite nothing changes, moments included, and the step is not counted.
  double step(double learning_rate);

  // Steps taken, from which warm-up counts: starting again from weights alone warms up again.
  std::int64_t steps() const { return steps_; }

  struct Slot {
    at::Tensor parameter, first, second;  // Muon leaves the second moment zero
    bool decays = false;
    bool orthogonal = false;  // stepped by Muon
  };
  // For checkpoints.
  std::map<std::string, Slot>& slots() { return slots_; }
  void set_steps(std::int64_t steps) { steps_ = steps; }
  void reset();  // forgets moments and steps

 private:
  OptimiserOptions options_;
  std::map<std::string, Slot> slots_;
  std::int64_t steps_ = 0;
};

// average += (1 - decay) (weights - average), decay = min(limit, (1 + n) / (10 + n)) so that it forgets the start.
class Ema {
 public:
  Ema(const Parameters& parameters, double limit);
  void update(const Parameters& parameters);
  const Parameters& average() const { return average_; }
  Parameters& average() { return average_; }
  std::int64_t updates() const { return updates_; }
  void set_updates(std::int64_t n) { updates_ = n; }

 private:
  Parameters average_;
  double limit_;
  std::int64_t updates_ = 0;
};

}  // namespace thimble::train
