// Going on from a checkpoint is as if nothing had happened; no interruption loses the last good one.
#include "train/checkpoint.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <fstream>

#include "base/file.h"
#include "base/rng.h"
#include "formats/thimble/model_file.h"
#include "graph/builder.h"
#include "graph/weights.h"
#include "train/csv_log.h"
#include "train/loop.h"
#include "train/orthogonalise.h"
#include "train/schedule.h"
#include "train/shards.h"

namespace thimble::train {
namespace {

namespace fs = std::filesystem;

graph::Graph network() {
  graph::Builder b("net");
  graph::Var x = b.input("x", {4, 8});
  b.output("y", b.linear(b.gelu(b.layer_norm(b.linear(x, "in", 16), "norm")), "out", 3));
  return b.finish();
}

// A small regression: step i always sees the same data.
struct Regression {
  graph::Graph graph = network();
  Parameters parameters = load_parameters(graph, graph::initialise(graph, 5), at::kCPU);
  Optimiser optimiser{parameters, {}};
  Ema ema{parameters, 0.9};
  Trainee trainee{&optimiser, &ema};
  RunState state;

  void train(int steps) {
    const Schedule schedule{ScheduleKind::constant, 1e-2, 4};
    for (int i = 0; i < steps; ++i, ++state.step) {
      std::vector<float> values(32);
      fill_normal(values, 8, static_cast<std::uint64_t>(state.step));
      const at::Tensor x = at::from_blob(values.data(), {4, 8}, at::kFloat);
      const at::Tensor y = run_graph(graph, parameters, {x}, graph::Precision::f32)[0];
      torch::autograd::backward({at::square(y - x.narrow(1, 0, 3).sin()).mean()}, {});
      optimiser.step(schedule.at(optimiser.steps(), 0));
      ema.update(parameters);
    }
  }
};

void expect_equal(Regression& a, Regression& b) {
  EXPECT_EQ(a.optimiser.steps(), b.optimiser.steps());
  EXPECT_EQ(a.ema.updates(), b.ema.updates());
  for (auto& [name, slot] : a.optimiser.slots()) {
    const Optimiser::Slot& other = b.optimiser.slots().at(name);
    EXPECT_TRUE(at::equal(slot.parameter, other.parameter)) << name;
    EXPECT_TRUE(at::equal(slot.first, other.first)) << name;
    EXPECT_TRUE(at::equal(slot.second, other.second)) << name;
    EXPECT_TRUE(at::equal(a.ema.average().at(name), b.ema.average().at(name))) << name;
  }
}

class CheckpointTest : public testing::Test {
 protected:
  void SetUp() override {
    dir_ = fs::temp_directory_path() / ("thimble_checkpoint_" + std::to_string(::getpid()));
    fs::remove_all(dir_);
    fs::create_directories(dir_);
  }
  void TearDown() override { fs::remove_all(dir_); }
  fs::path dir_;
};

TEST_F(CheckpointTest, GoingOnGivesTheSameBits) {
  Regression straight;
  straight.train(6);
  Regression first;
  first.train(3);
  first.state.facts = {{"kind", "test"}};
  save_checkpoint(dir_, first.trainee, first.state);
  Regression second;
  const auto state = resume(dir_, second.trainee);
  ASSERT_TRUE(state);
  EXPECT_EQ(state->step, 3);
  EXPECT_EQ(state->facts.at("kind"), "test");
  second.state = *state;
  second.train(3);
  expect_equal(straight, second);
}

TEST_F(CheckpointTest, KeepsTwoAndPassesOverDamage) {
  Regression run;
  for (int i = 0; i < 4; ++i) {
    run.train(1);
    save_checkpoint(dir_, run.trainee, run.state);
  }
  const auto files = list_checkpoints(dir_);
  ASSERT_EQ(files.size(), 2u);
  EXPECT_EQ(files[0].filename(), "checkpoint-000000004.safetensors");
  fs::resize_file(files[0], fs::file_size(files[0]) / 2);
  Regression other;
  const auto state = resume(dir_, other.trainee);
  ASSERT_TRUE(state);
  EXPECT_EQ(state->step, 3);
  fs::resize_file(files[1], 100);
  EXPECT_THROW(resume(dir_, other.trainee), Error);
}

TEST_F(CheckpointTest, NothingThereIsNoError) {
  Regression run;
  EXPECT_FALSE(resume(dir_ / "none", run.trainee));
}

// Weights without moments: the first step must be small again, although many steps were trained before.
TEST_F(CheckpointTest, WeightsAloneWarmUpAgain) {
  Regression run;
  run.train(10);
  const fs::path path = dir_ / "weights.safetensors";
  std::vector<formats::TensorSpec> specs;
  for (const auto& [name, p] : run.parameters) specs.push_back({name, DType::f32, p.sizes().vec()});
  {
    formats::SafetensorsWriter out(path, specs);
    const auto order = out.order();
    for (const auto& spec : order) {
      out.write(spec.name, {static_cast<const std::byte*>(run.parameters.at(spec.name).data_ptr()), spec.bytes()});
    }
    out.commit();
  }
  Regression other;
  other.train(2);
  const RunState state = load_checkpoint(path, other.trainee);
  EXPECT_EQ(state.step, 0);
  EXPECT_EQ(other.optimiser.steps(), 0);
  const Schedule schedule{ScheduleKind::constant, 1e-2, 4};
  EXPECT_DOUBLE_EQ(schedule.at(other.optimiser.steps(), 0), 0.25e-2);
  EXPECT_DOUBLE_EQ(schedule.at(run.optimiser.steps(), 0), 1e-2);
  for (auto& [name, slot] : other.optimiser.slots()) {
    EXPECT_TRUE(at::equal(slot.parameter, run.parameters.at(name)));
    EXPECT_TRUE(at::equal(other.ema.average().at(name), run.parameters.at(name)));
    EXPECT_EQ(slot.second.abs().max().item<float>(), 0);
  }
}

// What ships is what the next training starts from.
TEST_F(CheckpointTest, AModelFileIsWeightsAlone) {
  Regression run;
  run.train(3);
  const fs::path path = dir_ / "model.safetensors";
  formats::ModelWriter writer(
      {{"name", "m"}, {"licence", "x"}, {"parts", {{"denoiser", {{"config", {{"type", "t"}}}}}}}});
  for (const auto& [name, p] : run.parameters) {
    writer.add("denoiser", name, DType::f32, p.sizes().vec(),
               std::span(static_cast<const std::byte*>(p.data_ptr()), static_cast<std::size_t>(p.numel()) * 4),
               DType::bf16);
  }
  writer.write(path);
  Regression other;
  other.train(2);
  EXPECT_EQ(load_checkpoint(path, other.trainee).step, 0);
  EXPECT_EQ(other.optimiser.steps(), 0);
  for (auto& [name, slot] : other.optimiser.slots()) {
    const at::Tensor wanted = run.parameters.at(name).detach().to(at::kBFloat16).to(at::kFloat);
    EXPECT_TRUE(at::equal(slot.parameter.detach(), wanted)) << name;
    EXPECT_TRUE(at::equal(other.ema.average().at(name), wanted)) << name;
  }
}

TEST_F(CheckpointTest, RefusesAnotherNetwork) {
  Regression run;
  run.train(1);
  const fs::path path = save_checkpoint(dir_, run.trainee, run.state);
  graph::Builder b("other");
  b.output("y", b.linear(b.input("x", {4, 8}), "in", 20));
  const graph::Graph g = b.finish();
  Parameters parameters = load_parameters(g, graph::initialise(g, 1), at::kCPU);
  Optimiser optimiser(parameters, {});
  Ema ema(parameters, 0.9);
  try {
    load_checkpoint(path, {&optimiser, &ema});
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::bad_file);
    EXPECT_NE(std::string(e.what()).find("in."), std::string::npos) << e.what();
  }
}

// The limit on file sizes fails writes as a full disk does.
TEST_F(CheckpointTest, FullDiskKeepsTheFormerOne) {
  Regression run;
  run.train(2);
  save_checkpoint(dir_, run.trainee, run.state);
  run.train(1);
  rlimit former{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &former), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit tight = former;
  tight.rlim_cur = 1000;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &tight), 0);
  bool failed = false;
  try {
    save_checkpoint(dir_, run.trainee, run.state);
  } catch (const Error& e) {
    failed = e.kind() == ErrorKind::io;
  }
  ::setrlimit(RLIMIT_FSIZE, &former);
  std::signal(SIGXFSZ, handler);
  EXPECT_TRUE(failed);
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& e : fs::directory_iterator(dir_)) ++files;
  EXPECT_EQ(files, 1u);
  Regression other;
  const auto state = resume(dir_, other.trainee);
  ASSERT_TRUE(state);
  EXPECT_EQ(state->step, 2);
}

TEST_F(CheckpointTest, GradientsThatAreNotFiniteChangeNothing) {
  Regression run;
  run.train(2);
  Regression twin;
  twin.train(2);
  run.parameters.at("out.bias").mutable_grad() = at::full({3}, std::numeric_limits<float>::infinity());
  EXPECT_FALSE(std::isfinite(run.optimiser.step(1e-2)));
  expect_equal(run, twin);
}

// Adam's first step moves every element by the rate against the gradient's sign, whatever its size.
TEST_F(CheckpointTest, FirstAdamStepIsTheRate) {
  Parameters parameters{{"w", at::tensor({1.0f, -2.0f, 3.0f})}};
  Optimiser optimiser(parameters, {.clip = 0});
  parameters.at("w").mutable_grad() = at::tensor({0.5f, -40.0f, 1e-3f});
  EXPECT_NEAR(optimiser.step(0.1), 40.0031, 1e-3);
  const at::Tensor w = parameters.at("w").detach();
  EXPECT_NEAR(w[0].item<float>(), 0.9, 1e-5);
  EXPECT_NEAR(w[1].item<float>(), -1.9, 1e-5);
  EXPECT_NEAR(w[2].item<float>(), 2.9, 1e-4);
}

// Singular values after the quintic iteration lie around one; the singular vectors are those of the matrix.
TEST_F(CheckpointTest, OrthogonalisedMatricesKeepTheirSingularVectors) {
  for (const auto& [rows, columns] : {std::pair{48, 200}, {200, 48}}) {
    std::vector<float> values(static_cast<std::size_t>(rows * columns));
    fill_normal(values, 3);
    const at::Tensor g = at::from_blob(values.data(), {rows, columns}, at::kFloat);
    const at::Tensor o = orthogonalise(g.reshape({rows, 4, columns / 4}));
    ASSERT_EQ(o.sizes(), at::IntArrayRef({rows, 4, columns / 4}));
    const auto [u, s, vh] = at::linalg_svd(g, false);
    const at::Tensor inside = at::matmul(at::matmul(u.t(), o.reshape({rows, columns})), vh.t());
    const at::Tensor diagonal = at::diagonal(inside);
    EXPECT_GT(diagonal.min().item<float>(), 0.65);
    EXPECT_LT(diagonal.max().item<float>(), 1.25);
    EXPECT_LT((inside - at::diag(diagonal)).abs().max().item<float>(), 0.03);
  }
  EXPECT_EQ(orthogonalise(at::zeros({64, 64})).abs().max().item<float>(), 0);
}

// A step of Muon has 0.2 times the rate as its root mean square, whatever the gradient's size; vectors keep Adam's.
TEST_F(CheckpointTest, MuonStepsHaveTheSizeOfAdams) {
  std::vector<float> values(96 * 160);
  fill_normal(values, 5);
  for (const float size : {1e-3f, 10.0f}) {
    Parameters parameters{{"w", at::zeros({96, 160})}, {"b", at::zeros({96})}, {"table", at::zeros({96, 160})}};
    Optimiser optimiser(parameters, {.kind = OptimiserKind::muon, .clip = 0});
    const at::Tensor g = at::from_blob(values.data(), {96, 160}, at::kFloat).clone() * size;
    parameters.at("w").mutable_grad() = g;
    parameters.at("table").mutable_grad() = g.clone();
    parameters.at("b").mutable_grad() = at::full({96}, -size);
    optimiser.step(0.01);
    const at::Tensor w = parameters.at("w").detach();
    // 96 singular values near one over 96 x 160 elements, times 0.2 sqrt(160).
    EXPECT_NEAR(std::sqrt(at::square(w).mean().item<double>()), 0.01 * 0.2, 0.01 * 0.2 * 0.15);
    EXPECT_LT((w * g).sum().item<float>(), 0);
    EXPECT_NEAR(parameters.at("b").detach().max().item<float>(), 0.01, 1e-5);
    EXPECT_NEAR(parameters.at("table").detach().abs().max().item<float>(), 0.01, 1e-4);
  }
}

// Two shards give the gradient of the whole batch's mean loss.
TEST_F(CheckpointTest, ShardsAddUpToTheWholeBatch) {
  graph::Builder b("net");
  b.output("y", b.linear(b.input("x", {2, 8}), "in", 3));
  const graph::Graph half = b.finish();
  Parameters parameters = load_parameters(half, graph::initialise(half, 2), at::kCPU);
  Optimiser optimiser(parameters, {});
  std::vector<float> values(32);
  fill_normal(values, 1);
  const at::Tensor x = at::from_blob(values.data(), {4, 8}, at::kFloat);
  Shards shards(parameters, 4, 2, at::kCPU);
  ASSERT_EQ(shards.count(), 2);
  shards.run([&](int shard, const Parameters& p) {
    const at::Tensor y = run_graph(half, p, {x.narrow(0, 2 * shard, 2)}, graph::Precision::f32)[0];
    torch::autograd::backward({at::square(y).mean()}, {});
  });
  const at::Tensor w = parameters.at("in.weight").detach(), bias = parameters.at("in.bias").detach();
  const at::Tensor y = at::matmul(x, w.t()) + bias;
  const at::Tensor expected = at::matmul((2 * y / 12).t(), x);
  EXPECT_LT((parameters.at("in.weight").grad() - expected).abs().max().item<float>(), 1e-6);
  EXPECT_THROW(shards.run([](int, const Parameters&) { fail(ErrorKind::internal, "stop"); }), Error);
}

TEST_F(CheckpointTest, ScheduleWarmsUpAndFalls) {
  const Schedule plateau{ScheduleKind::plateau, 1.0, 10};
  EXPECT_DOUBLE_EQ(plateau.at(0, 0), 0.1);
  EXPECT_DOUBLE_EQ(plateau.at(100, 0.75), 1.0);
  EXPECT_NEAR(plateau.at(100, 0.875), 0.51, 1e-12);
  EXPECT_NEAR(plateau.at(100, 1), 0.02, 1e-12);
  const Schedule cosine{ScheduleKind::cosine, 1.0, 1};
  EXPECT_NEAR(cosine.at(5, 0.5), 0.51, 1e-12);
}

TEST_F(CheckpointTest, LoopStopsSavesAndGoesOn) {
  std::vector<std::int64_t> saved;
  CancelToken cancel;
  LoopHooks hooks;
  hooks.train = [&](std::int64_t step, double) -> Values {
    if (step == 6) cancel.cancel();
    return {{"loss", static_cast<double>(step)}};
  };
  hooks.save = [&](std::int64_t step, double) { saved.push_back(step); };
  LoopOptions options{.run_dir = dir_, .steps = 20, .log_every = 2};
  const LoopResult stopped = run_loop(options, hooks, 0, 0, {}, cancel);
  EXPECT_TRUE(stopped.cancelled);
  EXPECT_EQ(stopped.step, 7);
  EXPECT_EQ(saved, (std::vector<std::int64_t>{7}));

  // The checkpoint of step 4 is the one found: rows after it go.
  hooks.train = [](std::int64_t, double) -> Values { return {{"loss", -1}}; };
  const CancelToken none;
  EXPECT_EQ(run_loop(options, hooks, 4, 0.5, {}, none).step, 20);
  const CsvLog log(dir_ / "log.csv", 1000);
  ASSERT_EQ(log.rows().size(), 10u);
  EXPECT_EQ(log.columns()[2], "loss");
  EXPECT_EQ(log.rows()[0][2], 0.5);  // mean of steps 0 and 1
  EXPECT_EQ(log.rows()[1][2], 2.5);
  EXPECT_EQ(log.rows()[2][2], -1);
  EXPECT_EQ(log.rows()[9][0], 20);
}

}  // namespace
}  // namespace thimble::train
