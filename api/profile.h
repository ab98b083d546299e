// Where the time of a program went: a row per step with its rate and how near it came to what the machine could do at
// most, and a picture of them, time from left to right, parts of the network above their steps.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "runtime/device.h"
#include "runtime/rates.h"

namespace thimble::api {

struct ProfileRow {
  int step = 0;
  std::string op, output, kernel, refused;
  std::string scope;   // of the step's parameters: "blocks.0.attn"; of the step before for one that has none
  double seconds = 0;  // of one run, the mean
  double flops = 0, bytes = 0, exponentials = 0;
  // The time that the machine would need at its best, max(flops / rate of the kernel's inner loop, exponentials / their
  // rate, bytes / rate of reading memory), as a share of the time taken. What caches hold is read faster than memory:
  // it may be above 1.
  double share_of_peak = 0;
  bool by_memory = false;  // the last of the three is the largest
};

// Of a whole program: the sum of the steps' best times, in seconds.
double roofline(std::span<const ProfileRow> rows);

// The program has run with set_profile(true).
std::vector<ProfileRow> profile(const runtime::DeviceProgram& program, const graph::Graph& graph,
                                runtime::Rates& rates);

// SVG 1.1, each box with a title that tells its figures.
std::string profile_svg(const std::string& title, std::span<const ProfileRow> rows);

}  // namespace thimble::api
