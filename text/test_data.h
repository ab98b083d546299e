// Where the tests of text/ find published vocabularies. They are not part of the project; a test that needs one is
// skipped, with the reason, where it is absent.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace thimble::text {

// THIMBLE_TOKENIZER_DIR, or the data folder beside the project.
inline std::filesystem::path vocabulary_path(const std::string& name) {
  const char* directory = std::getenv("THIMBLE_TOKENIZER_DIR");
  return std::filesystem::path(directory != nullptr ? directory : "../shared/data/weights/tokenizer") / name;
}

}  // namespace thimble::text

// Skips the running test when the file is not there.
#define THIMBLE_NEEDS_VOCABULARY(path) \
  if (!std::filesystem::exists(path))  \
  GTEST_SKIP() << (path).string() << " is absent; THIMBLE_TOKENIZER_DIR can name its folder"
