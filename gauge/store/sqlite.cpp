#include "gauge/store/sqlite.h"

#include <sqlite3.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "base/error.h"

namespace thimble::gauge {

Statement::Statement(const Database& database, std::string_view sql) : database_(&database) {
  ok(sqlite3_prepare_v2(database.handle_, sql.data(), static_cast<int>(sql.size()), &handle_, nullptr));
}
Statement::~Statement() { sqlite3_finalize(handle_); }
Statement::Statement(Statement&& other) noexcept
    : database_(other.database_), handle_(std::exchange(other.handle_, nullptr)) {}

void Statement::ok(int status) const {
  if (status != SQLITE_OK) database_->fail_with("a statement was refused");
}

Statement& Statement::bind(int i, std::int64_t value) {
  ok(sqlite3_bind_int64(handle_, i, value));
  return *this;
}
Statement& Statement::bind(int i, double value) {
  ok(sqlite3_bind_double(handle_, i, value));
  return *this;
}
Statement& Statement::bind(int i, std::string_view text) {
  ok(sqlite3_bind_text64(handle_, i, text.data() == nullptr ? "" : text.data(), text.size(), SQLITE_TRANSIENT,
                         SQLITE_UTF8));
  return *this;
}
Statement& Statement::bind_null(int i) {
  ok(sqlite3_bind_null(handle_, i));
  return *this;
}
Statement& Statement::bind_count(int i, std::uint64_t value) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();
  return bind(i, static_cast<std::int64_t>(std::min(value, kMost)));
}

bool Statement::step() {
  const int status = sqlite3_step(handle_);
  if (status != SQLITE_ROW && status != SQLITE_DONE) database_->fail_with("a statement failed");
  return status == SQLITE_ROW;
}
void Statement::reset() { sqlite3_reset(handle_); }
void Statement::run() {
  while (step()) {
  }
  reset();
}

std::int64_t Statement::integer(int column) const { return sqlite3_column_int64(handle_, column); }
double Statement::real(int column) const { return sqlite3_column_double(handle_, column); }
std::string Statement::text(int column) const {
  const auto* text = sqlite3_column_text(handle_, column);
  if (text == nullptr) return {};
  return {reinterpret_cast<const char*>(text), static_cast<std::size_t>(sqlite3_column_bytes(handle_, column))};
}
bool Statement::is_null(int column) const { return sqlite3_column_type(handle_, column) == SQLITE_NULL; }
bool Statement::is_integer(int column) const { return sqlite3_column_type(handle_, column) == SQLITE_INTEGER; }

Database::Database(const std::filesystem::path& path) : path_(path.string()) {
  constexpr int kWaitMs = 10'000;  // for another scan that writes to the same file
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  if (sqlite3_open_v2(path_.c_str(), &handle_, flags, nullptr) != SQLITE_OK) {
    const std::string why = handle_ == nullptr ? "out of memory" : sqlite3_errmsg(handle_);
    sqlite3_close(handle_);
    fail(ErrorKind::io, "{} cannot be opened as a database: {}", path_, why);
  }
  sqlite3_busy_timeout(handle_, kWaitMs);
}
Database::~Database() { sqlite3_close(handle_); }

void Database::execute(const std::string& sql) {
  if (sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) fail_with("a statement failed");
}
std::int64_t Database::last_row() const { return sqlite3_last_insert_rowid(handle_); }
void Database::fail_with(std::string_view what) const {
  fail(ErrorKind::io, "{}: {}: {}", path_, what, sqlite3_errmsg(handle_));
}

Transaction::Transaction(Database& database) : database_(database) { database.execute("BEGIN IMMEDIATE"); }
Transaction::~Transaction() {
  if (!open_) return;
  try {
    database_.execute("ROLLBACK");
  } catch (const Error&) {  // SQLite has rolled back by itself
  }
}
void Transaction::commit() {
  database_.execute("COMMIT");
  open_ = false;
}

}  // namespace thimble::gauge
