// What a scan's database says: packages, evidence, formats, failures, where each model lies.
#include <fmt/format.h>

#include <algorithm>

#include "gauge/detect/names.h"
#include "gauge/report/tables.h"

namespace thimble::gauge::report {
namespace {

std::int64_t one(const Database& database, const std::string& sql) {
  Statement s(database, sql);
  return s.step() ? s.integer(0) : 0;
}

Cell text_or(const Statement& s, int column, std::string_view why) {
  return s.is_null(column) || s.text(column).empty() ? missing(why) : text(s.text(column));
}

std::string joined_list(const std::string& json) {
  std::string out;
  const Json list = Json::parse(json, nullptr, false);
  for (const Json& item : list.is_array() ? list : Json::array()) {
    if (item.is_string()) out += (out.empty() ? "" : ", ") + item.get<std::string>();
  }
  return out;
}

void packages(Report& report, Database& db, const Facts& facts) {
  Table t{.id = "packages", .title = "Packages", .note = "One row a file that was scanned."};
  const std::string manifest = "the app's own Android manifest (binary XML, a bundle's protobuf, or text)";
  t.columns = {
      {"name", "file", "", "its file name"},
      {"app", "app", "", manifest},
      {"version", "version", "", manifest + ": versionName (versionCode)"},
      {"kind", "kind", "", "by signature and layout, not by suffix"},
      {"size", "size", "bytes", "of the file"},
      {"unpacked", "unpacked", "bytes", "bytes that were inflated for this scan; stored entries cost none"},
      {"models", "models", "", "candidates whose whole structure a probe has checked"},
      {"unique", "different", "", "by SHA-256 of the models' bytes"},
      {"frameworks", "frameworks", "", "findings of level 1 (built in) or above: names of files, native code, classes"},
      {"delegates", "accelerators", "", "findings of level 1 or above"},
      {"cloud", "cloud services", "", "findings of level 1 or above"},
      {"machines", "machines", "", "architectures in the headers of native libraries"},
      {"failures", "failures", "", "rows of table failures"},
      {"seconds", "scan time", "s", "wall clock of this package's scan, on the machine that scanned"},
      {"sha256", "SHA-256", "", "of the file"},
  };
  const auto names = [](const char* subject) {
    return fmt::format(
        "(SELECT group_concat(name, ', ') FROM (SELECT DISTINCT name FROM findings f WHERE f.package=p.id AND "
        "f.subject='{}' AND f.level>=1 ORDER BY 1))",
        subject);
  };
  Statement s(db,
              "SELECT p.name, p.app, p.version_name, p.version_code, p.kind, p.size, p.unpacked, "
              "(SELECT count(*) FROM models m WHERE m.package=p.id), "
              "(SELECT count(DISTINCT sha256) FROM models m WHERE m.package=p.id), " +
                  names("framework") + "," + names("delegate") + "," + names("cloud") +
                  ", p.machines, (SELECT count(*) FROM failures x WHERE x.package=p.id), p.seconds, p.sha256, p.path "
                  "FROM packages p ORDER BY p.path");
  while (s.step()) {
    const std::string machines = joined_list(s.text(12));
    const bool manifest_read = !s.is_null(1);
    const std::string version = s.is_null(2) && s.is_null(3) ? ""
                                : s.is_null(3)               ? s.text(2)
                                                             : fmt::format("{} ({})", s.text(2), s.text(3));
    t.add(
        {
            text(s.text(0)),
            text_or(s, 1, "no Android manifest was found"),
            version.empty() ? missing(manifest_read ? "the manifest has none" : "no Android manifest was found")
                            : text(version),
            text(s.text(4)),
            number(s.integer(5)),
            number(s.integer(6)),
            number(s.integer(7)),
            number(s.integer(8)),
            text_or(s, 9, "no finding"),
            text_or(s, 10, "no finding"),
            text_or(s, 11, "no finding"),
            machines.empty() ? missing("no native library was read") : text(machines),
            number(s.integer(13)),
            number(s.real(14)),
            text_or(s, 15, "the file could not be read"),
        },
        fmt::format("{} in {}", clean_text(s.text(16)), facts.database));
  }
  report.tables.push_back(std::move(t));
}

void occurrences(Report& report, Database& db, const Facts& facts) {
  Table t{.id = "occurrences", .title = "Where models lie", .note = "One row a place, copies included."};
  t.columns = {
      {"package", "package", "", "its file name"},
      {"app", "app", "", "the Android manifest"},
      {"path", "path inside", "", "! stands for a container, @ for a byte in a blob"},
      {"format", "format", "", "the probe that accepted it"},
      {"found_by", "found by", "", "suffix, signature (under a shared suffix), content (under another), carving"},
      {"size", "size", "bytes", "of the model's bytes"},
      {"sha256", "SHA-256", "", "of the model's bytes"}};
  Statement s(db,
              "SELECT p.name, p.app, m.path, m.format, m.found_by, m.size, m.sha256, p.path FROM models m "
              "JOIN packages p ON p.id=m.package ORDER BY p.path, m.path");
  while (s.step()) {
    t.add({text(s.text(0)), text_or(s, 1, "no Android manifest was found"), text(s.text(2)), text(s.text(3)),
           text(s.text(4)), number(s.integer(5)), text(s.text(6))},
          fmt::format("{} in {}", clean_text(s.text(7)), facts.database));
  }
  report.tables.push_back(std::move(t));
}

void formats(Report& report, const Facts& facts) {
  struct Sum {
    std::int64_t copies = 0, unique = 0, bytes = 0, parameters = 0;
  };
  std::map<std::string, Sum> sums;
  std::int64_t copies = 0;
  for (const ModelFacts& m : facts.models) {
    Sum& sum = sums[m.format];
    sum.copies += m.copies;
    ++sum.unique;
    sum.bytes += m.size;
    sum.parameters += m.parameters;
    copies += m.copies;
  }
  Table t{.id = "formats", .title = "Models by format"};
  t.columns = {
      {"format", "format", "", "the probe that accepted the model"},
      {"models", "models", "", "places, copies included"},
      {"share", "share", "%", "of all places"},
      {"unique", "different", "", "by SHA-256"},
      {"bytes", "size", "bytes", "of the different ones"},
      {"parameters", "parameters", "", "elements of constants of the different ones, as the probe counts them"}};
  for (const auto& [format, sum] : sums) {
    t.add({text(format), number(sum.copies), share(static_cast<double>(sum.copies), static_cast<double>(copies)),
           number(sum.unique), number(sum.bytes), number(sum.parameters)},
          facts.database + ", table models");
  }
  std::ranges::stable_sort(t.rows, [](const Row& a, const Row& b) { return a.cells[1].value > b.cells[1].value; });
  report.tables.push_back(std::move(t));
}

constexpr const char* kLevels[] = {"named", "built in", "linked", "shipped", "called"};

std::string level_name(std::int64_t level) {
  return level >= 0 && level < std::ssize(kLevels) ? kLevels[level] : std::to_string(level);
}

void evidence(Report& report, Database& db, const Facts& facts) {
  const std::int64_t packages = one(db, "SELECT count(*) FROM packages");
  Table sum{.id = "frameworks",
            .title = "Frameworks, accelerators, cloud services",
            .note = "Packages by the strongest evidence each has. A library that merely names a backend is level 0."};
  sum.columns = {{"subject", "kind", "", "the rule's subject"}, {"name", "name", "", "the rule's name"}};
  for (int level = 0; level < std::ssize(kLevels); ++level) {
    sum.columns.push_back({fmt::format("level{}", level), kLevels[level], "",
                           fmt::format("packages whose strongest finding is of level {}", level)});
  }
  sum.columns.push_back({"packages", "packages", "", "of level 1 or above"});
  sum.columns.push_back({"share", "share", "%", "packages of level 1 or above, of all scanned"});
  std::map<std::pair<std::string, std::string>, std::array<std::int64_t, std::size(kLevels)>> counts;
  Statement s(
      db,
      "SELECT subject, name, top, count(*) FROM (SELECT subject, name, package, max(level) AS top FROM findings "
      "WHERE subject!='app' GROUP BY subject, name, package) GROUP BY subject, name, top");
  while (s.step()) {
    const auto level = std::clamp<std::int64_t>(s.integer(2), 0, std::ssize(kLevels) - 1);
    counts[{s.text(0), s.text(1)}][static_cast<std::size_t>(level)] += s.integer(3);
  }
  for (const auto& [key, by_level] : counts) {
    std::vector<Cell> cells{text(key.first), text(key.second)};
    std::int64_t sure = 0;
    for (std::size_t level = 0; level < by_level.size(); ++level) {
      cells.push_back(number(by_level[level]));
      if (level > 0) sure += by_level[level];
    }
    cells.push_back(number(sure));
    cells.push_back(share(static_cast<double>(sure), static_cast<double>(packages)));
    sum.add(std::move(cells), facts.database + ", table findings");
  }
  report.tables.push_back(std::move(sum));

  Table t{.id = "evidence", .title = "Evidence", .note = "Each finding with its place, strongest first."};
  t.columns = {{"package", "package", "", "its file name"},
               {"subject", "kind", "", "the rule's subject"},
               {"name", "name", "", "the rule's name"},
               {"level", "level", "", "0 named, 1 built in, 2 linked, 3 shipped, 4 called"},
               {"meaning", "meaning", "", "of the level"},
               {"place", "place", "", "what kind of thing matched"},
               {"path", "path inside", "", "where"},
               {"matched", "matched", "", "the text that was found"},
               {"count", "times", "", "in that file"}};
  Statement f(
      db,
      "SELECT p.name, f.subject, f.name, f.level, f.place, f.path, f.matched, f.count, p.path FROM findings f "
      "JOIN packages p ON p.id=f.package WHERE f.subject!='app' ORDER BY f.level DESC, f.subject, f.name, p.path");
  while (f.step()) {
    t.add({text(f.text(0)), text(f.text(1)), text(f.text(2)), number(f.integer(3)), text(level_name(f.integer(3))),
           text(f.text(4)), text(f.text(5)), text(f.text(6)), number(f.integer(7))},
          fmt::format("{} in {}", clean_text(f.text(8)), facts.database));
  }
  report.tables.push_back(std::move(t));
}

void failures(Report& report, Database& db, const Facts& facts) {
  Table t{
      .id = "failures",
      .title = "What could not be read",
      .note = "Broken packages and parts, refused tricks, and candidates that are no models, each with its reason."};
  t.columns = {{"package", "package", "", "its file name"},
               {"path", "path inside", "", "where"},
               {"stage", "stage", "", "which reader"},
               {"kind", "kind", "", "docs/gauge.md lists the kinds"},
               {"reason", "reason", "", "as the reader says it"}};
  Statement s(db,
              "SELECT p.name, x.path, x.stage, x.kind, x.reason, p.path FROM failures x JOIN packages p ON "
              "p.id=x.package ORDER BY p.path, x.path");
  while (s.step()) {
    t.add({text(s.text(0)), text(s.text(1)), text(s.text(2)), text(s.text(3)), text(s.text(4))},
          fmt::format("{} in {}", clean_text(s.text(5)), facts.database));
  }
  report.tables.push_back(std::move(t));
}

void summary(Report& report, Database& db, const Facts& facts) {
  Table t{.id = "summary", .title = "In short"};
  t.columns = {{"quantity", "quantity", "", "what is counted"},
               {"value", "value", "", "counted over the scan's database"},
               {"share", "of", "%", "of the row that the name tells"},
               {"method", "how", "", "the query in words"}};
  const std::string from = facts.database;
  const std::int64_t packages = one(db, "SELECT count(*) FROM packages"),
                     places = one(db, "SELECT count(*) FROM models"),
                     with = one(db, "SELECT count(DISTINCT package) FROM models");
  const auto row = [&](const char* name, std::int64_t value, Cell of, const char* method) {
    t.add({text(name), number(value), std::move(of), text(method)}, from);
  };
  const auto of = [](std::int64_t part, std::int64_t whole) {
    return share(static_cast<double>(part), static_cast<double>(whole));
  };
  const Cell whole = missing("it is the whole");
  row("packages", packages, whole, "rows of table packages");
  row("apps", one(db, "SELECT count(DISTINCT app) FROM packages WHERE app IS NOT NULL"), missing("a count of names"),
      "different package names in manifests");
  row("packages with models", with, of(with, packages), "packages that hold at least one checked model");
  row("models", places, whole, "rows of table models: places, copies included");
  const auto unique = static_cast<std::int64_t>(facts.models.size());
  row("different models", unique, of(unique, places), "different SHA-256 of models' bytes");
  std::int64_t shared = 0;
  for (const ModelFacts& m : facts.models) shared += m.packages > 1 ? m.copies : 0;
  row("models that other packages have too", shared, of(shared, places),
      "places whose bytes lie in two packages or more");
  const std::int64_t carved = one(db, "SELECT count(*) FROM models WHERE found_by='carving'"),
                     hidden = one(db, "SELECT count(*) FROM models WHERE found_by IN ('content','signature')");
  row("models carved out of other files", carved, of(carved, places), "found at a byte of a blob or library");
  row("models under another suffix", hidden, of(hidden, places), "found by signature or content");
  const std::int64_t encrypted =
      one(db, "SELECT count(*) FROM failures WHERE stage='model' AND kind IN ('encrypted','compressed')");
  row("files that look encrypted or compressed", encrypted, missing("these are no models"),
      "failures of stage model: no structure, entropy and chi-square of random bytes");
  const std::int64_t broken = one(db, "SELECT count(DISTINCT package) FROM failures WHERE stage!='model'");
  row("packages with parts that cannot be read", broken, of(broken, packages), "failures of another stage than model");
  row("bytes scanned", one(db, "SELECT sum(size) FROM packages"), whole, "sizes of the files");
  row("bytes unpacked", one(db, "SELECT sum(unpacked) FROM packages"), missing("not part of the files' size"),
      "inflated for the scan");
  report.tables.push_back(std::move(t));
}

}  // namespace

Facts read_scan(Database& db, const std::string& path) {
  Facts facts;
  facts.database = clean_text(std::string(base_name(path)));
  Statement rules(db, "SELECT group_concat(DISTINCT rules) FROM packages");
  if (rules.step()) facts.rules = "rules " + rules.text(0);
  Statement s(db,
              "SELECT m.sha256, m.format, m.found_by, m.remark, m.path, p.path, m.size, m.version, m.operators, "
              "m.tensors, m.parameters, m.package FROM models m JOIN packages p ON p.id=m.package "
              "ORDER BY m.sha256, m.package");
  std::int64_t last_package = -1;
  std::map<std::string, std::string> places;  // hash
  while (s.step()) {
    const std::string hash = s.text(0), inside = s.text(4), name(base_name(inside));
    const auto [entry, fresh] = facts.by_hash.try_emplace(hash, facts.models.size());
    if (fresh)
      facts.models.push_back({.sha256 = hash, .format = s.text(1), .found_by = s.text(2), .remark = s.text(3)});
    const std::string place = fmt::format("{}!/{}", s.text(5), inside);
    places[place] = hash;
    ModelFacts& m = facts.models[entry->second];
    ++m.copies;
    if (fresh || s.integer(11) != last_package) ++m.packages;
    last_package = s.integer(11);
    // The name that says most: the format's own suffix before others, then the shortest.
    const bool better = m.name.empty() || (s.text(2) == "suffix" && m.found_by != "suffix") ||
                        (s.text(2) == m.found_by && name.size() < m.name.size());
    if (!better) continue;
    m.found_by = s.text(2);
    m.name = name;
    m.place = clean_text(place, 1000);
    m.size = s.integer(6);
    m.version = s.integer(7);
    m.operators = s.integer(8);
    m.tensors = s.integer(9);
    m.parameters = s.integer(10);
  }
  std::ranges::stable_sort(facts.models, [](const ModelFacts& a, const ModelFacts& b) {
    return a.copies != b.copies ? a.copies > b.copies : a.name < b.name;
  });
  for (std::size_t i = 0; i < facts.models.size(); ++i) facts.by_hash[facts.models[i].sha256] = i;
  for (const auto& [place, hash] : places) facts.by_place[place] = facts.by_hash[hash];
  return facts;
}

void add_scan_tables(Report& report, Database& db, const Facts& facts) {
  summary(report, db, facts);
  formats(report, facts);
  evidence(report, db, facts);
  packages(report, db, facts);
  occurrences(report, db, facts);
  failures(report, db, facts);
}

}  // namespace thimble::gauge::report
