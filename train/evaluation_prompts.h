// The fixed prompts of the contact sheets.
#pragma once

#include <string>
#include <vector>

namespace thimble::train {

// 24 concepts of the training set in wordings, styles, colours and grounds that are not trained together.
std::vector<std::string> new_wordings();
// 16 scenes that no emoji shows.
std::vector<std::string> compositions();

}  // namespace thimble::train
