#include "cli/device/prompts.h"

#include <sstream>

#include "base/error.h"
#include "base/file.h"
#include "diffusion/prompt.h"
#include "text/utf8.h"

namespace thimble::cli {

void check_prompt(const std::string& prompt) {
  if (prompt.find_first_not_of(" \t\r\n") == std::string::npos) {
    fail(ErrorKind::bad_input, "the prompt is empty; say what the picture should show");
  }
  if (prompt.size() > diffusion::kMaxPromptBytes) {
    fail(ErrorKind::bad_input, "the prompt has {} bytes; at most {} are read", prompt.size(),
         diffusion::kMaxPromptBytes);
  }
  with_context("in the prompt", [&] { text::check_utf8(prompt); });
}

std::vector<std::string> gather_prompts(const std::string& prompt, const std::string& file) {
  if (file.empty()) {
    check_prompt(prompt);
    return {prompt};
  }
  if (!prompt.empty()) fail(ErrorKind::bad_input, "prompts come from {} or from the command line, not from both", file);
  std::vector<std::string> prompts;
  std::istringstream lines(read_file(file, std::size_t{64} << 20));
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t')) line.pop_back();
    if (line.empty()) continue;
    with_context(fmt::format("in line {} of {}", number, file), [&] { check_prompt(line); });
    prompts.push_back(std::move(line));
  }
  if (prompts.empty()) fail(ErrorKind::bad_input, "{} holds no prompts; one a line was wanted", file);
  return prompts;
}

int picture_count(std::size_t prompts, int count) {
  if (count < 1 || count > 256)
    fail(ErrorKind::bad_input, "between 1 and 256 pictures are possible, {} were asked", count);
  const std::size_t all = prompts * static_cast<std::size_t>(count);
  if (all > static_cast<std::size_t>(kMostPictures)) {
    fail(ErrorKind::bad_input, "{} prompts with {} pictures each are {}; one call makes at most {}", prompts, count,
         all, kMostPictures);
  }
  return static_cast<int>(all);
}

std::string shortened(std::string text) {
  constexpr std::size_t kShown = 200;
  if (text.size() <= kShown) return text;
  std::size_t end = kShown;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;  // inside a character
  return text.substr(0, end) + " ...";
}

}  // namespace thimble::cli
