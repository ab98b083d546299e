// The models of any number of files, packages and folders, analysed.
#pragma once

#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/progress.h"
#include "gauge/analysis/analysis.h"

namespace thimble::gauge {

struct Collection {
  struct Failure {
    std::string path, reason;
  };
  struct Other {
    std::string path, format;
  };
  std::vector<Analysis> models;
  std::vector<Failure> failures;  // models that could not be read, packages that could not be opened
  std::vector<Other> others;      // models of formats that are not read whole
};

// Models, packages with models in them, folders of either, and databases of scans: the files to look at, each once.
// bad_input for a path that is not there.
std::vector<std::string> files_to_analyze(const std::vector<std::string>& paths);

// Adds the models of one file: of a model file itself, of a package all that it holds, at any depth. Paths inside are
// "package!/path". `each_once`: a model whose files were met before is passed over.
void collect_models(Collection& to, const std::string& file, const ImportOptions& options, const CancelToken& cancel,
                    bool each_once = false);

}  // namespace thimble::gauge
