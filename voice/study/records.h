// The record of long work made of numbered pieces: one line of JSON a finished piece, appended at once to a file in a
// folder, so that a run that was killed at any moment goes on where it was. Several processes (ranks) share the folder,
// each with a file of its own; whoever reads the folder takes all files together and need not know how many ranks there
// were. Not here: what the pieces are.
//
// Ranks come from the environment that an MPI launcher sets up (Open MPI's, PMI's as of MPICH and Slurm's srun); no MPI
// library is needed, since ranks never speak to each other.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "base/cancel.h"
#include "base/json.h"
#include "base/progress.h"

namespace thimble::voice {

struct Rank {
  int index = 0, count = 1;
};
// bad_input when the environment has one of the two numbers, or numbers that are none.
Rank rank_from_environment();

struct RecordOptions {
  int threads = 1;
  Rank rank;
};

// Piece by number.
using Records = std::map<std::size_t, Json>;

// All whole lines of the folder's record files. `header` says what the work is (any JSON): the files' first lines must
// hold the same, else bad_input, so that two different works never mix. A torn last line counts as not there.
Records read_records(const std::filesystem::path& folder, const OrderedJson& header);
// The header of the folder's records; bad_input when there are none.
Json read_record_header(const std::filesystem::path& folder);

// Makes those of the pieces 0..count-1 that belong to this rank (piece % rank.count) and are not recorded yet. `make`
// is called from several threads at the same time. Stops cleanly on cancel; the first error of a piece ends the run
// (what was finished stays recorded). io when another process writes this rank's file.
void make_records(const std::filesystem::path& folder, const OrderedJson& header, std::size_t count,
                  const std::function<OrderedJson(std::size_t)>& make, const RecordOptions& options,
                  const ProgressFn& progress, const CancelToken& cancel);

}  // namespace thimble::voice
