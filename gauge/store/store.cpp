#include "gauge/store/store.h"

#include "gauge/detect/rules.h"

namespace thimble::gauge {
namespace {

constexpr int kSchema = 1;
constexpr int kApplication = 0x54484742;  // marks the file as ours

constexpr const char* kTables = R"(
CREATE TABLE IF NOT EXISTS packages(
  id INTEGER PRIMARY KEY, path TEXT NOT NULL, sha256 TEXT NOT NULL, rules INTEGER NOT NULL, name TEXT NOT NULL,
  kind TEXT NOT NULL, size INTEGER NOT NULL, app TEXT, version_code TEXT, version_name TEXT, min_sdk TEXT,
  target_sdk TEXT, split TEXT, permissions TEXT NOT NULL, machines TEXT NOT NULL, unpacked INTEGER NOT NULL,
  seconds REAL NOT NULL, UNIQUE(path, sha256));
CREATE TABLE IF NOT EXISTS entries(
  package INTEGER NOT NULL REFERENCES packages(id) ON DELETE CASCADE, path TEXT NOT NULL, kind TEXT NOT NULL,
  size INTEGER NOT NULL, packed INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS findings(
  package INTEGER NOT NULL REFERENCES packages(id) ON DELETE CASCADE, subject TEXT NOT NULL, name TEXT NOT NULL,
  level INTEGER NOT NULL, place TEXT NOT NULL, path TEXT NOT NULL, matched TEXT NOT NULL, count INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS models(
  package INTEGER NOT NULL REFERENCES packages(id) ON DELETE CASCADE, path TEXT NOT NULL, format TEXT NOT NULL,
  found_by TEXT NOT NULL, sha256 TEXT NOT NULL, size INTEGER NOT NULL, version INTEGER NOT NULL, graphs INTEGER NOT NULL,
  operators INTEGER NOT NULL, tensors INTEGER NOT NULL, parameters INTEGER NOT NULL, remark TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS failures(
  package INTEGER NOT NULL REFERENCES packages(id) ON DELETE CASCADE, path TEXT NOT NULL, stage TEXT NOT NULL,
  kind TEXT NOT NULL, reason TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS entries_package ON entries(package);
CREATE INDEX IF NOT EXISTS findings_package ON findings(package);
CREATE INDEX IF NOT EXISTS models_package ON models(package);
CREATE INDEX IF NOT EXISTS models_sha256 ON models(sha256);
CREATE INDEX IF NOT EXISTS failures_package ON failures(package);
)";

std::int64_t pragma(const Database& database, const std::string& name) {
  Statement s(database, "PRAGMA " + name);
  return s.step() ? s.integer(0) : 0;
}

void bind_or_null(Statement& s, int i, const std::string& text) {
  if (text.empty()) {
    s.bind_null(i);
  } else {
    s.bind(i, text);
  }
}

OrderedJson rows(const Database& database, const std::string& sql, std::initializer_list<const char*> names) {
  OrderedJson out = OrderedJson::array();
  Statement s(database, sql);
  while (s.step()) {
    OrderedJson row;
    int column = 0;
    for (const char* name : names) {
      if (s.is_integer(column)) {
        row[name] = s.integer(column);
      } else {
        row[name] = s.text(column);
      }
      ++column;
    }
    out.push_back(std::move(row));
  }
  return out;
}

}  // namespace

Store::Store(const std::filesystem::path& path) : database_(path) {
  const std::int64_t application = pragma(database_, "application_id"), schema = pragma(database_, "user_version");
  const std::int64_t tables = [&] {
    Statement s(database_, "SELECT count(*) FROM sqlite_master");
    s.step();
    return s.integer(0);
  }();
  if (tables != 0 && application != kApplication) {
    fail(ErrorKind::bad_file, "{} is a database of something else; name another file", path.string());
  }
  if (schema > kSchema) {
    fail(ErrorKind::bad_file, "{} was made by a later version (schema {}, this one knows {})", path.string(), schema,
         kSchema);
  }
  // A write-ahead log keeps committed packages through a killed process without waiting for the disk each time.
  database_.execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;");
  if (tables == 0 || schema < kSchema) {
    Transaction transaction(database_);
    database_.execute(kTables);
    database_.execute(fmt::format("PRAGMA application_id={}; PRAGMA user_version={};", kApplication, kSchema));
    transaction.commit();
  }
}

bool Store::has(const std::string& path, const std::string& sha256) {
  Statement s(database_, "SELECT 1 FROM packages WHERE path=? AND sha256=? AND rules=?");
  return s.bind(1, path).bind(2, sha256).bind(3, std::int64_t{kRulesVersion}).step();
}

void Store::put(const PackageRecord& r) {
  Transaction transaction(database_);
  Statement(database_, "DELETE FROM packages WHERE path=?").bind(1, r.path).run();
  Statement s(database_,
              "INSERT INTO packages(path, sha256, rules, name, kind, size, app, version_code, version_name, min_sdk, "
              "target_sdk, split, permissions, machines, unpacked, seconds) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
  s.bind(1, r.path).bind(2, r.sha256).bind(3, std::int64_t{kRulesVersion}).bind(4, r.name).bind(5, r.kind);
  s.bind_count(6, r.size);
  bind_or_null(s, 7, r.manifest.package);
  bind_or_null(s, 8, r.manifest.version_code);
  bind_or_null(s, 9, r.manifest.version_name);
  bind_or_null(s, 10, r.manifest.min_sdk);
  bind_or_null(s, 11, r.manifest.target_sdk);
  bind_or_null(s, 12, r.manifest.split);
  s.bind(13, Json(r.manifest.permissions).dump()).bind(14, Json(r.machines).dump());
  s.bind_count(15, r.unpacked).bind(16, r.seconds).run();
  put_rows(database_.last_row(), r);
  transaction.commit();
}

void Store::put_rows(std::int64_t package, const PackageRecord& r) {
  Statement entry(database_, "INSERT INTO entries VALUES(?,?,?,?,?)");
  for (const EntryRecord& e : r.entries) {
    entry.bind(1, package).bind(2, e.path).bind(3, e.kind).bind_count(4, e.size).bind_count(5, e.packed).run();
  }
  Statement finding(database_, "INSERT INTO findings VALUES(?,?,?,?,?,?,?,?)");
  for (const Finding& f : r.findings) {
    finding.bind(1, package).bind(2, to_string(f.subject)).bind(3, f.name);
    finding.bind(4, std::int64_t{static_cast<int>(f.level)}).bind(5, to_string(f.place)).bind(6, f.path);
    finding.bind(7, f.matched).bind_count(8, f.count).run();
  }
  Statement model(database_, "INSERT INTO models VALUES(?,?,?,?,?,?,?,?,?,?,?,?)");
  for (const ModelRecord& m : r.models) {
    model.bind(1, package).bind(2, m.path).bind(3, m.format).bind(4, m.found_by).bind(5, m.sha256);
    model.bind_count(6, m.result.bytes).bind(7, m.result.version).bind_count(8, m.result.graphs);
    model.bind_count(9, m.result.operators).bind_count(10, m.result.tensors).bind_count(11, m.result.parameters);
    model.bind(12, m.result.reason).run();
  }
  Statement failure(database_, "INSERT INTO failures VALUES(?,?,?,?,?)");
  for (const FailureRecord& f : r.failures) {
    failure.bind(1, package).bind(2, f.path).bind(3, f.stage).bind(4, to_string(f.kind)).bind(5, f.reason).run();
  }
}

OrderedJson Store::summary() {
  OrderedJson out;
  out["packages"] = rows(database_,
                         "SELECT kind, count(*), sum(size), sum(unpacked), sum(id IN (SELECT package FROM models)), "
                         "sum(id IN (SELECT package FROM failures)) FROM packages GROUP BY kind ORDER BY 2 DESC, 1",
                         {"kind", "count", "bytes", "unpacked", "with_models", "with_failures"});
  out["models"] = rows(database_,
                       "SELECT format, count(*), count(DISTINCT sha256), count(DISTINCT package), sum(size), "
                       "sum(found_by='carving') FROM models GROUP BY format ORDER BY 2 DESC, 1",
                       {"format", "count", "unique", "packages", "bytes", "carved"});
  out["findings"] = rows(database_,
                         "SELECT subject, name, max(level), count(DISTINCT package) FROM findings WHERE subject!='app' "
                         "GROUP BY subject, name ORDER BY 1, 4 DESC, 2",
                         {"subject", "name", "level", "packages"});
  out["failures"] = rows(database_,
                         "SELECT stage, kind, count(*), count(DISTINCT package) FROM failures GROUP BY stage, kind "
                         "ORDER BY 3 DESC, 1, 2",
                         {"stage", "kind", "count", "packages"});
  return out;
}

}  // namespace thimble::gauge
