#include "cli/device/note.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/file.h"
#include "media/png_text.h"

namespace thimble::cli {
namespace {

// Options that shape the picture. Where it is written and how it is run are the caller's.
constexpr std::array<std::string_view, 33> kReplayed{"prompt",        "seed",
                                                     "steps",         "guidance",
                                                     "sampler",       "guidance-low",
                                                     "guidance-high", "guidance-rescale",
                                                     "eta",           "background",
                                                     "transparent",   "precision",
                                                     "model",         "negative",
                                                     "image",         "mask",
                                                     "strength",      "image-guidance",
                                                     "width",         "height",
                                                     "variant",       "tiny-autoencoder",
                                                     "tokenizer",     "rng",
                                                     "lora",          "embedding",
                                                     "max-memory",    "count",
                                                     "grid",          "batch",
                                                     "bits",          "activations",
                                                     "group"};

std::string text_of(const Json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

}  // namespace

Json replay_note(CLI::App& command, const std::string& picture) {
  const auto file = MappedFile::open(picture);
  const auto text = media::find_png_text(file->bytes(), kNoteKey, picture);
  if (!text) {
    fail(ErrorKind::bad_input,
         "{} does not say how it was made; PNG files of thimble generate and edit do, if no other program changed them",
         picture);
  }
  Json note = parse_json(*text, picture + ": text 'thimble'", 4);
  if (!note.is_object()) fail(ErrorKind::bad_file, "{}: the text 'thimble' is no object", picture);
  for (const auto& [key, value] : note.items()) {
    if (std::ranges::find(kReplayed, key) == kReplayed.end() || value.is_null()) continue;
    CLI::Option* option = command.get_option_no_throw("--" + key);
    if (option == nullptr) option = command.get_option_no_throw(key);  // a positional one
    if (option == nullptr) {
      fail(ErrorKind::bad_input, "{} was made with '{}', which this command does not have", picture, key);
    }
    if (option->count() > 0) continue;
    for (const Json& one : value.is_array() ? value : Json::array({value})) option->add_result(text_of(one));
    option->run_callback();
  }
  return note;
}

void check_same_model(const Json& note, const std::string& model_hash, bool model_was_named) {
  const auto it = note.find("model_hash");
  if (it == note.end() || *it == model_hash || model_was_named) return;
  fail(ErrorKind::bad_input,
       "the picture was made by another model ({}, this one is {}); name that one with --model, "
       "or this one to use it all the same",
       text_of(*it), model_hash);
}

void check_same_file(const Json& note, const std::string& option, const std::string& path) {
  const auto it = note.find(option + "_hash");
  if (path.empty() || it == note.end() || note.value(option, "") != path || *it == file_hash(path)) return;
  fail(ErrorKind::bad_input,
       "{} has changed since the picture was made from it; give it again with --{} to use it as it "
       "is",
       path, option);
}

std::string file_hash(const std::string& path) { return sha256(MappedFile::open(path)->bytes()); }

}  // namespace thimble::cli
