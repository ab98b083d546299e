#include "train/optimiser.h"

#include <algorithm>
#include <cmath>

#include "train/orthogonalise.h"

namespace thimble::train {
namespace {

bool decays(const std::string& name, const at::Tensor& t) {
  if (t.dim() < 2) return false;
  for (const char* word : {"norm", "positions", "tokens", "modulation", "embedding", "table"}) {
    if (name.find(word) != std::string::npos) return false;
  }
  return true;
}

// Muon is for hidden matrices; thin ones (a network's ends) keep AdamW.
bool is_matrix(const std::string& name, const at::Tensor& t) {
  constexpr std::int64_t kThin = 64;
  return decays(name, t) && t.size(0) >= kThin && t.numel() / t.size(0) >= kThin;
}

// What one element's update needs; plain loops, so that the compiler makes vectors of them.
struct Coefficients {
  float beta1, beta2, eps, step_size, root_scale, decay, gradient_scale;
};

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
__attribute__((target_clones("default", "arch=x86-64-v3"), optimize("O3,no-math-errno")))
#endif
void update(const Coefficients& c, const float* gradient, float* p, float* first, float* second, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) {
    const float g = gradient[i] * c.gradient_scale;
    const float m = first[i] + (1 - c.beta1) * (g - first[i]);
    const float v = second[i] + (1 - c.beta2) * (g * g - second[i]);
    first[i] = m;
    second[i] = v;
    p[i] -= p[i] * c.decay + c.step_size * m / (std::sqrt(v) * c.root_scale + c.eps);
  }
}

void update(const Coefficients& c, const at::Tensor& gradient, Optimiser::Slot& s) {
  if (s.parameter.device().is_cpu()) {
    const at::Tensor g = gradient.contiguous();
    const float* from = g.data_ptr<float>();
    float *p = s.parameter.data_ptr<float>(), *m = s.first.data_ptr<float>(), *v = s.second.data_ptr<float>();
    at::parallel_for(0, g.numel(), 1 << 14, [&](std::int64_t begin, std::int64_t end) {
      update(c, from + begin, p + begin, m + begin, v + begin, end - begin);
    });
    return;
  }
  const at::Tensor g = gradient * c.gradient_scale;
  s.first.lerp_(g, 1 - c.beta1);
  s.second.mul_(c.beta2).addcmul_(g, g, 1 - c.beta2);
  s.parameter.mul_(1 - c.decay);
  s.parameter.addcdiv_(s.first, s.second.sqrt().mul_(c.root_scale).add_(c.eps), -c.step_size);
}

// Scaled to 0.2 an element, about what AdamW's updates are, so that both take one learning rate (Liu et al. 2025).
void update_matrix(const Coefficients& c, double rate, float momentum, const at::Tensor& gradient, Optimiser::Slot& s) {
  const at::Tensor g = gradient * c.gradient_scale;
  s.first.mul_(momentum).add_(g);
  const at::Tensor step = orthogonalise(g + s.first * momentum);
  const auto rows = static_cast<double>(step.size(0)), columns = static_cast<double>(step.numel()) / rows;
  s.parameter.mul_(1 - c.decay);
  s.parameter.sub_(step, rate * 0.2 * std::sqrt(std::max(rows, columns)));
}

}  // namespace

Optimiser::Optimiser(const Parameters& parameters, const OptimiserOptions& options) : options_(options) {
  for (const auto& [name, tensor] : parameters) {
    check(tensor.scalar_type() == at::kFloat && tensor.is_contiguous(), "masters are dense f32");
    at::Tensor parameter = tensor;
    parameter.requires_grad_(true);
    slots_[name] = {parameter, at::zeros_like(parameter.detach()), at::zeros_like(parameter.detach()),
                    decays(name, parameter), options.kind == OptimiserKind::muon && is_matrix(name, parameter)};
  }
}

void Optimiser::reset() {
  steps_ = 0;
  for (auto& [name, slot] : slots_) {
    slot.first.zero_();
    slot.second.zero_();
  }
}

double Optimiser::step(double learning_rate) {
  const at::NoGradGuard guard;
  std::vector<at::Tensor> squares;
  for (const auto& [name, slot] : slots_) {
    const at::Tensor& g = slot.parameter.grad();
    if (g.defined()) squares.push_back(at::dot(g.reshape(-1), g.reshape(-1)));
  }
  if (squares.empty()) return 0;
  const double norm = std::sqrt(at::stack(squares).sum().item<double>());
  const bool usable = std::isfinite(norm);
  if (usable) ++steps_;
  const double t = static_cast<double>(steps_);
  const double clip = options_.clip > 0 && norm > options_.clip ? options_.clip / norm : 1;
  Coefficients c{};
  c.beta1 = static_cast<float>(options_.beta1);
  c.beta2 = static_cast<float>(options_.beta2);
  c.eps = static_cast<float>(options_.eps);
  c.step_size = static_cast<float>(learning_rate / (1 - std::pow(options_.beta1, t)));
  c.root_scale = static_cast<float>(1 / std::sqrt(1 - std::pow(options_.beta2, t)));
  c.gradient_scale = static_cast<float>(clip);
  for (auto& [name, slot] : slots_) {
    at::Tensor& g = slot.parameter.mutable_grad();
    if (!g.defined()) continue;
    c.decay = slot.decays ? static_cast<float>(learning_rate * options_.weight_decay) : 0.0f;
    if (usable && slot.orthogonal) {
      update_matrix(c, learning_rate, static_cast<float>(options_.momentum), g, slot);
    } else if (usable) {
      update(c, g, slot);
    }
    g = at::Tensor();
  }
  return norm;
}

Ema::Ema(const Parameters& parameters, double limit) : limit_(limit) {
  for (const auto& [name, tensor] : parameters) average_[name] = tensor.detach().clone();
}

void Ema::update(const Parameters& parameters) {
  const at::NoGradGuard guard;
  const double n = static_cast<double>(updates_++);
  const double decay = std::min(limit_, (1 + n) / (10 + n));
  for (auto& [name, tensor] : average_) tensor.lerp_(parameters.at(name), 1 - decay);
}

}  // namespace thimble::train
