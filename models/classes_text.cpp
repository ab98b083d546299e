// Rows of models/classes.h: text encoders.
#include "models/classes.h"

namespace thimble::models {

std::span<const NetworkClass> text_classes() { return {}; }

}  // namespace thimble::models
