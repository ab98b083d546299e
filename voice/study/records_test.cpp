#include "voice/study/records.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "base/error.h"
#include "base/file.h"

namespace thimble::voice {
namespace {

namespace fs = std::filesystem;

struct Folder {
  fs::path path;
  Folder() : path(fs::temp_directory_path() / ("thimble_records_" + std::to_string(::getpid()))) {
    fs::remove_all(path);
  }
  ~Folder() { fs::remove_all(path); }
};

OrderedJson header(int version = 1) {
  OrderedJson j;
  j["work"] = "squares", j["version"] = version;
  return j;
}

OrderedJson square(std::size_t i) {
  OrderedJson j;
  j["value"] = i * i;
  return j;
}

void make(const fs::path& folder, std::size_t count, RecordOptions options = {},
          const std::function<OrderedJson(std::size_t)>& piece = square) {
  make_records(folder, header(), count, piece, options, {}, CancelToken());
}

void expect_squares(const fs::path& folder, std::size_t count) {
  const Records records = read_records(folder, header());
  ASSERT_EQ(records.size(), count);
  for (const auto& [i, record] : records) EXPECT_EQ(record["value"], i * i);
}

TEST(Records, AreMadeOnce) {
  const Folder folder;
  std::atomic<int> calls = 0;
  const auto counted = [&](std::size_t i) { return ++calls, square(i); };
  make(folder.path, 20, {.threads = 3, .rank = {}}, counted);
  EXPECT_EQ(calls, 20);
  make(folder.path, 25, {}, counted);
  EXPECT_EQ(calls, 25);
  expect_squares(folder.path, 25);
}

TEST(Records, GoOnAfterAKill) {
  const Folder folder;
  fs::create_directories(folder.path);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    make(folder.path, 1000, {}, [](std::size_t i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      return square(i);
    });
    ::_exit(0);
  }
  const fs::path file = folder.path / "records-0000.jsonl";
  for (int i = 0; i < 2000; ++i) {
    std::error_code missing;
    if (fs::file_size(file, missing) > 400 && !missing) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  const std::size_t before = read_records(folder.path, header()).size();
  ASSERT_GT(before, 0u);
  ASSERT_LT(before, 1000u);

  // A line that a crash tore is cut off and made again.
  std::ofstream(file, std::ios::app) << R"({"piece": 999, "val)";
  EXPECT_EQ(read_records(folder.path, header()).size(), before);
  std::atomic<std::size_t> calls = 0;
  make(folder.path, 1000, {}, [&](std::size_t i) { return ++calls, square(i); });
  EXPECT_EQ(calls, 1000 - before);
  expect_squares(folder.path, 1000);
}

TEST(Records, RanksShareAFolder) {
  const Folder folder;
  for (int r = 0; r < 3; ++r) make(folder.path, 10, {.threads = 1, .rank = {r, 3}});
  expect_squares(folder.path, 10);
  // Another count of ranks finds all done.
  std::atomic<int> calls = 0;
  make(folder.path, 12, {.threads = 1, .rank = {1, 2}}, [&](std::size_t i) { return ++calls, square(i); });
  EXPECT_EQ(calls, 1);  // piece 11; piece 10 is rank 0's
  EXPECT_EQ(read_records(folder.path, header()).size(), 11u);
}

TEST(Records, RefuseOtherWork) {
  const Folder folder;
  make(folder.path, 3);
  EXPECT_THROW(read_records(folder.path, header(2)), Error);
  EXPECT_THROW(make_records(folder.path, header(2), 3, square, {}, {}, CancelToken()), Error);
  EXPECT_EQ(read_record_header(folder.path)["version"], 1);
  EXPECT_THROW(read_record_header(folder.path / "none"), Error);
}

TEST(Records, KeepWhatWasDoneBeforeAnError) {
  const Folder folder;
  const auto failing = [](std::size_t i) {
    if (i == 5) fail(ErrorKind::bad_input, "piece five");
    return square(i);
  };
  EXPECT_THROW(make(folder.path, 10, {}, failing), Error);
  expect_squares(folder.path, 5);
  CancelToken cancelled;
  cancelled.cancel();
  EXPECT_THROW(make_records(folder.path, header(), 10, square, {}, {}, cancelled), Error);
  expect_squares(folder.path, 5);
}

TEST(Records, RanksFromTheEnvironment) {
  ::unsetenv("OMPI_COMM_WORLD_RANK");
  ::unsetenv("OMPI_COMM_WORLD_SIZE");
  ::unsetenv("PMI_RANK");
  ::unsetenv("PMI_SIZE");
  EXPECT_EQ(rank_from_environment().count, 1);
  ::setenv("PMI_RANK", "2", 1);
  EXPECT_THROW(rank_from_environment(), Error);
  ::setenv("PMI_SIZE", "4", 1);
  EXPECT_EQ(rank_from_environment().index, 2);
  EXPECT_EQ(rank_from_environment().count, 4);
  ::setenv("PMI_RANK", "4", 1);
  EXPECT_THROW(rank_from_environment(), Error);
  ::setenv("PMI_RANK", "two", 1);
  EXPECT_THROW(rank_from_environment(), Error);
  ::unsetenv("PMI_RANK");
  ::unsetenv("PMI_SIZE");
}

}  // namespace
}  // namespace thimble::voice
