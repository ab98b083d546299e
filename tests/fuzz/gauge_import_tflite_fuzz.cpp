// Target: TensorFlow Lite models read whole and turned into graphs, with everything that the analysis says of them.
#include "gauge/analysis/analysis.h"
#include "gauge/testing/tiny_models.h"
#include "tests/fuzz/target.h"

namespace thimble::fuzz {

std::vector<std::string> seeds() {
  using namespace gauge::testing;
  TinyGraph picture, choice, yes;
  picture.tensors = {{{1, 4, 4, 2}}, {{4, 3, 3, 2}, 9, int8s(std::vector<int>(72, 3)), {0.5f}, {1}, 0},
                     {{1, 2, 2, 4}}, {{2}, 2, ints({4, 4})},
                     {{1, 4, 4, 4}}, {{4, 2}, 2, ints({0, 0, 1, 1, 1, 1, 0, 0})},
                     {{1, 6, 6, 4}}, {{2}, 2, ints({1, 144})},
                     {{1, 144}},     {{3, 144}, 1, halves(std::vector<float>(432, 0.25f))},
                     {{3, 144}},     {{1, 3}}};
  picture.ops = {{3, {0, 1}, {2}, {option_byte(4, 0), option_i32(6, 2), option_i32(8, 2), option_byte(10, 3)}},
                 {23, {2, 3}, {4}, {option_byte(8, 1)}},
                 {34, {4, 5}, {6}},
                 {22, {6, 7}, {8}},
                 {6, {9}, {10}},
                 {9, {8, 10}, {11}, {option_byte(4, 1)}}};
  picture.inputs = {0};
  picture.outputs = {11};
  choice.tensors = {{{1}}, {{1}, 0, floats({0})}, {{1}, 6}, {{1}}};
  choice.ops = {{61, {0, 1}, {2}}, {118, {2, 0}, {3}, {option_i32(4, 1), option_i32(6, 1)}}};
  choice.inputs = {0};
  choice.outputs = {3};
  yes.tensors = {{{1}}, {{1}}};
  yes.ops = {{75, {0}, {1}}};
  yes.inputs = {0};
  yes.outputs = {1};
  return {make_tflite({picture}), make_tflite({choice, yes})};
}

}  // namespace thimble::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace thimble;
  return fuzz::survives([&] {
    const auto bytes = fuzz::bytes_of(fuzz::text_of(data, size));
    const gauge::Model model = gauge::read_tflite(bytes);
    const gauge::Analysis a = gauge::analyze(model, "m.tflite", bytes, {});
    fuzz::require(a.imported == a.import_note.empty());
    if (!a.imported) throw Error(ErrorKind::unsupported, a.import_note);
  });
}
