// thimble voice corpus: speech for the studies, from Debian packages.
#include <CLI/CLI.hpp>
#include <memory>

#include "base/cancel.h"
#include "base/json.h"
#include "base/progress.h"
#include "cli/workbench/voice.h"
#include "voice/study/corpus.h"

namespace thimble::cli {
namespace {

struct CorpusCommand {
  std::filesystem::path out;
  voice::CorpusOptions options;
  bool json = false;
};

void run_corpus(const CorpusCommand& command) {
  voice::Corpus corpus;
  {
    ProgressBar bar("corpus");
    corpus = voice::build_corpus(command.out, command.options, bar.fn(), interrupt_token());
  }
  if (command.json) {
    OrderedJson out = OrderedJson::array();
    for (const voice::CorpusTalker& t : corpus.talkers) {
      out.push_back({{"id", t.id},
                     {"split", voice::to_string(t.split)},
                     {"sex", t.sex},
                     {"licence", t.licence},
                     {"phrases", t.phrases.size()},
                     {"upper_band_db", t.upper_band_db},
                     {"source", t.source}});
    }
    fmt::print("{}\n", out.dump());
    return;
  }
  fmt::print("{:<18}{:<8}{:<5}{:>8}{:>16}  {:<14}{}\n", "talker", "split", "sex", "phrases", "5.5-7 kHz, dB", "licence",
             "source");
  for (const voice::CorpusTalker& t : corpus.talkers) {
    fmt::print("{:<18}{:<8}{:<5}{:>8}{:>16.1f}  {:<14}{}\n", t.id, voice::to_string(t.split), t.sex, t.phrases.size(),
               t.upper_band_db, t.licence, t.source);
  }
  fmt::print("the corpus is in {}\n", command.out.string());
}

}  // namespace

void add_voice_corpus(CLI::App& voice) {
  CLI::App* corpus = voice.add_subcommand("corpus", "fetch recorded speech from Debian packages and cut it to phrases");
  auto command = std::make_shared<CorpusCommand>();
  corpus->add_option("--out", command->out, "the corpus' folder; archives found in its packages/ are not fetched again")
      ->required();
  corpus->add_option("--digits", command->options.digits,
                     "recordings of the free spoken digit data set, for the band-limited split");
  corpus->add_option("--phrases", command->options.phrases, "most phrases of a talker")
      ->check(CLI::Range(1, 99))
      ->capture_default_str();
  corpus->add_flag("--json", command->json, "print the talkers as JSON");
  corpus->footer("Example:  thimble voice corpus --out speech --digits free-spoken-digit-dataset/recordings");
  corpus->callback([command] { run_corpus(*command); });
}

}  // namespace thimble::cli
