// Target: the text form of graphs. What is read must print to a text that reads back to the same text.
#include "graph/builder.h"
#include "graph/text.h"
#include "tests/fuzz/target.h"

namespace thimble::fuzz {

std::vector<std::string> seeds() {
  graph::Builder b("mlp");
  graph::Var x = b.input("x", {1, 64});
  graph::Var y = b.linear(b.gelu(b.linear(x, "fc1", 128)), "fc2", 64) + x;
  b.output("y", y * 0.5);
  return {graph::print_graph(b.finish()), "graph \"g\" {\n  input %x: f32[2,3]\n  output \"y\" = %x\n}\n"};
}

}  // namespace thimble::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace thimble;
  return fuzz::survives([&] {
    const std::string once = graph::print_graph(graph::parse_graph(fuzz::text_of(data, size)));
    fuzz::require(graph::print_graph(graph::parse_graph(once)) == once);
  });
}
