// thimble gauge bench: bad arguments and files are refused in one line, and nothing is left behind.
#include <gtest/gtest.h>

#include "base/file.h"
#include "tests/cli/run_program.h"

namespace thimble::testing {
namespace {

using Strings = std::vector<std::string>;

void expect_refused(const Workplace& here, const Strings& more, std::string_view part) {
  Strings arguments{"gauge", "bench"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const Strings before = here.files();
  const Ran ran = run_program(arguments);
  EXPECT_EQ(ran.status, 2) << ran.err;
  EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
  EXPECT_NE(ran.err.find(part), std::string::npos) << ran.err << "wanted: " << part;
  EXPECT_EQ(here.files(), before);
}

TEST(GaugeBench, RefusesInOneLine) {
  const Workplace here;
  write_file("no.tflite", "this is no model");
  expect_refused(here, {"absent.tflite"}, "absent.tflite");
  expect_refused(here, {"no.tflite"}, "no.tflite");
  expect_refused(here, {"no.tflite", "--threads", "0"}, "--threads");
  expect_refused(here, {"no.tflite", "--threads", "many"}, "--threads");
  expect_refused(here, {"no.tflite", "--runs", "0"}, "--runs");
  expect_refused(here, {"no.tflite", "--shape", "x"}, "NAME:1x3x640x640");
  expect_refused(here, {"no.tflite", "--shape", "x:1xz"}, "NAME:1x3x640x640");
  expect_refused(here, {"no.tflite", "--value", "x=y"}, "NAME=NUMBER");
  expect_refused(here, {"no.tflite", "--library", "tflite"}, "BACKEND=PATH");
  expect_refused(here, {"no.tflite", "--monsoon", "absent.csv"}, "absent.csv");
}

TEST(GaugeBench, HelpHasAnExample) {
  const Ran ran = run_program({"gauge", "bench", "--help"});
  EXPECT_EQ(ran.status, 0);
  EXPECT_NE(ran.out.find("thimble gauge bench pose_landmark_lite.tflite"), std::string::npos);
}

}  // namespace
}  // namespace thimble::testing
