#include "gauge/model/prototxt.h"

#include <algorithm>
#include <cctype>

#include "base/error.h"

namespace thimble::gauge {
namespace {

constexpr int kMostDepth = 64;

class TextReader {
 public:
  explicit TextReader(std::string_view text) : text_(text) {}

  std::vector<TextField> fields(char end, int depth) {
    if (depth > kMostDepth) fail(ErrorKind::bad_file, "prototxt: messages within messages, more than {}", kMostDepth);
    std::vector<TextField> out;
    for (;;) {
      space();
      if (at_ == text_.size()) {
        if (end != '\0') fail(ErrorKind::bad_file, "prototxt: a message is not closed");
        return out;
      }
      if (text_[at_] == end) {
        ++at_;
        return out;
      }
      if (text_[at_] == ';' || text_[at_] == ',') {
        ++at_;
        continue;
      }
      TextField f;
      f.key = word();
      if (f.key.empty()) {
        fail(ErrorKind::bad_file, "prototxt: byte {} at {} begins no field", static_cast<int>(text_[at_]), at_);
      }
      space();
      if (take(':')) space();
      if (take('{') || take('<')) {
        f.is_message = true;
        f.message = fields(text_[at_ - 1] == '{' ? '}' : '>', depth + 1);
        out.push_back(std::move(f));
      } else if (take('[')) {  // a list of scalars, short for repeated fields
        for (space(); !take(']'); space()) {
          if (at_ == text_.size()) fail(ErrorKind::bad_file, "prototxt: a list is not closed");
          if (take(',')) continue;
          out.push_back({f.key, scalar(), {}, false});
        }
      } else {
        f.value = scalar();
        out.push_back(std::move(f));
      }
    }
  }

 private:
  void space() {
    while (at_ < text_.size()) {
      if (text_[at_] == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (std::isspace(static_cast<unsigned char>(text_[at_])) != 0) {
        ++at_;
      } else {
        return;
      }
    }
  }
  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  std::string_view word() {
    const std::size_t from = at_;
    while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) != 0 || text_[at_] == '_')) {
      ++at_;
    }
    return text_.substr(from, at_ - from);
  }
  std::string scalar() {
    space();
    if (at_ >= text_.size()) fail(ErrorKind::bad_file, "prototxt: it ends before a value");
    const char quote = text_[at_];
    if (quote == '"' || quote == '\'') {
      std::string out;
      for (++at_; at_ < text_.size() && text_[at_] != quote; ++at_) {
        if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
        out += text_[at_];
      }
      if (!take(quote)) fail(ErrorKind::bad_file, "prototxt: a text is not closed");
      return out;
    }
    const std::size_t from = at_;
    while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) != 0 || text_[at_] == '_' ||
                                  text_[at_] == '.' || text_[at_] == '-' || text_[at_] == '+')) {
      ++at_;
    }
    if (from == at_) fail(ErrorKind::bad_file, "prototxt: no value at {}", at_);
    return std::string(text_.substr(from, at_ - from));
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

std::vector<TextField> parse_prototxt(std::string_view text) { return TextReader(text).fields('\0', 0); }

}  // namespace thimble::gauge
