#include "text/clip_bpe.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <memory>
#include <unordered_map>

#include "base/error.h"
#include "text/unicode.h"
#include "text/utf8.h"

namespace thimble::text {
namespace {

constexpr std::size_t kMaxVocabularyBytes = std::size_t{64} << 20;
constexpr std::string_view kBegin = "<|startoftext|>", kEnd = "<|endoftext|>", kWordEnd = "</w>";

// The vocabulary writes bytes as printable characters: bytes that are printable Latin-1 stand for themselves, the
// others follow from U+0100 on. Ids of bytes are in this order too: printable ones first.
std::vector<unsigned> bytes_in_id_order() {
  const auto printable = [](unsigned b) { return (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae; };
  std::vector<unsigned> order;
  for (const bool wanted : {true, false}) {
    for (unsigned b = 0; b < 256; ++b) {
      if (printable(b) == wanted) order.push_back(b);
    }
  }
  return order;
}

std::string written_form(const std::vector<unsigned>& order, std::size_t id) {
  constexpr std::size_t kPrintable = 188;
  std::string s;
  append_utf8(s, id < kPrintable ? order[id] : static_cast<char32_t>(0x100 + id - kPrintable));
  return s;
}

std::string read_gzip(const std::filesystem::path& path) {
  struct Close {
    void operator()(gzFile file) const { gzclose_r(file); }
  };
  const std::unique_ptr<gzFile_s, Close> file(gzopen(path.c_str(), "rb"));
  if (!file) fail(ErrorKind::io, "cannot open {}", path.string());
  std::string content;
  std::array<char, 1 << 16> chunk;
  for (;;) {
    const int n = gzread(file.get(), chunk.data(), chunk.size());
    int status = Z_OK;
    const char* why = gzerror(file.get(), &status);
    if (n < 0 || status == Z_BUF_ERROR)
      fail(ErrorKind::bad_file, "{}: damaged or truncated gzip data ({})", path.string(), why);
    if (n == 0) return content;
    content.append(chunk.data(), static_cast<std::size_t>(n));
    if (content.size() > kMaxVocabularyBytes) {
      fail(ErrorKind::bad_file, "{}: a vocabulary of more than {} bytes", path.string(), kMaxVocabularyBytes);
    }
  }
}

// Takes one line off `text`.
std::string_view take_line(std::string_view& text) {
  const std::size_t n = text.find('\n');
  std::string_view line = text.substr(0, n);
  text.remove_prefix(n == std::string_view::npos ? text.size() : n + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

std::size_t longest_run(std::string_view text, std::size_t at, bool (*belongs)(char32_t)) {
  std::size_t end = at;
  while (end < text.size()) {
    std::size_t next = end;
    if (!belongs(next_code_point(text, next))) break;
    end = next;
  }
  return end - at;
}

bool is_other(char32_t c) { return !is_space(c) && !is_letter(c) && !is_number(c); }

// Length of the word that begins at `at`, which is no space. Special tokens, if asked for, and contractions come first.
std::size_t word_length(std::string_view text, std::size_t at, bool special) {
  const std::string_view rest = text.substr(at);
  if (special && (rest.starts_with(kBegin) || rest.starts_with(kEnd))) {
    return rest.starts_with(kBegin) ? kBegin.size() : kEnd.size();
  }
  for (const std::string_view fixed : {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"}) {
    if (rest.starts_with(fixed)) return fixed.size();
  }
  if (const std::size_t letters = longest_run(text, at, is_letter); letters != 0) return letters;
  std::size_t next = at;
  if (is_number(next_code_point(text, next))) return next - at;
  return longest_run(text, at, is_other);
}

}  // namespace

ClipBpe ClipBpe::open(const std::filesystem::path& path, std::size_t merges, ClipCleaning cleaning) {
  return parse(read_gzip(path), path.string(), merges, cleaning);
}

ClipBpe ClipBpe::parse(std::string_view text, const std::string& name, std::size_t merges, ClipCleaning cleaning) {
  try {
    check_utf8(text);
  } catch (const Error& e) {
    fail(ErrorKind::bad_file, "{}: {}", name, e.message());
  }
  ClipBpe bpe;
  bpe.cleaning_ = cleaning;
  bpe.byte_ids_.resize(512);
  std::unordered_map<std::string, std::int32_t> ids;  // of written forms
  const auto order = bytes_in_id_order();
  for (const bool last : {false, true}) {
    for (std::size_t i = 0; i < order.size(); ++i) {
      const auto id = static_cast<std::int32_t>(bpe.bytes_.size());
      bpe.byte_ids_[order[i] + (last ? 256u : 0u)] = id;
      ids[written_form(order, i) + std::string(last ? kWordEnd : "")] = id;
      bpe.bytes_.push_back(std::string(1, static_cast<char>(order[i])) + (last ? " " : ""));
    }
  }

  take_line(text);
  for (std::size_t n = 0; n < merges; ++n) {
    const auto refuse = [&](std::string_view why) { fail(ErrorKind::bad_file, "{}: line {}: {}", name, n + 2, why); };
    if (text.empty()) refuse(fmt::format("the file ends after {} merges, {} were wanted", n, merges));
    const std::string_view line = take_line(text);
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos || line.find(' ', space + 1) != std::string_view::npos) {
      refuse("two tokens with one space between them were wanted");
    }
    const std::string left(line.substr(0, space)), right(line.substr(space + 1));
    const auto l = ids.find(left), r = ids.find(right);
    if (l == ids.end() || r == ids.end()) refuse("a merge of a token that no earlier line makes");
    const auto id = static_cast<std::int32_t>(bpe.bytes_.size());
    const std::string& head = bpe.bytes_[static_cast<std::size_t>(l->second)];
    const std::string& tail = bpe.bytes_[static_cast<std::size_t>(r->second)];
    if (left.ends_with(kWordEnd)) refuse("the first token of a merge ends a word");
    if (head.size() + tail.size() > 1024) refuse("a token of more than 1024 bytes");
    if (!bpe.table_.insert(l->second, r->second, {static_cast<std::int32_t>(n), id}))
      refuse("a merge that was there before");
    std::string joined = head + tail;
    bpe.bytes_.push_back(std::move(joined));
    if (!ids.emplace(left + right, id).second) refuse("two merges that make the same token");
  }
  bpe.bytes_.resize(bpe.bytes_.size() + 2);  // begin and end give no text
  return bpe;
}

void ClipBpe::encode_word(std::string_view word, std::vector<std::int32_t>& out) const {
  std::vector<std::int32_t> symbols;
  for (const char c : word) symbols.push_back(byte_ids_[static_cast<unsigned char>(c)]);
  symbols.back() = byte_ids_[256u + static_cast<unsigned char>(word.back())];
  merge_symbols(symbols, table_);
  out.insert(out.end(), symbols.begin(), symbols.end());
}

std::vector<std::int32_t> ClipBpe::encode(std::string_view given) const {
  check_utf8(given);
  if (given.size() > (std::size_t{1} << 28)) fail(ErrorKind::bad_input, "text of {} bytes is too long", given.size());
  std::vector<std::int32_t> ids;
  if (cleaning_ == ClipCleaning::original) {
    encode_clean(clean_clip_text(given), ids);
    return ids;
  }
  while (!given.empty()) {
    const std::size_t at = std::min(given.find(kBegin), given.find(kEnd));
    encode_clean(clean_clip_text(given.substr(0, at), cleaning_), ids);
    if (at == std::string_view::npos) break;
    const bool first = given.substr(at).starts_with(kBegin);
    ids.push_back(first ? begin() : begin() + 1);
    given.remove_prefix(at + (first ? kBegin : kEnd).size());
  }
  return ids;
}

void ClipBpe::encode_clean(std::string_view text, std::vector<std::int32_t>& out) const {
  const bool special = cleaning_ == ClipCleaning::original;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == ' ') {
      ++at;
      continue;
    }
    const std::string_view word = text.substr(at, word_length(text, at, special));
    if (special && (word == kBegin || word == kEnd)) {
      out.push_back(word == kBegin ? begin() : begin() + 1);
    } else {
      encode_word(word, out);
    }
    at += word.size();
  }
}

std::string ClipBpe::decode(std::span<const std::int32_t> ids) const {
  std::string text;
  for (const std::int32_t id : ids) {
    if (id < 0 || id >= vocab_size())
      fail(ErrorKind::bad_input, "token id {} is outside the vocabulary of {}", id, vocab_size());
    text += bytes_[static_cast<std::size_t>(id)];
  }
  if (text.ends_with(' ')) text.pop_back();
  return text;
}

}  // namespace thimble::text
