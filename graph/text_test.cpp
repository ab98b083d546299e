// The text form: printed exactly, read back equal, and hostile text refused with the line and the cause.
#include "graph/text.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/rng.h"
#include "graph/builder.h"
#include "graph/expect_error.h"

namespace thimble::graph {
namespace {

constexpr std::string_view kSmall = R"(graph "mlp" {
  input %x: f32[1,64]
  param @fc1.weight: f32[256,64] normal 0.125
  param @fc1.bias: f32[256] zeros
  %0 = linear(%x, @fc1.weight, @fc1.bias) : f32[1,256]
  %1 = unary(%0) {kind=gelu} : f32[1,256]
  %2 = slice(%1) {axis=1, begin=0, end=64, step=1} : f32[1,64]
  %3 = binary(%2, %x) {kind=add} : f32[1,64]
  output "y" = %3
  tap "hidden" = %1
}
)";

Graph small_graph() {
  Builder b("mlp");
  const Var x = b.input("x", {1, 64});
  const Var h = b.gelu(b.linear(x, "fc1", 256));
  b.tap("hidden", h);
  b.output("y", b.slice(h, 1, 0, 64) + x);
  return b.finish();
}

// The body of a graph with one input %x: f32[4], as line 3 of the text.
Graph parse_line(const std::string& line) {
  return parse_graph("graph \"g\" {\n  input %x: f32[4]\n" + line + "\n  output \"y\" = %x\n}\n");
}

TEST(Text, PrintsExactly) { EXPECT_EQ(print_graph(small_graph()), kSmall); }

TEST(Text, ReadsBackEqual) {
  const Graph g = small_graph();
  EXPECT_EQ(parse_graph(kSmall), g);
  EXPECT_EQ(print_graph(parse_graph(kSmall)), kSmall);
}

TEST(Text, KeepsNumbersExactly) {
  Builder b("numbers");
  const double third = 1.0 / 3, tiny = 4.9e-324, infinite = -std::numeric_limits<double>::infinity();
  b.output("y", b.layer_norm(b.constant(Shape{4}, {third, tiny, infinite, -0.0}), third));
  const Graph g = b.finish();
  const Graph back = parse_graph(print_graph(g));
  EXPECT_EQ(std::get<LayerNorm>(back.nodes[1].op).eps, third);
  EXPECT_EQ(std::get<Constant>(back.nodes[0].op).values, (std::vector<double>{third, tiny, infinite, -0.0}));
}

TEST(Text, LeavesOutAttributesAtTheirDefaults) {
  const Graph g =
      parse_graph("graph \"g\" { input %x: f32[1,4,4,1] %0 = pool2d(%x) : f32[1,2,2,1] output \"y\" = %0 }");
  EXPECT_EQ(std::get<Pool2d>(g.nodes[0].op), Pool2d{});
}

TEST(Text, RefusesHostileGraphs) {
  const auto refused = [](const std::string& line, std::initializer_list<std::string> parts) {
    expect_error([&] { parse_line(line); }, {"line 3"});
    expect_error([&] { parse_line(line); }, parts);
  };
  refused("  %0 = unary(%1) {kind=relu} : f32[4]  %1 = unary(%0) {kind=relu} : f32[4]", {"%1", "before it is defined"});
  refused("  %0 = unary(%0) {kind=relu} : f32[4]", {"%0", "before it is defined"});
  refused("  %0 = unary(%nowhere) {kind=relu} : f32[4]", {"%nowhere"});
  refused("  %0 = unary(@w) {kind=relu} : f32[4]", {"@w"});
  refused("  %0 = explode(%x) : f32[4]", {"unknown op 'explode'"});
  refused("  %0 = unary(%x) {kind=relu} : f32[5]", {"%0 is declared f32[5] but gives f32[4]"});
  refused("  %0 = unary(%x) {kind=relu} : i32[4]", {"i32[4]"});
  refused("  %0 = unary(%x) {kind=leap} : f32[4]", {"unknown kind 'leap'"});
  refused("  %0 = unary(%x) {colour=red} : f32[4]", {"no attribute 'colour'"});
  refused("  %0 = softmax(%x) {axis=zero} : f32[4]", {"a number was wanted"});
  refused("  %0 = softmax(%x) {axis=99999999999999999999} : f32[4]", {"a number was wanted"});
  refused("  %0 = unary(%x, %x) {kind=relu} : f32[4]", {"2 inputs came"});
  refused("  %x = unary(%x) {kind=relu} : f32[4]", {"defined twice"});
  refused("  input %x: f32[4]", {"defined twice"});
  refused("  input %z: f12[4]", {"unknown dtype 'f12'"});
  refused("  input %z: f32[-4]", {"negative size -4"});
  refused("  input %z: f32[1099511627776,1099511627776]", {"64 bits"});
  refused("  param @w: f32[4] magic", {"unknown start 'magic'"});
  refused("  frobnicate", {"unknown statement 'frobnicate'"});
  refused("  output \"z\" = %z", {"%z"});
  refused("  output \"y = %x", {"closing quote"});
  refused("  %0 = reshape(%x) {shape=[[[[4]]]]} : f32[4]", {"a number was wanted"});
  refused("  \x01\x02", {"a name was wanted", "'??"});
}

TEST(Text, RefusesBrokenFrames) {
  expect_error([] { parse_graph(""); }, {"a name was wanted", "the end"});
  expect_error([] { parse_graph("graph \"g\" {"); }, {"a name was wanted", "the end"});
  expect_error([] { parse_graph("graph \"g\" { }"); }, {"no output"});
  expect_error([] { parse_graph(std::string(kSmall) + "more"); }, {"the end was wanted", "'more'"});
  expect_error([] { parse_graph("graph \"g\" { input %x: f32[4] output \"y\" = %x output \"y\" = %x }"); },
               {"output 'y' occurs twice"});
}

TEST(Text, BoundsListsInputsAndNesting) {
  std::string list = "0", inputs = "%x";
  for (int i = 0; i < 5000; ++i) list += ",0", inputs += ",%x";
  expect_error([&] { parse_line("  %0 = constant() {dtype=f32, shape=[5001], values=[" + list + "]} : f32[5001]"); },
               {"4096"});
  expect_error([&] { parse_line("  %0 = concat(" + inputs + ") {axis=0} : f32[20004]"); }, {"1024"});
  const std::string deep(100000, '[');
  expect_error([&] { parse_line("  input %z: f32" + deep); }, {"a number was wanted"});
  expect_error([&] { parse_line("  %0 = unary" + std::string(100000, '(')); }, {"a value"});
}

TEST(Text, EveryPrefixIsAnError) {
  for (std::size_t n = 0; n + 2 < kSmall.size(); ++n) {
    EXPECT_NE(message_of([&] { parse_graph(kSmall.substr(0, n)); }), "no error") << n;
  }
}

// What reads must verify; what does not must be an Error and nothing else.
TEST(Text, MutationsNeverEscapeAsAnythingButErrors) {
  Rng rng(5);
  int read = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string text(kSmall);
    for (std::uint64_t i = 0, edits = 1 + rng.below(3); i < edits; ++i) {
      const std::size_t at = rng.below(text.size());
      switch (rng.below(3)) {
        case 0: text[at] = static_cast<char>(rng.below(256)); break;
        case 1: text.erase(at, 1 + rng.below(4)); break;
        default: text.insert(at, text.substr(rng.below(text.size()), rng.below(12)));
      }
    }
    read += message_of([&] { verify(parse_graph(text)); }) == "no error";
  }
  EXPECT_GT(read, 0);  // some edits hit names only
}

// Names as other programs give them: node numbers, colons, spaces, quotes, nothing at all.
TEST(GraphText, OddNamesReadBack) {
  Builder b("a \"graph\"");
  const Var one = b.input("1", {2});
  Var x = b.input("0", {2});
  for (const char* name : {"images:0", "with space", "a\"b\\c\nd", ""}) x = x + b.param(name, {2}, {});
  b.output("out \"0\"", x + one);
  const Graph g = b.finish();
  const std::string text = print_graph(g);
  EXPECT_NE(text.find("input %\"0\": f32[2]"), std::string::npos) << text;
  EXPECT_NE(text.find("%0 = binary(%\"0\", @\"images:0\")"), std::string::npos) << text;
  const Graph back = parse_graph(text);
  EXPECT_EQ(print_graph(back), text);
  EXPECT_TRUE(back.find_parameter("a\"b\\c\nd"));
  EXPECT_TRUE(back.find_input("0"));
}

}  // namespace
}  // namespace thimble::graph
