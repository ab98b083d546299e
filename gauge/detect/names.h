// File names that speak of models.
#pragma once

#include <string>
#include <string_view>

namespace thimble::gauge {

std::string lower(std::string_view s);  // ASCII only
std::string_view base_name(std::string_view path);

// `suffixes`: as in ModelProbe, ".tflite .tfl", without regard to case.
bool has_suffix(std::string_view path, std::string_view suffixes);

// A suffix that some probe calls its own, or that of a framework whose format no probe reads.
bool has_model_suffix(std::string_view path);
// A suffix that models share with much else, or a folder or name that speaks of models: worth a look when its bytes
// have no structure.
bool may_be_model(std::string_view path);

}  // namespace thimble::gauge
