// What a PNG remembers of how it was made: one flat JSON object in a text chunk under the key "thimble". Its keys are
// the options of the command ("prompt", "seed", "steps" ...), with the values that were used, and beside them facts
// ("program", "size", "model_hash"). `--from` gives the options back to a later command.
#pragma once

#include <CLI/App.hpp>
#include <string>
#include <vector>

#include "base/json.h"

namespace thimble::cli {

inline constexpr const char* kNoteKey = "thimble";

// Gives the command the options that the picture remembers, but for those that were given. bad_input when the file is
// no PNG or remembers nothing.
Json replay_note(CLI::App& command, const std::string& picture);

// The notes of pictures that differ in prompt and seed: of each, or of the one sheet that holds all of them. A sheet of
// several prompts has none, as no command makes it from them.
template <class Requests>
std::vector<std::string> notes_of_pictures(const OrderedJson& base, int on_one_sheet, const Requests& requests) {
  std::vector<std::string> notes;
  if (on_one_sheet > 1 && static_cast<std::size_t>(on_one_sheet) != requests.size()) return notes;
  for (const auto& request : requests) {
    OrderedJson note = base;
    note["prompt"] = request.prompt;
    note["seed"] = request.seed;
    if (on_one_sheet > 1) {
      note["count"] = on_one_sheet;
      note["grid"] = true;
    }
    notes.push_back(note.dump());
    if (on_one_sheet > 1) break;
  }
  return notes;
}

// bad_input when the note says that another model made the picture and no other model was asked for by name.
void check_same_model(const Json& note, const std::string& model_hash, bool model_was_named);

// The same for the picture or mask that an option names.
void check_same_file(const Json& note, const std::string& option, const std::string& path);
std::string file_hash(const std::string& path);  // SHA-256 in hexadecimal digits

}  // namespace thimble::cli
