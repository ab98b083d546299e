// Two scans compared: which apps came, went or changed, and which of their models. An app is its package name and
// split; a file without a manifest is its file name.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "gauge/report/tables.h"

namespace thimble::gauge::report {
namespace {

struct App {
  std::string version{}, sha256{};
  std::map<std::string, std::string> models{};  // path inside, SHA-256
  std::map<std::string, std::int64_t> sizes{};  // of models, by path
};

std::map<std::string, App> apps_of(const Database& db) {
  std::map<std::string, App> out;
  std::map<std::int64_t, std::string> names;
  Statement s(db,
              "SELECT id, coalesce(app || coalesce(' ' || split, ''), name), version_name, version_code, sha256 FROM "
              "packages ORDER BY path");
  while (s.step()) {
    // Several files of one app (its variants in a collection) stay apart.
    std::string name = s.text(1);
    for (int n = 2; out.contains(name); ++n) name = fmt::format("{} ({})", s.text(1), n);
    names[s.integer(0)] = name;
    out[name] = {.version = s.text(3).empty() ? s.text(2) : fmt::format("{} ({})", s.text(2), s.text(3)),
                 .sha256 = s.text(4)};
  }
  Statement m(db, "SELECT package, path, sha256, size FROM models");
  while (m.step()) {
    App& app = out[names[m.integer(0)]];
    app.models[m.text(1)] = m.text(2);
    app.sizes[m.text(1)] = m.integer(3);
  }
  return out;
}

class Changes {
 public:
  explicit Changes(Table& table, std::string source) : table_(table), source_(std::move(source)) {}

  void app(const std::string& name, const App* before, const App* after) {
    if (before == nullptr || after == nullptr) {
      line(before == nullptr ? "app came" : "app went", name, {}, before, after, {}, {});
    } else if (before->sha256 != after->sha256) {
      line("app changed", name, {}, before, after, {}, {});
    }
    static const App kNone;
    models(name, before == nullptr ? kNone : *before, after == nullptr ? kNone : *after);
  }
  std::map<std::string, std::int64_t> counts;

 private:
  void models(const std::string& name, const App& before, const App& after) {
    std::multiset<std::string> left;  // hashes that stand elsewhere now, or no longer
    for (const auto& [path, hash] : before.models) {
      const auto now = after.models.find(path);
      if (now == after.models.end() || now->second != hash) left.insert(hash);
    }
    std::multiset<std::string> moved;
    for (const auto& [path, hash] : after.models) {
      const auto former = before.models.find(path);
      if (former != before.models.end() && former->second == hash) {
        ++counts["model stayed"];
        continue;
      }
      const auto from = left.find(hash);
      if (from != left.end()) {
        left.erase(from);
        moved.insert(hash);
        line("model moved", name, path, &before, &after, hash, hash);
      } else if (former != before.models.end()) {
        line("model changed", name, path, &before, &after, former->second, hash);
      } else {
        line("model came", name, path, &before, &after, {}, hash);
      }
    }
    for (const auto& [path, hash] : before.models) {
      if (after.models.contains(path)) continue;  // told above
      const auto elsewhere = moved.find(hash);
      if (elsewhere != moved.end()) {
        moved.erase(elsewhere);
      } else {
        line("model went", name, path, &before, &after, hash, {});
      }
    }
  }

  void line(const char* what, const std::string& name, const std::string& path, const App* before, const App* after,
            const std::string& old_hash, const std::string& new_hash) {
    ++counts[what];
    const auto version = [](const App* app) {
      return app == nullptr || app->sha256.empty() ? missing("the app is not in that scan")
             : app->version.empty()                ? missing("no version in a manifest")
                                                   : text(app->version);
    };
    const auto hash = [&](const std::string& h) {
      return h.empty() ? missing(path.empty() ? "this row is of an app" : "the model is not in that scan") : text(h);
    };
    const auto size = [&](const App* app) {
      if (app == nullptr || path.empty()) return missing("this row is of an app");
      const auto found = app->sizes.find(path);
      return found == app->sizes.end() ? missing("the model is not at that path in that scan") : number(found->second);
    };
    table_.add({text(what), text(name), path.empty() ? missing("this row is of an app") : text(path), version(before),
                version(after), size(before), size(after), hash(old_hash), hash(new_hash)},
               source_);
  }

  Table& table_;
  std::string source_;
};

std::int64_t one(const Database& db, const char* sql) {
  Statement s(db, sql);
  return s.step() ? s.integer(0) : 0;
}

// name, count
std::map<std::string, std::int64_t> counts(const Database& db, const char* sql) {
  std::map<std::string, std::int64_t> out;
  for (Statement s(db, sql); s.step();) out[s.text(0)] = s.integer(1);
  return out;
}

void side_by_side(Table& t, Database& former, Database& now, const std::string& source) {
  const auto row = [&](const std::string& name, std::int64_t before, std::int64_t after) {
    t.add({text(name), number(before), number(after), number(after - before),
           before > 0 ? number(static_cast<double>(after) / static_cast<double>(before))
                      : missing("the former scan has none")},
          source);
  };
  const auto same = [&](const char* name, const char* sql) { row(name, one(former, sql), one(now, sql)); };
  same("packages", "SELECT count(*) FROM packages");
  same("packages with models", "SELECT count(DISTINCT package) FROM models");
  same("models", "SELECT count(*) FROM models");
  same("different models", "SELECT count(DISTINCT sha256) FROM models");
  same("packages with failures", "SELECT count(DISTINCT package) FROM failures");
  const auto each = [&](const char* prefix, const char* sql) {
    auto before = counts(former, sql), after = counts(now, sql);
    for (const auto& [name, n] : after) before.try_emplace(name, 0);
    for (const auto& [name, n] : before) row(prefix + name, n, after[name]);
  };
  each("models in ", "SELECT format, count(*) FROM models GROUP BY format");
  each("packages with ",
       "SELECT name, count(DISTINCT package) FROM findings WHERE subject IN ('delegate','cloud','framework') AND "
       "level>=1 "
       "GROUP BY name");
}

}  // namespace

void add_difference(Report& report, Database& former, Database& now, const std::string& former_path,
                    const std::string& now_path) {
  const std::string source = fmt::format("{} and {}", former_path, now_path);
  Table sums{.id = "snapshots",
             .title = "Two scans side by side",
             .note = "Packages carry no category of a store, so changes by category are not available."};
  sums.columns = {{"quantity", "quantity", "", "rows of the scans' databases"},
                  {"former", "former", "", "counted over " + former_path},
                  {"now", "now", "", "counted over " + now_path},
                  {"difference", "difference", "", "now less former"},
                  {"ratio", "ratio", "", "now over former"}};
  side_by_side(sums, former, now, source);

  Table t{.id = "changes",
          .title = "What changed between the scans",
          .note =
              "An app is its package name and split, a model its path in the app; a model whose bytes stand at another "
              "path has moved."};
  t.columns = {{"change", "change", "", "of an app: came, went, changed; of a model also moved"},
               {"app", "app", "", "package name and split, otherwise the file's name"},
               {"path", "path inside", "", "of the model"},
               {"version_former", "former version", "", "manifest"},
               {"version_now", "version", "", "manifest"},
               {"size_former", "former size", "bytes", "of the model at that path"},
               {"size_now", "size", "bytes", "of the model at that path"},
               {"sha256_former", "former SHA-256", "", "of the model"},
               {"sha256_now", "SHA-256", "", "of the model"}};
  const auto before = apps_of(former), after = apps_of(now);
  std::set<std::string> names;
  for (const auto& [name, app] : before) names.insert(name);
  for (const auto& [name, app] : after) names.insert(name);
  Changes changes(t, source);
  for (const std::string& name : names) {
    const auto b = before.find(name), a = after.find(name);
    changes.app(name, b == before.end() ? nullptr : &b->second, a == after.end() ? nullptr : &a->second);
  }
  for (const char* what : {"app came", "app went", "app changed", "model came", "model went", "model changed",
                           "model moved", "model stayed"}) {
    sums.add({text(what), missing("a change has no former count"), number(changes.counts[what]),
              missing("it is a change itself"), missing("it is a change itself")},
             source);
  }
  report.tables.push_back(std::move(sums));
  report.tables.push_back(std::move(t));
}

}  // namespace thimble::gauge::report
