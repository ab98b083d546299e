#include "gauge/detect/evidence.h"

#include <algorithm>
#include <optional>

#include "gauge/apk/dex.h"
#include "gauge/apk/dex_calls.h"
#include "gauge/apk/elf.h"
#include "gauge/container/container.h"
#include "gauge/detect/names.h"
#include "gauge/detect/word_search.h"

namespace thimble::gauge {
namespace {

constexpr std::size_t kMostModelNames = 1000, kMostNameLength = 200, kShortWord = 5;

// The rules of one or two places, searched for at once; a word may serve several rules.
class RuleSearch {
 public:
  explicit RuleSearch(std::initializer_list<Place> places) {
    for (const Rule& rule : rules()) {
      if (std::find(places.begin(), places.end(), rule.place) == places.end()) continue;
      const auto at = std::find(words_.begin(), words_.end(), rule.pattern);
      const auto word = static_cast<std::size_t>(at - words_.begin());
      if (at == words_.end()) {
        words_.push_back(rule.pattern);
        rules_.emplace_back();
      }
      rules_[word].push_back(&rule);
    }
    search_.emplace(words_);
  }

  // f(rule, begin) for every occurrence.
  template <class F>
  void scan(Bytes bytes, F&& f) const {
    search_->scan(bytes, [&](int word, std::size_t begin) {
      for (const Rule* rule : rules_[static_cast<std::size_t>(word)]) f(*rule, begin);
    });
  }

 private:
  std::vector<std::string_view> words_;
  std::vector<std::vector<const Rule*>> rules_;
  std::optional<WordSearch> search_;
};

const RuleSearch& native_search() {
  static const RuleSearch search({Place::native, Place::soname});
  return search;
}
const RuleSearch& text_search() {
  static const RuleSearch search({Place::text});
  return search;
}

// Rules whose pattern begins `name`, of one place.
template <class F>
void for_prefixes(Place place, std::string_view name, F&& f) {
  static const auto by_place = [] {
    std::map<Place, std::vector<const Rule*>> out;
    for (const Rule& rule : rules()) out[rule.place].push_back(&rule);
    return out;
  }();
  const auto at = by_place.find(place);
  if (at == by_place.end()) return;
  for (const Rule* rule : at->second) {
    if (name.starts_with(rule->pattern)) f(*rule);
  }
}

// The bytes around a hit as far as they are plain text: the string it is part of.
std::string_view string_around(Bytes bytes, std::size_t begin, std::size_t length) {
  constexpr std::size_t kMost = 120;
  const std::string_view all = text_of(bytes);
  const auto inside = [&](std::size_t i) { return all[i] >= 0x20 && all[i] < 0x7f; };
  std::size_t first = begin, last = begin + length;
  while (first > 0 && begin - first < kMost && inside(first - 1)) --first;
  while (last < all.size() && last - begin < kMost && inside(last)) ++last;
  return all.substr(first, last - first);
}

bool stands_alone(Bytes bytes, std::size_t begin, std::size_t length) {
  return (begin == 0 || bytes[begin - 1] == std::byte{0}) && begin + length < bytes.size() &&
         bytes[begin + length] == std::byte{0};
}

}  // namespace

void Evidence::add(Subject subject, std::string_view name, Level level, Place place, const std::string& path,
                   std::string_view matched) {
  const auto [at, fresh] = index_.try_emplace({subject, std::string(name), place, path}, findings_.size());
  if (fresh) findings_.push_back({subject, std::string(name), level, place, path, printable(matched), 0});
  Finding& f = findings_[at->second];
  if (level > f.level) {
    f.level = level;
    f.matched = printable(matched);
  }
  ++f.count;
}

void Evidence::add(const Rule& rule, Level level, const std::string& path, std::string_view matched) {
  add(rule.subject, rule.name, level, rule.place, path, matched);
}

void Evidence::file(const std::string& path) {
  const std::string_view base = base_name(path);
  const std::string folded = lower(path);
  for (const Rule& rule : rules()) {
    if (rule.place != Place::file) continue;
    const bool in_path = rule.pattern.find('/') != std::string_view::npos;
    if (in_path ? folded.find(rule.pattern) != std::string::npos : matches(rule.pattern, base)) {
      add(rule, rule.level, path, base);
    }
  }
}

void Evidence::class_file(const std::string& path) {
  const std::size_t jar = path.rfind("!/");
  const std::size_t begin = jar == std::string::npos ? 0 : jar + 2;
  const std::string type = "L" + path.substr(begin, path.size() - begin - std::string_view(".class").size()) + ";";
  const std::string where = jar == std::string::npos ? path : path.substr(0, jar);
  for_prefixes(Place::type, type,
               [&](const Rule& rule) { add(rule, std::max(rule.level, Level::shipped), where, type); });
}

void Evidence::manifest(const std::string& path, const Manifest& manifest) {
  add(Subject::app, manifest.package, Level::shipped, Place::meta_data, path,
      manifest.split.empty() ? manifest.package : manifest.package + " split " + manifest.split);
  for (const auto& [name, value] : manifest.meta_data) {
    for_prefixes(Place::meta_data, name, [&](const Rule& rule) { add(rule, rule.level, path, name + "=" + value); });
  }
  for (const std::string& library : manifest.native_libraries) {
    for (const Rule& rule : rules()) {
      if (rule.place == Place::soname && rule.pattern == library) add(rule, Level::called, path, library);
    }
  }
}

void Evidence::native_code(const std::string& path, Bytes bytes) {
  const std::string_view own_name = base_name(path);
  native_search().scan(bytes, [&](const Rule& rule, std::size_t begin) {
    const std::size_t length = rule.pattern.size();
    if (rule.place == Place::soname) {
      if (rule.pattern != own_name && stands_alone(bytes, begin, length)) add(rule, rule.level, path, rule.pattern);
    } else {
      // Three letters stand anywhere in megabytes of code; in a text they mean something.
      const std::string_view text = string_around(bytes, begin, length);
      if (length >= kShortWord || text.size() >= 2 * length + 2) add(rule, rule.level, path, text);
    }
  });
}

void Evidence::elf(const std::string& path, Bytes bytes) {
  native_code(path, bytes);
  const Elf elf = read_elf(bytes);
  machines_.emplace(elf.machine);
  for (const std::string_view library : elf.needed) {
    for (const Rule& rule : rules()) {
      if (rule.place == Place::soname && rule.pattern == library) {
        add(rule, Level::linked, path, "NEEDED " + std::string(library));
      }
    }
  }
  for (const auto* names : {&elf.exported, &elf.imported}) {
    for (const std::string_view name : *names) {
      for_prefixes(Place::symbol, name, [&](const Rule& rule) { add(rule, rule.level, path, name); });
    }
  }
  // A framework's library that defines symbol versions tells its own version.
  for (const Rule& rule : rules()) {
    if (rule.place != Place::file || rule.subject != Subject::framework || elf.versions.size() < 2) continue;
    if (matches(rule.pattern, base_name(path))) {
      add(rule.subject, rule.name, Level::shipped, Place::symbol, path, elf.versions[1]);  // [0] is the library itself
    }
  }
}

void Evidence::dex(const std::string& path, Bytes bytes) {
  for (std::size_t at = 0; at < bytes.size();) {
    const Dex dex = Dex::parse(bytes, at);
    dex_one(path, dex);
    at = dex.next();
  }
}

void Evidence::dex_one(const std::string& path, const Dex& dex) {
  std::vector<bool> defined(dex.types());
  for (std::uint32_t i = 0; i < dex.classes(); ++i) defined[dex.class_type(i)] = true;
  for (std::uint32_t i = 0; i < dex.types(); ++i) {
    std::string_view type = dex.type(i);
    type.remove_prefix(std::min(type.find_first_not_of('['), type.size()));
    for_prefixes(Place::type, type, [&](const Rule& rule) {
      add(rule, defined[i] ? std::max(rule.level, Level::shipped) : rule.level, path, type);
    });
  }
  std::map<std::uint32_t, std::vector<const Rule*>> wanted;  // methods that switch something on
  for (std::uint32_t i = 0; i < dex.methods(); ++i) {
    const Dex::Method method = dex.method(i);
    const std::string_view type = dex.type(method.type);
    for_prefixes(Place::method, std::string(type) + "->" + std::string(method.name), [&](const Rule& rule) {
      add(rule, Level::built, path, rule.pattern);
      wanted[i].push_back(&rule);
    });
  }
  for (std::uint32_t i = 0; i < dex.strings(); ++i) dex_text(path, dex.string(i));
  if (wanted.empty()) return;
  for_each_call(dex, [&](std::uint32_t caller, std::uint32_t method) {
    const auto at = wanted.find(method);
    if (at == wanted.end()) return;
    const std::string_view from = dex.type(caller);
    for (const Rule* rule : at->second) {
      // A library's calls within itself switch nothing on.
      const std::string_view type = rule->pattern.substr(0, rule->pattern.find("->"));
      if (from.starts_with(type.substr(0, type.find_last_of('/') + 1))) continue;
      add(*rule, rule->level, path, std::string(rule->pattern) + " called by " + std::string(from));
    }
  });
}

void Evidence::dex_text(const std::string& path, std::string_view text) {
  text_search().scan(bytes_of(text),
                     [&](const Rule& rule, std::size_t) { add(rule, rule.level, path, mutf8_to_utf8(text)); });
  if (text.size() > kMostNameLength || model_names_.size() >= kMostModelNames || !has_model_suffix(text)) return;
  if (text.find_first_of(" %\n") != std::string_view::npos || text.front() == '.') return;  // a pattern or a sentence
  model_names_.try_emplace(printable(mutf8_to_utf8(text)), path);
}

}  // namespace thimble::gauge
