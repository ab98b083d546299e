#include "gauge/model/pickle.h"

#include <bit>
#include <charconv>
#include <unordered_map>

namespace thimble::gauge {

// An honest pickle makes at most one value a byte; items are bounded by the same count, as each is pushed once.
class PickleMachine {
 public:
  explicit PickleMachine(Bytes bytes) : r_(bytes, "pickle") {}

  Pickle run() {
    for (;;) {
      const std::uint8_t op = r_.u8();
      if (op == '.') break;
      step(op);
    }
    out_.root_ = pop();
    out_.bytes_ = r_.at();
    return std::move(out_);
  }

 private:
  using Value = PickleValue;

  void step(std::uint8_t op) {
    switch (op) {
      case 0x80: r_.skip(1); break;  // protocol
      case 0x95: r_.skip(8); break;  // frame
      case '(': marks_.push_back(stack_.size()); break;
      case '0': pop(); break;
      case '1': to_mark(); break;
      case '2': push_id(top()); break;
      case 'N': push({}); break;
      case 0x88: number(1); break;
      case 0x89: number(0); break;
      case 'I': number(line_number()); break;
      case 'J': number(r_.get<std::int32_t>()); break;
      case 'K': number(r_.u8()); break;
      case 'M': number(r_.u16()); break;
      case 'L': number(line_number()); break;
      case 0x8a: long_number(r_.u8()); break;
      case 0x8b: long_number(r_.u32()); break;
      case 'F': real_line(); break;
      case 'G': real_big_endian(); break;
      case 'S':
      case 'V': text(line()); break;
      case 'T':
      case 'X':
      case 'B': text(text_of(r_.take(r_.u32()))); break;
      case 'U':
      case 'C':
      case 0x8c: text(text_of(r_.take(r_.u8()))); break;
      case 0x8d:
      case 0x8e:
      case 0x96: text(text_of(r_.take(r_.u64()))); break;
      case ')':
      case ']':
      case 0x8f: push({.kind = Value::Kind::list}); break;
      case '}': push({.kind = Value::Kind::dict}); break;
      case 'l':
      case 't':
      case 0x91: collect(Value::Kind::list, to_mark()); break;
      case 'd': collect(Value::Kind::dict, to_mark()); break;
      case 0x85: tuple(1); break;
      case 0x86: tuple(2); break;
      case 0x87: tuple(3); break;
      case 'a': append({pop()}); break;
      case 'e':
      case 0x90: append(to_mark()); break;
      case 's': {
        const PickleId value = pop(), key = pop();
        append({key, value});
        break;
      }
      case 'u': append(to_mark()); break;
      case 'c': {
        const std::string module(line());
        push({.kind = Value::Kind::global, .text = module + " " + std::string(line())});
        break;
      }
      case 0x93: {
        const PickleId name = pop(), module = pop();
        push({.kind = Value::Kind::global, .text = out_.at(module).text + " " + out_.at(name).text});
        break;
      }
      case 'i': {
        const std::string module(line());
        const std::string name = module + " " + std::string(line());
        const std::vector<PickleId> arguments = to_mark();
        push({.kind = Value::Kind::global, .text = name});
        const PickleId callee = pop();
        collect(Value::Kind::list, arguments);
        call(callee, pop());
        break;
      }
      case 'o': {
        std::vector<PickleId> items = to_mark();
        if (items.empty()) fail(ErrorKind::bad_file, "pickle: an object without a class");
        const PickleId callee = items[0];
        items.erase(items.begin());
        collect(Value::Kind::list, items);
        call(callee, pop());
        break;
      }
      case 'R':
      case 0x81: {
        const PickleId arguments = pop(), callee = pop();
        call(callee, arguments);
        break;
      }
      case 0x92: {
        pop();
        const PickleId arguments = pop(), callee = pop();
        call(callee, arguments);
        break;
      }
      case 'b': {
        const PickleId state = pop();
        append({state});
        break;
      }
      case 'P': {
        text(line());
        collect(Value::Kind::persistent, {pop()});
        break;
      }
      case 'Q': collect(Value::Kind::persistent, {pop()}); break;
      case 'p': memo_[static_cast<std::uint64_t>(line_number())] = top(); break;
      case 'q': memo_[r_.u8()] = top(); break;
      case 'r': memo_[r_.u32()] = top(); break;
      case 0x94: memo_[memo_.size()] = top(); break;
      case 'g': get(static_cast<std::uint64_t>(line_number())); break;
      case 'h': get(r_.u8()); break;
      case 'j': get(r_.u32()); break;
      default: fail(ErrorKind::bad_file, "pickle: instruction {:#04x} at byte {}", op, r_.at() - 1);
    }
  }

  void push_id(PickleId id) { stack_.push_back(id); }
  void push(Value v) {
    out_.values_.push_back(std::move(v));
    push_id(static_cast<PickleId>(out_.values_.size() - 1));
  }
  PickleId top() const {
    if (stack_.empty() || (!marks_.empty() && marks_.back() == stack_.size())) {
      fail(ErrorKind::bad_file, "pickle: a value is missing at byte {}", r_.at());
    }
    return stack_.back();
  }
  PickleId pop() {
    const PickleId id = top();
    stack_.pop_back();
    return id;
  }
  std::vector<PickleId> to_mark() {
    if (marks_.empty()) fail(ErrorKind::bad_file, "pickle: a mark is missing at byte {}", r_.at());
    std::vector<PickleId> out(stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back()), stack_.end());
    stack_.resize(marks_.back());
    marks_.pop_back();
    return out;
  }
  void tuple(int n) {
    std::vector<PickleId> items(static_cast<std::size_t>(n));
    for (int i = n; i-- > 0;) items[static_cast<std::size_t>(i)] = pop();
    collect(Value::Kind::list, std::move(items));
  }
  void collect(Value::Kind kind, std::vector<PickleId> items) { push({.kind = kind, .items = std::move(items)}); }
  void append(const std::vector<PickleId>& items) {
    Value& v = out_.values_[top()];
    v.items.insert(v.items.end(), items.begin(), items.end());
  }
  void call(PickleId callee, PickleId arguments) { collect(Value::Kind::call, {callee, arguments}); }
  void get(std::uint64_t key) {
    const auto it = memo_.find(key);
    if (it == memo_.end()) fail(ErrorKind::bad_file, "pickle: memo {} was never put", key);
    push_id(it->second);
  }

  void number(std::int64_t n) { push({.kind = Value::Kind::whole, .number = n}); }
  void text(std::string_view t) { push({.kind = Value::Kind::text, .text = std::string(t)}); }
  // Numbers of more than 64 bits (hashes, the magic of old files) keep their low ones.
  void long_number(std::uint64_t bytes) {
    const Bytes raw = r_.take(bytes);
    std::uint64_t n = 0;
    for (std::size_t i = 0; i < std::min<std::size_t>(raw.size(), 8); ++i) {
      n |= std::to_integer<std::uint64_t>(raw[i]) << (8 * i);
    }
    if (!raw.empty() && raw.size() < 8 && (raw.back() & std::byte{0x80}) != std::byte{0}) {
      n |= ~std::uint64_t{0} << (8 * raw.size());
    }
    number(static_cast<std::int64_t>(n));
  }
  std::string_view line() {
    const std::size_t from = r_.at();
    std::size_t length = 0;
    while (r_.u8() != '\n') ++length;
    const std::size_t end = r_.at();
    r_.seek(from);
    const std::string_view out = text_of(r_.take(length));
    r_.seek(end);
    return out;
  }
  std::int64_t line_number() {
    std::string_view t = line();
    if (t.ends_with('L')) t.remove_suffix(1);
    std::int64_t n = 0;
    const auto r = std::from_chars(t.data(), t.data() + t.size(), n);
    if (r.ec != std::errc{} || r.ptr != t.data() + t.size()) fail(ErrorKind::bad_file, "pickle: a number in text");
    return n;
  }
  void real_line() {
    const std::string_view t = line();
    double d = 0;
    const auto r = std::from_chars(t.data(), t.data() + t.size(), d);
    if (r.ec != std::errc{}) fail(ErrorKind::bad_file, "pickle: a number in text");
    push({.kind = Value::Kind::real, .real = d});
  }
  void real_big_endian() {
    push({.kind = Value::Kind::real, .real = std::bit_cast<double>(__builtin_bswap64(r_.u64()))});
  }

  Reader r_;
  Pickle out_;
  std::vector<PickleId> stack_;
  std::vector<std::size_t> marks_;
  std::unordered_map<std::uint64_t, PickleId> memo_;
};

Pickle Pickle::read(Bytes bytes) { return PickleMachine(bytes).run(); }

std::string_view Pickle::called(PickleId id) const {
  const PickleValue& v = at(id);
  if (v.kind != PickleValue::Kind::call || at(v.items[0]).kind != PickleValue::Kind::global) return {};
  return at(v.items[0]).text;
}

const PickleValue* Pickle::find(const PickleValue& dict, std::string_view key) const {
  for (std::size_t i = 0; i + 1 < dict.items.size(); i += 2) {
    const PickleValue& k = at(dict.items[i]);
    if (k.kind == PickleValue::Kind::text && k.text == key) return &at(dict.items[i + 1]);
  }
  return nullptr;
}

}  // namespace thimble::gauge
