// The prompts that a command was given: one, or a file with one a line.
#pragma once

#include <string>
#include <vector>

namespace thimble::cli {

inline constexpr int kMostPictures = 1024;  // of one call, all prompts together

// bad_input for an empty prompt, one that is too long, and for text that is no UTF-8.
void check_prompt(const std::string& prompt);

// `prompt` alone, or the lines of `file` that are not empty; bad_input, naming the line, when one is no prompt, and
// when neither or both were given.
std::vector<std::string> gather_prompts(const std::string& prompt, const std::string& file);

// Pictures of one call; bad_input unless 1 to 256 of each prompt, and at most kMostPictures, are asked for.
int picture_count(std::size_t prompts, int count);

// At most 200 bytes of a text, whole characters, for messages.
std::string shortened(std::string text);

}  // namespace thimble::cli
