#include "graph/text.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <type_traits>

#include "base/error.h"

namespace thimble::graph {
namespace {

// ---- names ----

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
         c == '-' || c == '/';
}

// Names of other programs' models may hold anything; those that a plain word cannot say, or that look like a node's
// number, stand in quotes.
bool is_plain(std::string_view name) {
  return std::all_of(name.begin(), name.end(), is_name_char) &&
         !std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::string in_quotes(std::string_view name) {
  std::string out = "\"";
  for (const char c : name) {
    if (c == '"' || c == '\\') out += '\\';
    out += c == '\n' ? std::string("\\n") : std::string(1, c);
  }
  return out + '"';
}

std::string name_text(std::string_view name) { return is_plain(name) ? std::string(name) : in_quotes(name); }

// ---- printing ----

std::string number(double v) {
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), v).ptr;  // shortest form that reads back
  return std::string(buffer, end);
}

std::string attribute(std::int64_t v) { return fmt::format("{}", v); }
std::string attribute(double v) { return number(v); }
std::string attribute(bool v) { return v ? "true" : "false"; }
std::string attribute(DType v) { return std::string(thimble::to_string(v)); }
std::string attribute(const Ints& v) { return to_string(v); }
std::string attribute(const std::vector<double>& v) {
  std::string out = "[";
  for (std::size_t i = 0; i < v.size(); ++i) out += (i ? "," : "") + number(v[i]);
  return out + "]";
}
template <class Kind>
requires std::is_enum_v<Kind> std::string attribute(Kind v) { return std::string(to_string(v)); }

std::string attributes_of(const Op& op) {
  std::string out;
  std::visit(
      [&](const auto& o) {
        std::remove_cvref_t<decltype(o)>::attributes(o, [&](std::string_view name, const auto& value) {
          out += fmt::format("{}{}={}", out.empty() ? "" : ", ", name, attribute(value));
        });
      },
      op);
  return out;
}

std::string reference_to(const Graph& g, ValueId id) {
  const Value& v = g.value(id);
  switch (v.kind) {
    case ValueKind::input: return "%" + name_text(v.name);
    case ValueKind::parameter: return "@" + name_text(v.name);
    case ValueKind::node: return fmt::format("%{}", v.producer);
  }
  return "?";
}

constexpr std::string_view kInitNames[] = {"zeros", "ones", "normal", "uniform", "constant"};

// ---- reading ----

constexpr std::size_t kMaxText = 64u << 20;
constexpr std::size_t kMaxValues = 1u << 20;

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Graph parse() {
    if (text_.size() > kMaxText)
      fail(ErrorKind::bad_file, "graph text has {} bytes, at most {} are read", text_.size(), kMaxText);
    try {
      return graph();
    } catch (const Error& e) {
      fail(ErrorKind::bad_file, "graph text, line {}: {}", line_, e.message());
    }
  }

 private:
  [[noreturn]] void wrong(const std::string& wanted) {
    skip();
    const std::string came = at_ < text_.size() ? fmt::format("'{}'", printable(text_.substr(at_, 16))) : "the end";
    fail(ErrorKind::bad_file, "{} was wanted, {} came", wanted, came);
  }

  static std::string printable(std::string_view s) {
    std::string out;
    for (char c : s) {
      if (c == '\n') break;
      out += c >= 32 && c < 127 ? c : '?';
    }
    return out;
  }

  void skip() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '\n') ++line_;
      if (c == '#') {
        while (at_ < text_.size() && text_[at_] != '\n') ++at_;
      } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
        ++at_;
      } else {
        return;
      }
    }
  }

  bool accept(char c) {
    skip();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  void expect(char c) {
    if (!accept(c)) wrong(fmt::format("'{}'", c));
  }

  std::string_view word() {
    skip();
    const std::size_t start = at_;
    while (at_ < text_.size() && is_name_char(text_[at_])) ++at_;
    if (at_ == start) wrong("a name");
    return text_.substr(start, at_ - start);
  }

  std::string quoted() {
    expect('"');
    const std::size_t start = at_;
    std::string out;
    for (; at_ < text_.size() && text_[at_] != '"' && text_[at_] != '\n'; ++at_) {
      if (text_[at_] == '\\' && ++at_ < text_.size()) {
        out += text_[at_] == 'n' ? '\n' : text_[at_];
      } else if (at_ < text_.size()) {
        out += text_[at_];
      }
    }
    if (at_ >= text_.size() || text_[at_] != '"') {
      at_ = start;
      wrong("a closing quote");
    }
    ++at_;
    return out;
  }

  template <class T>
  T parse_number() {
    skip();
    T value{};
    const auto result = std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
    if (result.ec != std::errc()) wrong("a number");
    at_ = static_cast<std::size_t>(result.ptr - text_.data());
    return value;
  }

  template <class T>
  std::vector<T> list() {
    std::vector<T> out;
    expect('[');
    if (accept(']')) return out;
    do {
      out.push_back(parse_number<T>());
      if (out.size() > 4096) fail(ErrorKind::bad_file, "a list has more than 4096 entries");
    } while (accept(','));
    expect(']');
    return out;
  }

  void read(std::int64_t& v) { v = parse_number<std::int64_t>(); }
  void read(double& v) { v = parse_number<double>(); }
  void read(Ints& v) { v = list<std::int64_t>(); }
  void read(std::vector<double>& v) { v = list<double>(); }
  void read(bool& v) {
    const auto w = word();
    if (w != "true" && w != "false") wrong("true or false");
    v = w == "true";
  }
  void read(DType& v) {
    const auto w = word();
    const auto type = dtype_from_string(w);
    if (!type) fail(ErrorKind::bad_file, "unknown dtype '{}'", w);
    v = *type;
  }
  template <class Kind>
  requires std::is_enum_v<Kind>
  void read(Kind& v) {
    const auto w = word();
    if (!from_string(w, v)) fail(ErrorKind::bad_file, "unknown kind '{}'", w);
  }

  TensorType type() {
    TensorType t;
    read(t.dtype);
    read(t.shape);
    element_count(t.shape);
    return t;
  }

  ValueId add_value(std::string key, Value value) {
    if (graph_.values.size() >= kMaxValues) fail(ErrorKind::bad_file, "more than {} values", kMaxValues);
    const auto id = static_cast<ValueId>(graph_.values.size());
    if (!ids_.emplace(key, id).second) fail(ErrorKind::bad_file, "{} is defined twice", key);
    graph_.values.push_back(std::move(value));
    return id;
  }

  // A value's name behind its sigil. In quotes it is never taken for a node's number, which the key tells apart.
  struct Name {
    std::string name, key;
  };
  Name value_name(char sigil) {
    if (at_ < text_.size() && text_[at_] == '"') {
      const std::string name = quoted();
      return {name, sigil + name_text(name)};
    }
    const std::string name(word());
    return {name, sigil + name};
  }

  ValueId use() {
    skip();
    const char sigil = at_ < text_.size() ? text_[at_] : ' ';
    if (sigil != '%' && sigil != '@') wrong("a value (%name or @parameter)");
    ++at_;
    const std::string key = value_name(sigil).key;
    const auto it = ids_.find(key);
    if (it == ids_.end()) {
      fail(ErrorKind::bad_file,
           "{} is used before it is defined; nodes stand in topological order, so a cycle cannot be written", key);
    }
    return it->second;
  }

  Op op_named(std::string_view name) {
#define CORE(T, text) \
  if (name == text) return T{};
#define MODULE(T, text) \
  if (name == text) return T{};
#include "graph/ops.inc"
#undef CORE
#undef MODULE
    fail(ErrorKind::bad_file, "unknown op '{}'", name);
  }

  void read_attributes(Op& op) {
    while (true) {
      const std::string name(word());
      expect('=');
      bool found = false;
      std::visit(
          [&](auto& o) {
            std::remove_cvref_t<decltype(o)>::attributes(o, [&](std::string_view known, auto& value) {
              if (known != name) return;
              found = true;
              read(value);
            });
          },
          op);
      if (!found) fail(ErrorKind::bad_file, "op '{}' has no attribute '{}'", op_name(op), name);
      if (!accept(',')) break;
    }
    expect('}');
  }

  Init init() {
    const auto w = word();
    for (int i = 0; i < 5; ++i) {
      if (w != kInitNames[i]) continue;
      Init out{static_cast<Init::Kind>(i), 0};
      if (i >= 2) out.scale = parse_number<double>();
      return out;
    }
    fail(ErrorKind::bad_file, "unknown start '{}'", w);
  }

  void node() {
    const std::string key = "%" + std::string(word());
    expect('=');
    Node n{op_named(word()), {}, -1};
    expect('(');
    if (!accept(')')) {
      do {
        n.inputs.push_back(use());
        if (n.inputs.size() > 1024) fail(ErrorKind::bad_file, "a node has more than 1024 inputs");
      } while (accept(','));
      expect(')');
    }
    if (accept('{')) read_attributes(n.op);
    expect(':');
    const TensorType declared = type();
    const TensorType inferred = infer_type(n.op, input_types(graph_, n));
    if (inferred != declared) {
      fail(ErrorKind::bad_file, "{} is declared {} but gives {}", key, to_string(declared), to_string(inferred));
    }
    n.output = add_value(key, {declared, ValueKind::node, "", static_cast<std::int32_t>(graph_.nodes.size())});
    graph_.nodes.push_back(std::move(n));
  }

  Graph graph() {
    if (word() != "graph") wrong("'graph'");
    graph_.name = quoted();
    expect('{');
    while (!accept('}')) {
      skip();
      if (at_ < text_.size() && text_[at_] == '%') {
        ++at_;
        node();
        continue;
      }
      const auto keyword = word();
      if (keyword == "input") {
        expect('%');
        const auto [name, key] = value_name('%');
        expect(':');
        const TensorType t = type();
        graph_.inputs.push_back(add_value(key, {t, ValueKind::input, name, -1}));
      } else if (keyword == "param") {
        expect('@');
        const auto [name, key] = value_name('@');
        expect(':');
        const TensorType t = type();
        const Init start = init();
        graph_.parameters.push_back({add_value(key, {t, ValueKind::parameter, name, -1}), start});
      } else if (keyword == "output" || keyword == "tap") {
        std::string name = quoted();
        expect('=');
        auto& list = keyword == "output" ? graph_.outputs : graph_.taps;
        list.push_back({std::move(name), use()});
      } else {
        fail(ErrorKind::bad_file, "unknown statement '{}'", keyword);
      }
    }
    skip();
    if (at_ != text_.size()) wrong("the end");
    verify(graph_);
    return std::move(graph_);
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int line_ = 1;
  Graph graph_;
  std::map<std::string, ValueId, std::less<>> ids_;
};

}  // namespace

std::string print_graph(const Graph& g) {
  std::string out = fmt::format("graph {} {{\n", in_quotes(g.name));
  for (ValueId id : g.inputs) out += fmt::format("  input {}: {}\n", reference_to(g, id), to_string(g.type(id)));
  for (const Parameter& p : g.parameters) {
    const auto kind = static_cast<int>(p.init.kind);
    out += fmt::format("  param {}: {} {}", reference_to(g, p.value), to_string(g.type(p.value)), kInitNames[kind]);
    out += kind >= 2 ? " " + number(p.init.scale) + "\n" : "\n";
  }
  for (std::size_t i = 0; i < g.nodes.size(); ++i) {
    const Node& n = g.nodes[i];
    std::string inputs;
    for (ValueId id : n.inputs) inputs += (inputs.empty() ? "" : ", ") + reference_to(g, id);
    const std::string attributes = attributes_of(n.op);
    out += fmt::format("  %{} = {}({}){} : {}\n", i, op_name(n.op), inputs,
                       attributes.empty() ? "" : " {" + attributes + "}", to_string(g.type(n.output)));
  }
  for (const NamedValue& v : g.outputs)
    out += fmt::format("  output {} = {}\n", in_quotes(v.name), reference_to(g, v.value));
  for (const NamedValue& v : g.taps) out += fmt::format("  tap {} = {}\n", in_quotes(v.name), reference_to(g, v.value));
  return out + "}\n";
}

Graph parse_graph(std::string_view text) { return Parser(text).parse(); }

}  // namespace thimble::graph
