// A thin owner of SQLite's C handles. Errors are `io` and name the database; nothing here knows the schema.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace thimble::gauge {

class Database;

// A prepared statement. Bind from 1 on, then step; reset() before it is used again.
class Statement {
 public:
  Statement(const Database& database, std::string_view sql);
  ~Statement();
  Statement(Statement&& other) noexcept;
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  Statement& bind(int i, std::int64_t value);
  Statement& bind(int i, double value);
  Statement& bind(int i, std::string_view text);
  Statement& bind_null(int i);
  // Numbers that SQLite cannot hold (above 2^63 - 1) are stored as that.
  Statement& bind_count(int i, std::uint64_t value);

  bool step();  // true: a row is there
  void reset();
  void run();  // step to the end, then reset

  std::int64_t integer(int column) const;  // from 0 on
  double real(int column) const;
  std::string text(int column) const;
  bool is_null(int column) const;
  bool is_integer(int column) const;

 private:
  void ok(int status) const;
  const Database* database_;
  sqlite3_stmt* handle_ = nullptr;
};

class Database {
 public:
  explicit Database(const std::filesystem::path& path);  // made when it does not exist
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  void execute(const std::string& sql);  // without results
  std::int64_t last_row() const;
  [[noreturn]] void fail_with(std::string_view what) const;

 private:
  friend class Statement;
  sqlite3* handle_ = nullptr;
  std::string path_;
};

// Rolls back unless commit() was called.
class Transaction {
 public:
  explicit Transaction(Database& database);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit();

 private:
  Database& database_;
  bool open_ = true;
};

}  // namespace thimble::gauge
