#include "gauge/scan/scan.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <fstream>
#include <mutex>

#include "base/file.h"
#include "base/threads.h"
#include "gauge/detect/names.h"
#include "gauge/scan/candidates.h"

namespace thimble::gauge {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPackageSuffixes = ".apk .apks .xapk .apkm .aab .aar .ipa .obb .zip .jar .tar .tgz .gz";

bool worth_scanning(const fs::path& path) {
  if (has_suffix(path.string(), kPackageSuffixes)) return true;  // also when it is broken: then the record says so
  std::string head(kHeadBytes, '\0');
  std::ifstream in(path, std::ios::binary);
  in.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<std::size_t>(in.gcount()));
  Item item;
  item.path = path.string();
  item.head = bytes_of(head);
  switch (identify(item.head).file_class) {
    case FileClass::container:
    case FileClass::code:
    case FileClass::unknown: return !head.empty();
    default: return Candidates::likely(item);
  }
}

std::string absolute_path(const fs::path& path) { return fs::absolute(path).lexically_normal().string(); }

std::uint64_t size_of(const std::string& path) {
  std::error_code error;
  const std::uintmax_t size = fs::file_size(path, error);
  return error ? 0 : size;
}

// What the threads share.
class Work {
 public:
  Work(const std::vector<std::string>& packages, Store& store, const ProgressFn& progress, CancelToken& cancel)
      : store_(store), progress_(progress), cancel_(cancel) {
    for (const std::string& path : packages) jobs_.push_back({path, size_of(path)});
    // The largest first, so that no thread begins one when the others are done.
    std::stable_sort(jobs_.begin(), jobs_.end(), [](const Job& a, const Job& b) { return a.size > b.size; });
    for (const Job& job : jobs_) total_ += job.size;
  }

  std::int64_t size() const { return static_cast<std::int64_t>(jobs_.size()); }
  void run(std::int64_t i, const Limits& limits) noexcept {
    const Job& job = jobs_[static_cast<std::size_t>(i)];
    try {
      if (stopped()) return;
      one(job, limits);
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!first_failure_) first_failure_ = std::current_exception();
    }
  }
  ScanResult finish() const {
    if (first_failure_) std::rethrow_exception(first_failure_);
    cancel_.throw_if_cancelled();
    return result_;
  }

 private:
  struct Job {
    std::string path;
    std::uint64_t size;
  };

  bool stopped() {
    const std::lock_guard lock(mutex_);
    return cancel_.cancelled() || first_failure_ != nullptr;
  }

  void one(const Job& job, const Limits& limits) {
    const std::string hash = hash_of(job.path);
    bool known = false;
    if (!hash.empty()) {
      const std::lock_guard lock(mutex_);
      known = store_.has(job.path, hash);
    }
    PackageRecord record;
    if (!known) record = scan_file(job.path, hash, limits, cancel_);
    const std::lock_guard lock(mutex_);
    if (known) {
      ++result_.skipped;
    } else {
      store_.put(record);
      ++result_.packages;
      result_.bytes += record.size;
    }
    done_ += job.size;
    if (progress_) {
      progress_(static_cast<std::int64_t>(done_ / 1000), static_cast<std::int64_t>(total_ / 1000),
                fmt::format("kB, {} of {} packages", result_.packages + result_.skipped, jobs_.size()));
    }
  }

  // Empty when the file cannot be read; the scan then records why.
  static std::string hash_of(const std::string& path) {
    try {
      return sha256(MappedFile::open(path)->bytes());
    } catch (const Error&) {
      return {};
    }
  }

  std::vector<Job> jobs_;
  Store& store_;
  const ProgressFn& progress_;
  CancelToken& cancel_;
  std::mutex mutex_;
  std::exception_ptr first_failure_;
  ScanResult result_;
  std::uint64_t done_ = 0, total_ = 0;
};

}  // namespace

std::vector<std::string> find_packages(const std::vector<fs::path>& paths) {
  std::vector<std::string> out;
  for (const fs::path& path : paths) {
    std::error_code error;
    const fs::file_status status = fs::status(path, error);
    if (!fs::exists(status)) fail(ErrorKind::bad_input, "{}: there is no such file or folder", path.string());
    if (!fs::is_directory(status)) {
      out.push_back(absolute_path(path));
      continue;
    }
    const auto options = fs::directory_options::skip_permission_denied;
    for (auto it = fs::recursive_directory_iterator(path, options, error); it != fs::recursive_directory_iterator();
         it.increment(error)) {
      if (error) break;
      if (it->is_regular_file(error) && !it->is_symlink(error) && worth_scanning(it->path())) {
        out.push_back(absolute_path(it->path()));
      }
    }
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

ScanResult scan(const std::vector<std::string>& packages, const ScanOptions& options, Store& store,
                const ProgressFn& progress, CancelToken& cancel) {
  const auto start = std::chrono::steady_clock::now();
  Work work(packages, store, progress, cancel);
  ThreadPool pool(options.jobs > 0 ? options.jobs : usable_processors());
  pool.parallel_for(work.size(), 1, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t i = begin; i < end; ++i) work.run(i, options.limits);
  });
  ScanResult result = work.finish();
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

}  // namespace thimble::gauge
