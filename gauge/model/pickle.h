// Python's pickles read as data: the stack machine builds values, calls become records of what would have been called,
// and nothing is ever executed or looked up. Protocols 0 to 5.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "gauge/bytes.h"

namespace thimble::gauge {

using PickleId = std::uint32_t;

struct PickleValue {
  enum class Kind {
    none,
    whole,       // number; booleans are 0 and 1
    real,        // real
    text,        // text, also of bytes
    list,        // items; tuples, lists, sets
    dict,        // items: key, value, key, value …
    global,      // text: "module name", never imported
    call,        // items: what is called, its arguments; and later its state
    persistent,  // items: the reference to something outside, as storages are
  };
  Kind kind = Kind::none;
  std::int64_t number = 0;
  double real = 0;
  std::string text{};
  std::vector<PickleId> items{};
};

class Pickle {
 public:
  // Reads one pickle from the start of `bytes`. bad_file, Truncated.
  static Pickle read(Bytes bytes);

  std::size_t bytes() const { return bytes_; }  // that it took
  PickleId root() const { return root_; }
  std::size_t size() const { return values_.size(); }  // of values, ids 0 and on
  const PickleValue& at(PickleId id) const { return values_.at(id); }
  // "torch._utils _rebuild_tensor_v2" for a call of that, else empty.
  std::string_view called(PickleId id) const;
  // The value under a text key of a dict; null when absent.
  const PickleValue* find(const PickleValue& dict, std::string_view key) const;

 private:
  friend class PickleMachine;
  std::vector<PickleValue> values_;
  PickleId root_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace thimble::gauge
