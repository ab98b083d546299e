// Readers and lowerings of the foreign formats on one network in all of them: the same convolution must come out with
// the same weights, shapes, cost and, where it is imported, the same numbers.
#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <numeric>

#include "gauge/analysis/analysis.h"
#include "gauge/model/pickle.h"
#include "gauge/model/prototxt.h"
#include "gauge/model/readers.h"
#include "gauge/probe.h"
#include "gauge/testing/tiny_models.h"
#include "graph/reference.h"

namespace thimble::gauge {
namespace {

class Parts final : public Siblings {
 public:
  explicit Parts(const testing::TinyForeign& m) : model_(m) {}
  std::optional<Content> find(const std::string& name) const override {
    for (const auto& [key, bytes] : model_.parts) {
      if (key == name) return Content{bytes_of(bytes), nullptr};
    }
    return std::nullopt;
  }

 private:
  const testing::TinyForeign& model_;
};

Model read(const testing::TinyForeign& m, const Siblings* parts) {
  return reader_of(m.format)->read({bytes_of(m.main), m.path, parts, {}});
}

TEST(Foreign, EachFormatHasTheSameConvolution) {
  const auto models = testing::tiny_foreign();
  EXPECT_EQ(models.size(), 11u);
  for (const auto& m : models) {
    SCOPED_TRACE(m.path + ": " + m.format);
    const Parts parts(m);
    const Model model = read(m, &parts);
    EXPECT_EQ(model.format, m.format);
    const Analysis a = analyze(model, m.path, bytes_of(m.main), {});
    const std::int64_t bias = m.format == "savedmodel" ? 0 : 4;
    EXPECT_EQ(a.parameters, 72 + bias);
    std::uint64_t bytes = m.main.size();
    for (const Content& c : model.parts) bytes += c.bytes.size();
    EXPECT_EQ(a.bytes, bytes);
    EXPECT_TRUE(a.unknown.empty());
    // The graph of a pickle, and of Core ML's layers and SNPE's, says no more than what there is.
    if (m.format == "pytorch" || m.format == "dlc" || (m.format == "coreml" && m.parts.empty())) {
      EXPECT_EQ(a.total.macs, 0);
      EXPECT_FALSE(a.imported);
      EXPECT_EQ(a.uncounted, 1);
      continue;
    }
    EXPECT_EQ(a.total.macs, 4 * 6 * 6 * 18);
    EXPECT_EQ(a.uncounted, 0);
    EXPECT_EQ(a.imported, m.format != "coreml") << a.import_note;
  }
}

// By hand: out(o, y, x) = bias + sum over i, ky, kx of w x.
float convolved(const std::vector<float>& x, const std::vector<float>& w, const std::vector<float>& bias, int o, int y,
                int column) {
  float sum = bias[static_cast<std::size_t>(o)];
  for (int i = 0; i < 2; ++i) {
    for (int ky = 0; ky < 3; ++ky) {
      for (int kx = 0; kx < 3; ++kx) {
        sum += x[static_cast<std::size_t>((i * 8 + y + ky) * 8 + column + kx)] *
               w[static_cast<std::size_t>(((o * 2 + i) * 3 + ky) * 3 + kx)];
      }
    }
  }
  return sum;
}

TEST(Foreign, ImportedOnesGiveTheNumbersWorkedOutByHand) {
  std::vector<float> picture(2 * 8 * 8);  // (C, H, W)
  for (std::size_t i = 0; i < picture.size(); ++i) picture[i] = static_cast<float>(i % 7) - 3;
  int ran = 0;
  for (const auto& m : testing::tiny_foreign()) {
    SCOPED_TRACE(m.path + ": " + m.format);
    const Parts parts(m);
    const Model model = read(m, &parts);
    const Import in = import_model(model, {});
    if (in.stopped) continue;
    const bool last = m.format == "tensorflow" || m.format == "savedmodel" || m.format == "tfjs";
    // The file's weights 0, 1 … 71 as (O, I, kh, kw): stored so, or as (kh, kw, I, O).
    std::vector<float> w(72), bias{1, 2, 3, 4};
    for (int o = 0; o < 4; ++o) {
      for (int i = 0; i < 2; ++i) {
        for (int k = 0; k < 9; ++k) {
          const int stored = last ? (k * 2 + i) * 4 + o : (o * 2 + i) * 9 + k;
          const bool eighths = m.format == "tfjs" && m.main.find("graph-model") != std::string::npos;
          w[static_cast<std::size_t>((o * 2 + i) * 9 + k)] =
              eighths ? 0.5f * static_cast<float>(stored) - 1.0f : static_cast<float>(stored);
        }
      }
    }
    if (m.format == "savedmodel") bias = {0, 0, 0, 0};
    std::vector<float> input(picture.size());
    for (int c = 0; c < 2; ++c) {
      for (int p = 0; p < 64; ++p) {
        input[static_cast<std::size_t>(last ? p * 2 + c : c * 64 + p)] = picture[static_cast<std::size_t>(c * 64 + p)];
      }
    }
    const auto executor = graph::make_reference_executor();
    const auto program = executor->compile(in.graph, in.weights, {});
    const auto x = graph::Tensor::of(last ? graph::Shape{1, 8, 8, 2} : graph::Shape{1, 2, 8, 8}, input);
    ASSERT_EQ(program->output_types().size(), 1u);
    graph::Tensor out(program->output_types()[0]);
    EXPECT_EQ(out.shape(), last ? (graph::Shape{1, 6, 6, 4}) : (graph::Shape{1, 4, 6, 6}));
    program->run(std::vector{x.view()}, std::vector{out.mutable_view()});
    const bool relu = m.format == "tfjs";
    for (int o = 0; o < 4; ++o) {
      for (int p = 0; p < 36; ++p) {
        float wanted = convolved(picture, w, bias, o, p / 6, p % 6);
        if (relu) wanted = std::max(wanted, 0.0f);
        ASSERT_EQ(out.as<float>()[static_cast<std::size_t>(last ? p * 4 + o : o * 36 + p)], wanted) << o << " " << p;
      }
    }
    ++ran;
  }
  EXPECT_EQ(ran, 7);
}

TEST(Foreign, WithoutTheFilesBesideItSaysSo) {
  for (const auto& m : testing::tiny_foreign()) {
    if (m.parts.empty() || m.format == "pytorch") continue;
    SCOPED_TRACE(m.path + ": " + m.format);
    const Model model = read(m, nullptr);
    EXPECT_FALSE(model.remarks.empty());
  }
}

TEST(Foreign, OtherWeightsBesideTheSameFileAreAnotherModel) {
  auto m = testing::tiny_foreign()[1];
  ASSERT_EQ(m.format, "ncnn-param");
  const auto analysed = [&] {
    const Parts parts(m);
    return analyze(read(m, &parts), m.path, bytes_of(m.main), {});
  };
  const Analysis a = analysed();
  m.parts[0].second[8] ^= 1;
  const Analysis b = analysed();
  EXPECT_NE(a.sha256, b.sha256);
  EXPECT_NE(a.canonical, b.canonical);
  const auto pairs = sharing({a, b});
  ASSERT_EQ(pairs.size(), 1u);
  EXPECT_EQ(pairs[0].verdict(), "same architecture");
}

TEST(Foreign, EveryTruncationIsRefusedOrSmaller) {
  for (const auto& m : testing::tiny_foreign()) {
    const Parts parts(m);
    for (std::size_t n = 0; n < m.main.size(); n += 1 + m.main.size() / 97) {
      try {
        reader_of(m.format)->read({bytes_of(std::string_view(m.main).substr(0, n)), m.path, &parts, {}});
      } catch (const Error& e) {
        EXPECT_TRUE(e.kind() == ErrorKind::bad_file || e.kind() == ErrorKind::unsupported) << m.path << " " << n;
      }
    }
  }
}

TEST(Foreign, WeightsThatLieAboutTheirLength) {
  auto models = testing::tiny_foreign();
  for (auto& m : models) {
    if (m.format == "dlc" || m.format == "mnn" || m.parts.empty()) continue;
    const bool text = m.format == "caffe";
    for (auto& [name, bytes] : m.parts) {
      if (!text && bytes.size() > 80) bytes.resize(bytes.size() / 2);
    }
    if (text) continue;
    const Parts parts(m);
    EXPECT_THROW(read(m, &parts), Error) << m.path << ": " << m.format;
  }
}

TEST(Foreign, ProbesKnowEachByItsNameOrItsFirstBytes) {
  for (const auto& m : testing::tiny_foreign()) {
    const Parts parts(m);
    const Model model = read_model(bytes_of(m.main), m.path, {}, &parts);
    EXPECT_EQ(model.format, m.format) << m.path;
  }
}

TEST(Pickle, BuildsValuesAndCallsNothing) {
  const std::string bytes = std::string("\x80\x02", 2) + "cos\nsystem\n(X\x05\0\0\0" + "hello";
  const std::string danger = std::string("\x80\x02", 2) + "cos\nsystem\n" + std::string("U\x05hello\x85R.", 10);
  const Pickle p = Pickle::read(bytes_of(danger));
  EXPECT_EQ(p.called(p.root()), "os system");
  EXPECT_EQ(p.at(p.at(p.at(p.root()).items[1]).items[0]).text, "hello");
  EXPECT_THROW(Pickle::read(bytes_of(bytes)), Truncated);
  EXPECT_THROW(Pickle::read(bytes_of("\x80\x02h\x07.")), Error) << "a memo that was never put";
  EXPECT_THROW(Pickle::read(bytes_of("\x80\x02R.")), Error);
}

TEST(Prototxt, ListsMessagesAndComments) {
  const auto f = parse_prototxt("a: [1, 2, -3] # x\n b { c: 'it' d <e: 1.5> } a: 4;");
  ASSERT_EQ(f.size(), 5u);
  EXPECT_EQ(f[2].value, "-3");
  EXPECT_EQ(f[3].message[1].message[0].value, "1.5");
  EXPECT_EQ(f[4].value, "4");
  EXPECT_THROW(parse_prototxt("a {"), Error);
  EXPECT_THROW(parse_prototxt("a: \"x"), Error);
  EXPECT_THROW(parse_prototxt(std::string(200, 'a') + std::string(100, '{')), Error);
}

}  // namespace
}  // namespace thimble::gauge
