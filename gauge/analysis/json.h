// The analysis as JSON; the keys are docs/gauge.md's.
#pragma once

#include <vector>

#include "base/json.h"
#include "gauge/analysis/analysis.h"

namespace thimble::gauge {

OrderedJson to_json(const Analysis& analysis);
OrderedJson to_json(const std::vector<Sharing>& pairs, const std::vector<Analysis>& models);

}  // namespace thimble::gauge
