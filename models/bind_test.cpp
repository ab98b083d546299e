#include "models/bind.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "graph/builder.h"

namespace thimble::models {
namespace {

graph::Graph network() {
  graph::Builder b("net");
  graph::Var x = b.conv2d(b.input("x", {1, 4, 4, 2}), "conv", 3);
  x = b.conv2d(x, "point", 5, {.kernel = 1});
  b.output("y", b.linear(b.reshape(x, {16, 5}), "proj", 4));
  return b.finish();
}

graph::Weights stored() {
  graph::Weights w;
  std::vector<float> filter(3 * 2 * 3 * 3);
  for (std::size_t i = 0; i < filter.size(); ++i) filter[i] = static_cast<float>(i);
  w.set("conv.weight", graph::Tensor::of({3, 2, 3, 3}, filter));
  w.set("conv.bias", graph::Tensor::filled({3}, 1));
  w.set("point.weight", graph::Tensor::filled({5, 3, 1, 1}, 2));
  w.set("point.bias", graph::Tensor::filled({5}, 1));
  w.set("proj.weight", graph::Tensor::filled({4, 5, 1, 1}, 3));
  w.set("proj.bias", graph::Tensor::filled({4}, 1));
  return w;
}

std::string error_of(const graph::Weights& w) {
  try {
    bind_checkpoint(network(), w, "unet");
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::bad_file);
    return e.what();
  }
  return "";
}

TEST(Bind, FlattensMatricesStoredAsConvolutions) {
  const graph::Weights w = bind_checkpoint(network(), stored(), "unet");
  w.check_covers(network(), "unet");
  EXPECT_EQ(w.at("conv.weight").as<float>()[17], 17);
  EXPECT_EQ(w.at("proj.weight").shape(), graph::Shape({4, 5}));
}

TEST(Bind, NamesWhatIsMissingAndTheNearestName) {
  graph::Weights w = stored();
  w.erase("proj.bias");
  w.set("proj.bia", graph::Tensor::filled({4}, 1));
  const std::string error = error_of(w);
  EXPECT_NE(error.find("'proj.bias' [4] is missing; the nearest name there is 'proj.bia'"), std::string::npos) << error;
  EXPECT_EQ(unused_names(network(), w), std::vector<std::string>{"proj.bia"});
}

TEST(Bind, SaysTheShapeInTheCheckpointsOwnOrder) {
  graph::Weights w = stored();
  w.set("conv.weight", graph::Tensor::filled({3, 4, 3, 3}, 0));
  const std::string error = error_of(w);
  EXPECT_NE(error.find("'conv.weight' has shape [3,4,3,3], [3,2,3,3] was wanted"), std::string::npos) << error;
}

}  // namespace
}  // namespace thimble::models
