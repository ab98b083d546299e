#include "voice/study/records.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/file.h"

namespace thimble::voice {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kMaxRecordBytes = std::size_t{1} << 30;

std::optional<int> number_in_environment(const char* name) {
  const char* text = std::getenv(name);
  if (text == nullptr) return std::nullopt;
  int value = 0;
  const char* end = text + std::strlen(text);
  const auto [stop, error] = std::from_chars(text, end, value);
  if (error != std::errc{} || stop != end) {
    fail(ErrorKind::bad_input, "the environment's {} is '{}', no number", name, text);
  }
  return value;
}

std::vector<fs::path> record_files(const fs::path& folder) {
  std::vector<fs::path> files;
  if (!fs::is_directory(folder)) return files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("records-") && name.ends_with(".jsonl")) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

// Whole lines of a file; what follows the last line break was torn off in mid-write.
std::vector<std::string> whole_lines(const fs::path& path) {
  const std::string text = read_file(path, kMaxRecordBytes);
  std::vector<std::string> lines;
  for (std::size_t begin = 0, end = 0; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    lines.push_back(text.substr(begin, end - begin));
  }
  return lines;
}

void check_header(const Json& found, const OrderedJson& wanted, const fs::path& path) {
  if (found == Json::parse(wanted.dump())) return;
  fail(ErrorKind::bad_input,
       "{} records other work: it was begun with {}, this is {}; give another folder, or the same options",
       path.string(), found.dump(), wanted.dump());
}

// One rank's file, locked while open.
class RecordFile {
 public:
  RecordFile(const fs::path& path, const OrderedJson& header) : path_(path) {
    fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd_ < 0) fail(ErrorKind::io, "{} cannot be opened: {}", path.string(), std::strerror(errno));
    try {
      if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
        fail(ErrorKind::io, "another process is writing {}; wait for it, or give another folder", path.string());
      }
      const std::string text = read_file(path, kMaxRecordBytes);
      const std::size_t whole = text.rfind('\n') == std::string::npos ? 0 : text.rfind('\n') + 1;
      if (whole < text.size() && ::ftruncate(fd_, static_cast<off_t>(whole)) != 0) {
        fail(ErrorKind::io, "{} cannot be cut to its last whole line: {}", path.string(), std::strerror(errno));
      }
      if (whole == 0) append(header);
    } catch (...) {
      ::close(fd_);
      throw;
    }
  }
  ~RecordFile() { ::close(fd_); }
  RecordFile(const RecordFile&) = delete;
  RecordFile& operator=(const RecordFile&) = delete;

  // One write a line: a line is there whole or, after a crash of the machine, torn.
  void append(const OrderedJson& json) {
    const std::string line = json.dump() + "\n";
    std::size_t done = 0;
    while (done < line.size()) {
      const ssize_t n = ::write(fd_, line.data() + done, line.size() - done);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) fail(ErrorKind::io, "{} cannot be written: {}", path_.string(), std::strerror(errno));
      done += static_cast<std::size_t>(n);
    }
  }

 private:
  fs::path path_;
  int fd_ = -1;
};

}  // namespace

Rank rank_from_environment() {
  constexpr const char* kNames[][2] = {{"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"}, {"PMI_RANK", "PMI_SIZE"}};
  for (const auto& [index_name, count_name] : kNames) {
    const auto index = number_in_environment(index_name), count = number_in_environment(count_name);
    if (!index && !count) continue;
    if (!index || !count || *count < 1 || *index < 0 || *index >= *count) {
      fail(ErrorKind::bad_input, "the environment has {} {} and {} {}: no rank of a run", index_name,
           index ? std::to_string(*index) : "missing", count_name, count ? std::to_string(*count) : "missing");
    }
    return {*index, *count};
  }
  return {};
}

Json read_record_header(const fs::path& folder) {
  for (const fs::path& path : record_files(folder)) {
    const auto lines = whole_lines(path);
    if (!lines.empty()) return parse_json(lines.front(), path.string());
  }
  fail(ErrorKind::bad_input, "{} holds no records", folder.string());
}

Records read_records(const fs::path& folder, const OrderedJson& header) {
  Records records;
  for (const fs::path& path : record_files(folder)) {
    const auto lines = whole_lines(path);
    if (lines.empty()) continue;
    check_header(parse_json(lines.front(), path.string()), header, path);
    for (std::size_t i = 1; i < lines.size(); ++i) {
      Json record = parse_json(lines[i], fmt::format("{} line {}", path.string(), i + 1));
      const std::int64_t piece = get_int(record, "piece", path.string());
      if (piece < 0) fail(ErrorKind::bad_file, "{} line {}: piece {}", path.string(), i + 1, piece);
      records.emplace(static_cast<std::size_t>(piece), std::move(record));
    }
  }
  return records;
}

void make_records(const fs::path& folder, const OrderedJson& header, std::size_t count,
                  const std::function<OrderedJson(std::size_t)>& make, const RecordOptions& options,
                  const ProgressFn& progress, const CancelToken& cancel) {
  if (options.threads < 1) fail(ErrorKind::bad_input, "1 thread or more was wanted, not {}", options.threads);
  fs::create_directories(folder);
  const Records known = read_records(folder, header);
  RecordFile file(folder / fmt::format("records-{:04}.jsonl", options.rank.index), header);

  std::vector<std::size_t> open;
  for (auto i = static_cast<std::size_t>(options.rank.index); i < count;
       i += static_cast<std::size_t>(options.rank.count)) {
    if (!known.contains(i)) open.push_back(i);
  }
  std::atomic<std::size_t> next = 0;
  std::mutex mutex;
  std::exception_ptr error;
  std::int64_t done = 0;
  const auto work = [&] {
    for (std::size_t i = 0; (i = next.fetch_add(1)) < open.size();) {
      if (cancel.cancelled()) return;
      try {
        OrderedJson record;
        record["piece"] = open[i];
        record.update(make(open[i]));
        const std::lock_guard lock(mutex);
        if (error) return;
        file.append(record);
        if (progress) progress(++done, std::ssize(open), "");
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!error) error = std::current_exception();
        next = open.size();
        return;
      }
    }
  };
  std::vector<std::thread> threads;
  for (int t = 1; t < options.threads; ++t) threads.emplace_back(work);
  work();
  for (std::thread& t : threads) t.join();
  if (error) std::rethrow_exception(error);
  cancel.throw_if_cancelled();
}

}  // namespace thimble::voice
