// Encoding, decoding and serialisation; the trainer is in byte_bpe_train.cpp.
#include "text/byte_bpe.h"

#include <algorithm>
#include <iterator>

#include "base/error.h"
#include "text/utf8.h"

namespace thimble::text {
namespace {

constexpr const char* kType = "byte_bpe";

bool is_ascii_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_ascii_digit(char c) { return c >= '0' && c <= '9'; }
bool is_ascii_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || static_cast<unsigned char>(c) > 127;
}
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

// Calls f(begin, end, after_space) for each word of `text`.
template <class F>
void for_each_word(std::string_view text, F&& f) {
  bool after_space = true;
  for (std::size_t i = 0; i < text.size();) {
    if (is_ascii_space(text[i])) {
      after_space = true;
      ++i;
      continue;
    }
    const std::size_t begin = i;
    const auto run = is_ascii_digit(text[i]) ? is_ascii_digit : is_ascii_letter(text[i]) ? is_ascii_letter : nullptr;
    ++i;
    while (run != nullptr && i < text.size() && run(text[i])) ++i;
    f(begin, i, after_space);
    after_space = false;
  }
}

void set_word(std::string& word, std::string_view text, std::size_t begin, std::size_t end, bool after_space) {
  word.assign(after_space ? 1 : 0, ' ');
  std::transform(text.begin() + static_cast<std::ptrdiff_t>(begin), text.begin() + static_cast<std::ptrdiff_t>(end),
                 std::back_inserter(word), lower);
}

}  // namespace

std::vector<std::string> split_words(std::string_view text) {
  std::vector<std::string> words;
  for_each_word(text, [&](std::size_t begin, std::size_t end, bool after_space) {
    set_word(words.emplace_back(), text, begin, end, after_space);
  });
  return words;
}

ByteBpe::ByteBpe(std::vector<Merge> merges) : merges_(std::move(merges)) {
  if (merges_.size() > static_cast<std::size_t>(kMaxVocab - kFirstMerge)) {
    fail(ErrorKind::bad_input, "byte BPE: {} merges are too many, at most {} ids are read", merges_.size(), kMaxVocab);
  }
  bytes_.resize(kFirstByte);
  for (int b = 0; b < 256; ++b) bytes_.emplace_back(1, static_cast<char>(b));
  table_.reserve(merges_.size());
  for (std::size_t n = 0; n < merges_.size(); ++n) {
    const auto [left, right] = merges_[n];
    const auto id = static_cast<std::int32_t>(bytes_.size());
    if (left < kFirstByte || right < kFirstByte || left >= id || right >= id) {
      fail(ErrorKind::bad_input, "byte BPE: merge {} joins {} and {}, ids from {} to {} were wanted", n, left, right,
           kFirstByte, id - 1);
    }
    if (!table_.insert(left, right, {id, id})) {
      fail(ErrorKind::bad_input, "byte BPE: merge {} of {} and {} is there twice", n, left, right);
    }
    std::string joined = bytes_[static_cast<std::size_t>(left)] + bytes_[static_cast<std::size_t>(right)];
    if (joined.size() > kMaxTokenBytes) {
      fail(ErrorKind::bad_input, "byte BPE: merge {} makes a token of {} bytes, at most {} are allowed", n,
           joined.size(), kMaxTokenBytes);
    }
    bytes_.push_back(std::move(joined));
  }
}

ByteBpe ByteBpe::from_json(const Json& json, std::string_view what) {
  if (const std::string type = get_string(json, "type", what); type != kType) {
    fail(ErrorKind::bad_file, "{}: tokenizer type '{}' came, '{}' was wanted", what, type, kType);
  }
  const Json& flat = get_array(json, "merges", what);
  if (flat.size() % 2 != 0) fail(ErrorKind::bad_file, "{}: 'merges' has an odd number of ids", what);
  std::vector<std::int32_t> ids;
  for (const Json& v : flat) {
    if (!v.is_number_unsigned() || v.get<std::uint64_t>() >= static_cast<std::uint64_t>(kMaxVocab)) {
      fail(ErrorKind::bad_file, "{}: 'merges' holds something that is no token id", what);
    }
    ids.push_back(v.get<std::int32_t>());
  }
  std::vector<Merge> merges;
  for (std::size_t i = 0; i < ids.size(); i += 2) merges.emplace_back(ids[i], ids[i + 1]);
  try {
    return ByteBpe(std::move(merges));
  } catch (const Error& e) {
    fail(ErrorKind::bad_file, "{}: {}", what, e.message());
  }
}

Json ByteBpe::to_json() const {
  Json flat = Json::array();
  for (const auto& [left, right] : merges_) {
    flat.push_back(left);
    flat.push_back(right);
  }
  return Json{{"type", kType}, {"merges", std::move(flat)}};
}

std::string_view ByteBpe::bytes_of(std::int32_t id) const {
  if (id < 0 || id >= vocab_size())
    fail(ErrorKind::bad_input, "token id {} is outside the vocabulary of {}", id, vocab_size());
  return bytes_[static_cast<std::size_t>(id)];
}

std::vector<std::int32_t> ByteBpe::encode(std::string_view text) const {
  check_utf8(text);
  // Positions are 32-bit when merging; no prompt comes near.
  if (text.size() > (std::size_t{1} << 30)) fail(ErrorKind::bad_input, "text of {} bytes is too long", text.size());
  std::vector<std::int32_t> ids, symbols;
  std::string word;
  for_each_word(text, [&](std::size_t begin, std::size_t end, bool after_space) {
    set_word(word, text, begin, end, after_space);
    symbols.clear();
    for (const char c : word) symbols.push_back(kFirstByte + static_cast<unsigned char>(c));
    merge_symbols(symbols, table_);
    ids.insert(ids.end(), symbols.begin(), symbols.end());
  });
  return ids;
}

std::string ByteBpe::decode(std::span<const std::int32_t> ids) const {
  std::string text;
  for (const std::int32_t id : ids) text += bytes_of(id);
  if (text.starts_with(' ')) text.erase(0, 1);
  return text;
}

}  // namespace thimble::text
