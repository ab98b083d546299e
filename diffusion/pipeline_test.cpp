// The pipeline and model reading, on the reference executor and the tiny random model.
#include "diffusion/pipeline.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "base/rng.h"
#include "diffusion/picture.h"
#include "diffusion/prompt.h"
#include "graph/reference.h"
#include "tests/support/tiny_model.h"
#include "text/byte_bpe.h"

namespace thimble::diffusion {
namespace {

std::filesystem::path temporary(const std::string& name) {
  return std::filesystem::temp_directory_path() / fmt::format("thimble_pipeline_{}_{}", ::getpid(), name);
}

Model tiny(const testing::TinyModelOptions& options = {}) {
  const auto path = temporary("tiny.safetensors");
  testing::write_tiny_model(path, options);
  Model model = Model::open(path);
  std::filesystem::remove(path);
  return model;
}

// Passes on to the reference and counts what is compiled and run.
class CountingExecutor final : public graph::Executor {
 public:
  std::map<std::string, int> compiled, ran;
  std::map<std::string, std::int64_t> rows;

  std::string name() const override { return "counting"; }
  std::unique_ptr<graph::Program> compile(const graph::Graph& g, const graph::Weights& w,
                                          const graph::CompileOptions& o) override;

 private:
  friend class CountingProgram;
  std::unique_ptr<graph::Executor> inner_ = graph::make_reference_executor();
};

class CountingProgram final : public graph::Program {
 public:
  CountingProgram(CountingExecutor& owner, const graph::Graph& g, std::unique_ptr<graph::Program> inner)
      : Program(g), owner_(owner), kind_(kind(g)), inner_(std::move(inner)) {}
  void run(std::span<const graph::TensorView> in, std::span<const graph::MutableTensorView> out,
           const CancelToken* cancel) override {
    ++owner_.ran[kind_];
    owner_.rows[kind_] += in.front().type.shape[0];
    inner_->run(in, out, cancel);
  }
  static std::string kind(const graph::Graph& g) {
    if (g.find_input("latent") && g.find_input("time")) return "step";
    if (g.find_input("latent")) return "decoder";
    if (g.find_input("ids")) return "text";
    return g.find_input("image") ? "encoder" : "once";
  }

 private:
  CountingExecutor& owner_;
  std::string kind_;
  std::unique_ptr<graph::Program> inner_;
};

std::unique_ptr<graph::Program> CountingExecutor::compile(const graph::Graph& g, const graph::Weights& w,
                                                          const graph::CompileOptions& o) {
  ++compiled[CountingProgram::kind(g)];
  return std::make_unique<CountingProgram>(*this, g, inner_->compile(g, w, o));
}

int largest_difference(const media::Image& a, const media::Image& b) {
  EXPECT_EQ(a.pixels.size(), b.pixels.size());
  int most = 0;
  for (std::size_t i = 0; i < a.pixels.size(); ++i) most = std::max(most, std::abs(a.pixels[i] - b.pixels[i]));
  return most;
}

media::Image one(Pipeline& p, const std::string& prompt, std::uint64_t seed, const GenerateOptions& options = {}) {
  const Request request{prompt, seed};
  return p.generate(std::span(&request, 1), options).images.at(0);
}

TEST(Pipeline, PromptSeedAndEveryOptionHaveAnEffect) {
  const Model model = tiny();
  const auto executor = graph::make_reference_executor();
  Pipeline p(model, *executor, {});
  const auto base = one(p, "a smiling cat", 7);
  EXPECT_EQ(base.width, 32);
  EXPECT_EQ(base.channels, 4);
  EXPECT_EQ(one(p, "a smiling cat", 7), base);
  EXPECT_GT(largest_difference(one(p, "a smiling cat", 8), base), 8);
  EXPECT_GT(largest_difference(one(p, "a red heart", 7), base), 0);
  EXPECT_GT(largest_difference(one(p, "a smiling cat", 7, {.guidance = 1.0}), base), 0);
  EXPECT_GT(largest_difference(one(p, "a smiling cat", 7, {.steps = 2}), base), 0);
  EXPECT_GT(largest_difference(one(p, "a smiling cat", 7, {.sampler = "euler"}), base), 0);
  EXPECT_GT(largest_difference(one(p, "a smiling cat", 7, {.guidance = 9.0, .guidance_rescale = 1.0}),
                               one(p, "a smiling cat", 7, {.guidance = 9.0})),
            0);
}

TEST(Pipeline, SamplesAsALoopWrittenByHand) {
  // The denoiser is called on text and no text apart, without batching, splitting or padding.
  const Model model = tiny();
  const auto executor = graph::make_reference_executor();
  Pipeline p(model, *executor, {});
  const std::string prompt = "a smiling cat";

  const auto encode = [&](const std::string& text) {
    auto ids = model.tokenizer().encode(text);
    const auto framed = text::frame(model.tokenizer(), ids, 32);
    const auto n = static_cast<std::int64_t>(framed.length);
    const auto program = executor->compile(model.text_graph(1, static_cast<int>(n)), model.text().weights, {});
    auto out = (*program)({graph::Tensor::of({1, n}, std::span<const std::int32_t>(framed.ids)),
                           graph::Tensor::filled({1, 1, 1, n}, 0), graph::Tensor::filled({1, n, 1}, 1)});
    return out;
  };
  const auto velocity = [&](const std::vector<float>& x, float t, const std::vector<graph::Tensor>& text) {
    const std::int64_t n = text[0].shape()[1];
    const auto program = executor->compile(model.denoiser_graph(1, static_cast<int>(n)), model.denoiser().weights, {});
    const auto out =
        (*program)({graph::Tensor::of({1, 4, 4, 4}, std::span<const float>(x)), graph::Tensor::filled({1}, t), text[0],
                    text[1], graph::Tensor::filled({1, 1, 1, n}, 0)});
    const auto v = out[0].as<float>();
    return std::vector<float>(v.begin(), v.end());
  };
  const auto with = encode(prompt), without = encode("");
  std::vector<float> x(64);
  fill_normal(x, 11);
  constexpr int kSteps = 3;
  for (int i = 0; i < kSteps; ++i) {
    const float t = 1 - static_cast<float>(i) / kSteps;
    const auto a = velocity(x, t, with), b = velocity(x, t, without);
    for (std::size_t k = 0; k < x.size(); ++k) x[k] -= (b[k] + 2.5f * (a[k] - b[k])) / kSteps;
  }
  for (std::size_t k = 0; k < x.size(); ++k) {
    x[k] = x[k] / model.facts().latent_scale[0] + model.facts().latent_shift[k % 4];
  }
  const auto decoder = executor->compile(model.decoder_graph(1), model.autoencoder().weights, {});
  const auto picture = (*decoder)({graph::Tensor::of({1, 4, 4, 4}, std::span<const float>(x))});
  const auto wanted = to_image(picture[0].as<float>(), 32, 32, 4);
  const auto made = one(p, prompt, 11, {.steps = kSteps, .sampler = "euler", .guidance = 2.5});
  EXPECT_LE(largest_difference(made, wanted), 1);
}

TEST(Pipeline, OtherPicturesOfTheCallDoNotMatter) {
  const Model model = tiny();
  const auto executor = graph::make_reference_executor();
  Pipeline p(model, *executor, {});
  // The long prompt moves the batch to a larger bucket.
  const std::vector<Request> requests{
      {"a red heart", 1}, {"smiling face with sunglasses and a very large hat on", 2}, {"", 3}};
  const auto together = p.generate(requests, {.batch = 3});
  const auto apart = p.generate(requests, {.batch = 1});
  const auto pairs = p.generate(requests, {.batch = 2});
  ASSERT_EQ(together.images.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_LE(largest_difference(together.images[i], apart.images[i]), 1) << i;
    EXPECT_LE(largest_difference(pairs.images[i], apart.images[i]), 1) << i;
  }
}

TEST(Pipeline, TextRunsOnceAndGuidanceIsABatchOfTwo) {
  const Model model = tiny();
  CountingExecutor executor;
  Pipeline p(model, executor, {});
  const Request request{"a red heart", 1};
  const auto run = [&](const GenerateOptions& o) {
    executor.ran.clear();
    executor.rows.clear();
    return p.generate(std::span(&request, 1), o);
  };
  auto made = run({.steps = 4, .sampler = "heun"});
  EXPECT_EQ(made.timings.calls.size(), 7u);
  EXPECT_EQ(executor.ran["text"], 1);
  EXPECT_EQ(executor.rows["text"], 2);
  EXPECT_EQ(executor.ran["once"], 1);
  EXPECT_EQ(executor.ran["step"], 7);
  EXPECT_EQ(executor.rows["step"], 14);
  EXPECT_EQ(executor.ran["decoder"], 1);

  run({.steps = 4, .sampler = "heun"});
  EXPECT_EQ(executor.compiled["step"], 1) << "programs are kept";
  EXPECT_EQ(executor.compiled["text"], 1);

  run({.steps = 4, .sampler = "euler", .guidance = 1.0});
  EXPECT_EQ(executor.rows["step"], 4);
  EXPECT_EQ(executor.rows["text"], 1);

  // Levels 1, 0.75, 0.5, 0.25: two of them are guided.
  run({.steps = 4, .sampler = "euler", .guidance_low = 0.4, .guidance_high = 0.8});
  EXPECT_EQ(executor.ran["step"], 4);
  EXPECT_EQ(executor.rows["step"], 6);
}

TEST(Pipeline, OtherPredictions) {
  for (const Prediction prediction : {Prediction::epsilon, Prediction::v}) {
    testing::TinyModelOptions options;
    options.facts.prediction = prediction;
    options.facts.schedule = {.kind = ScheduleKind::scaled_linear, .steps_offset = 1, .final_alpha_one = false};
    options.facts.sampler = "dpmpp";
    const Model model = tiny(options);
    const auto executor = graph::make_reference_executor();
    Pipeline p(model, *executor, {});
    const auto plain = one(p, "a red heart", 3, {.sampler = "ddim"});
    EXPECT_GT(largest_difference(plain, one(p, "a red heart", 3, {.sampler = "ddim", .eta = 1})), 0);
    EXPECT_GT(largest_difference(plain, one(p, "a red heart", 3)), 0);
    // Euler's steps are DDIM's on a latent that the network sees scaled.
    EXPECT_LE(largest_difference(plain, one(p, "a red heart", 3, {.sampler = "euler"})), 1);
    EXPECT_EQ(one(p, "a red heart", 3, {.sampler = "ddim", .eta = 1}),
              one(p, "a red heart", 3, {.sampler = "ddim", .eta = 1}));
  }
}

TEST(Pipeline, StopsWhenAsked) {
  const Model model = tiny();
  const auto executor = graph::make_reference_executor();
  Pipeline p(model, *executor, {});
  CancelToken cancel;
  std::vector<std::int64_t> seen;
  const Request request{"a red heart", 1};
  try {
    p.generate(
        std::span(&request, 1), {.steps = 10, .sampler = "euler"},
        [&](std::int64_t done, std::int64_t total, const std::string&) {
          seen.push_back(done);
          EXPECT_EQ(total, 10);
          if (done == 3) cancel.cancel();
        },
        &cancel);
    FAIL() << "it went on";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::cancelled);
  }
  EXPECT_EQ(seen, (std::vector<std::int64_t>{1, 2, 3}));
}

TEST(Pipeline, RefusesOptionsBeforeAnythingIsCompiled) {
  const Model model = tiny();
  CountingExecutor executor;
  Pipeline p(model, executor, {});
  const std::vector<GenerateOptions> bad{{.steps = 0},       {.steps = 1001},       {.sampler = "ddim"},
                                         {.guidance = -1.0}, {.guidance_low = 2.0}, {.guidance_rescale = -0.1},
                                         {.eta = 0.5},       {.batch = 0},          {.batch = 65}};
  const Request request{"x", 1};
  for (const GenerateOptions& o : bad) {
    try {
      p.generate(std::span(&request, 1), o);
      FAIL() << "accepted";
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::bad_input) << e.what();
    }
  }
  const Request broken{"abc\xff", 1};
  EXPECT_THROW(p.generate(std::span(&broken, 1), {}), Error);
  EXPECT_TRUE(executor.compiled.empty());
}

TEST(Pipeline, EncodeAndDecodeUseTheScaledLatents) {
  const Model model = tiny();
  const auto executor = graph::make_reference_executor();
  Pipeline p(model, *executor, {});
  std::vector<float> picture(32 * 32 * 4);
  fill_normal(picture, 4);
  const auto latent = p.encode(picture, 1);
  const auto program = executor->compile(model.encoder_graph(1), model.autoencoder().weights, {});
  const auto raw = (*program)({graph::Tensor::of({1, 32, 32, 4}, std::span<const float>(picture))});
  ASSERT_EQ(latent.size(), 64u);
  for (std::size_t i = 0; i < 64; ++i) {
    EXPECT_NEAR(latent[i], (raw[0].as<float>()[i] - model.facts().latent_shift[i % 4]) * 1.5f, 1e-6);
  }
  EXPECT_EQ(p.decode(latent, 1).size(), picture.size());
}

TEST(Prompt, PaddingAndMasksFollowTheBucket) {
  const text::ByteBpe bytes({});
  const std::vector<std::string> prompts{"", "abcdef", std::string(40, 'x')};
  const std::vector<int> buckets{8, 16};
  const auto two = pack_prompts(bytes, std::span(prompts).first(2), buckets);
  EXPECT_EQ(two.length, 16);  // begin, a space, six letters, end
  EXPECT_EQ(two.ids.shape(), (graph::Shape{2, 16}));
  const auto ids = two.ids.as<std::int32_t>();
  EXPECT_EQ(ids[0], text::ByteBpe::kBegin);
  EXPECT_EQ(ids[1], text::ByteBpe::kEnd);
  EXPECT_EQ(ids[2], text::ByteBpe::kPad);
  const auto mask = two.mask.as<float>(), keep = two.keep.as<float>();
  EXPECT_EQ(std::count(mask.begin(), mask.begin() + 16, 0.0f), 2);
  EXPECT_EQ(std::count(mask.begin() + 16, mask.end(), 0.0f), 9);
  for (std::size_t i = 0; i < mask.size(); ++i) EXPECT_EQ(keep[i] == 1, mask[i] == 0);
  EXPECT_EQ(*std::min_element(mask.begin(), mask.end()), kMaskedScore);

  EXPECT_EQ(pack_prompts(bytes, std::span(prompts).first(1), buckets).length, 8);
  const auto cut = pack_prompts(bytes, prompts, buckets);
  EXPECT_EQ(cut.dropped, (std::vector<std::size_t>{0, 0, 41 - 14}));
  EXPECT_EQ(cut.ids.as<std::int32_t>().back(), text::ByteBpe::kEnd);

  const std::vector<std::string> huge{std::string(kMaxPromptBytes + 1, 'a')};
  EXPECT_THROW(pack_prompts(bytes, huge, buckets), Error);
}

TEST(Model, SixteenBitWeightsServeToo) {
  const auto executor = graph::make_reference_executor();
  const Model f32 = tiny();
  Pipeline p(f32, *executor, {});
  const auto base = one(p, "a red heart", 3, {.steps = 2});
  for (const DType stored : {DType::bf16, DType::f16}) {
    testing::TinyModelOptions options;
    options.stored = stored;
    const Model model = tiny(options);
    EXPECT_EQ(model.denoiser().weights.at("dit.embed.weight").type().dtype, stored);
    Pipeline q(model, *executor, {});
    EXPECT_LE(largest_difference(one(q, "a red heart", 3, {.steps = 2}), base), stored == DType::f16 ? 4 : 24);
  }
}

TEST(Model, PartsThatDoNotFitAreRefused) {
  const auto refusal = [](const std::function<void(Json&)>& change) -> std::string {
    Json header = testing::tiny_model_header();
    change(header);
    // Weights are those of the unchanged header.
    const auto path = temporary("changed.safetensors");
    testing::write_tiny_model(path);
    const auto whole = formats::ModelFile::open(path);
    formats::ModelFile file = whole;
    file.header = header;
    std::string message = "no error";
    try {
      Model::from_file(std::move(file));
    } catch (const Error& e) {
      EXPECT_NE(e.kind(), ErrorKind::internal);
      EXPECT_NE(e.kind(), ErrorKind::bad_input);
      message = e.what();
    }
    std::filesystem::remove(path);
    return message;
  };
  const auto expect = [&](std::string_view part, const std::function<void(Json&)>& change) {
    const std::string message = refusal(change);
    EXPECT_NE(message.find(part), std::string::npos) << message << "\nwanted: " << part;
  };
  EXPECT_EQ(refusal([](Json&) {}), "no error");
  expect("no part 'text'", [](Json& h) { h["parts"].erase("text"); });
  expect("has shape", [](Json& h) { h["parts"]["denoiser"]["config"]["width"] = 32; });
  expect("is missing", [](Json& h) { h["parts"]["denoiser"]["config"]["depth"] = 3; });
  expect("of type 'unet'", [](Json& h) { h["parts"]["denoiser"]["config"]["type"] = "unet"; });
  expect("pass 'magic'", [](Json& h) { h["parts"]["denoiser"]["passes"] = {{{"name", "magic"}}}; });
  expect("multiple of", [](Json& h) { h["pipeline"]["image_size"] = 33; });
  expect("do not fit", [](Json& h) { h["pipeline"]["image_size"] = 64; });
  expect("is not between", [](Json& h) { h["pipeline"]["text_buckets"] = {64}; });
  expect("want 1 or 4 values", [](Json& h) { h["pipeline"]["latent_shift"] = {1, 2}; });
  expect("'pipeline' is missing", [](Json& h) { h.erase("pipeline"); });
  expect("'tokenizer' is missing", [](Json& h) { h.erase("tokenizer"); });
  expect("tokenizers of type", [](Json& h) { h["tokenizer"]["type"] = "other"; });
  expect("the tokenizer has", [](Json& h) {
    Json& merges = h["tokenizer"]["merges"];
    for (unsigned i = 0; i < 100; ++i) merges.insert(merges.end(), {10u + i, 200u});
  });
}

}  // namespace
}  // namespace thimble::diffusion
