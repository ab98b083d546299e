// Speech for the studies: phrases of one to three seconds at 16 kHz, by talkers of whom each belongs to one split for
// good, so that what was tuned on a voice is never judged by it. Built from Debian packages of real recordings with
// content up to 7 kHz, and from a folder of spoken digits (8 kHz) as the band-limited split. Nothing of it is
// committed.
//
// A corpus is a folder: manifest.json and TALKER/NN.wav.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/cancel.h"
#include "base/progress.h"

namespace thimble::voice {

enum class Split { tune, test, narrow };  // narrow: band-limited, a row of its own
std::string_view to_string(Split split);
Split split_by_name(std::string_view name);

constexpr int kCorpusRate = 16000;

struct CorpusTalker {
  std::string id, language;
  std::string sex;      // "f", "m", or "?" where the source does not say
  std::string licence;  // as the package's copyright file has it
  std::string source;   // packages with versions
  Split split = Split::tune;
  double upper_band_db = 0;          // mean power of 5.5 to 7 kHz over that of 1 to 4 kHz: how much of the cue is there
  std::vector<std::string> phrases;  // files, relative to the corpus' folder
};

struct Corpus {
  std::filesystem::path folder;
  std::vector<CorpusTalker> talkers;

  std::vector<const CorpusTalker*> of(Split split) const;
  std::vector<double> phrase(const CorpusTalker& talker, std::size_t index) const;  // samples at kCorpusRate
};

struct CorpusOptions {
  std::filesystem::path digits;  // a folder DIGIT_NAME_TAKE.wav; empty: no band-limited split
  int phrases = 20;              // at most, a talker
};

// Fetches, unpacks, decodes and cuts; what is there already is not fetched again. The same files every time.
Corpus build_corpus(const std::filesystem::path& folder, const CorpusOptions& options, const ProgressFn& progress,
                    const CancelToken& cancel);
// bad_file when manifest.json is none or names files outside the folder.
Corpus open_corpus(const std::filesystem::path& folder);

// The cutting, on its own: recordings to phrases. Silence at both ends goes; short recordings are joined with pauses of
// 80 ms until they last 1.6 s, long ones are cut at 3 s; a phrase under 1 s is dropped. RMS 0.05.
std::vector<std::vector<double>> cut_phrases(const std::vector<std::vector<double>>& recordings, int rate);
// 10 log10 of the mean power of 5.5 to 7 kHz over that of 1 to 4 kHz.
double upper_band_db(const std::vector<std::vector<double>>& phrases, int rate);

}  // namespace thimble::voice
