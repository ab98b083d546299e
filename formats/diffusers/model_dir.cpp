#include "formats/diffusers/model_dir.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "formats/diffusers/lazy_checkpoint.h"
#include "formats/diffusers/single_file.h"
#include "formats/diffusers/tiny_pair.h"
#include "formats/diffusers/weight_files.h"

namespace thimble::formats {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxConfigBytes = std::size_t{1} << 20;
constexpr std::size_t kMaxTokenizerConfigBytes = std::size_t{8} << 20;  // may list every added token
constexpr const char* kIndexName = "model_index.json";

// Python writes a limit that is off as a bare word ("lambda_min_clipped": -Infinity), which JSON does not have. It
// becomes null, filled up with spaces, so that errors name the right byte.
std::string without_infinities(std::string text) {
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (quoted && text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      quoted = !quoted;
    } else if (!quoted) {
      for (const std::string_view word : {"-Infinity", "Infinity"}) {
        if (text.compare(i, word.size(), word) != 0) continue;
        text.replace(i, word.size(), "null" + std::string(word.size() - 4, ' '));
        break;
      }
    }
  }
  return text;
}

Json read_object(const fs::path& path, std::size_t limit = kMaxConfigBytes) {
  Json json = parse_json(without_infinities(read_file(path, limit)), path.string());
  if (!json.is_object())
    fail(ErrorKind::bad_file, "{}: an object was wanted, found {}", path.string(), json.type_name());
  return json;
}

void want_file(const fs::path& file, std::string_view why) {
  if (!fs::exists(file)) fail(ErrorKind::bad_file, "{} is missing, {}: download it too", file.string(), why);
}

// A folder without an index may still be a part, or not of this kind at all.
[[noreturn]] void refuse_directory(const fs::path& directory) {
  std::string hint = "a diffusers model's directory was wanted";
  if (fs::exists(directory / "config.json")) {
    hint = "its config.json makes it a part of a model; name the directory above it";
  } else {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(directory, error)) {
      const bool file = entry.path().extension() == ".safetensors";
      const bool inner = fs::exists(entry.path() / kIndexName, error);
      if (file) hint = "it holds " + entry.path().filename().string() + "; name that file, if it is a whole model";
      if (inner) hint = "there is one in " + entry.path().filename().string() + "; name that directory";
      if (file || inner) break;
    }
  }
  fail(ErrorKind::bad_file, "{} is no model: it has no {}; {}", directory.string(), kIndexName, hint);
}

DiffusersPart read_part(const fs::path& folder, const std::string& name, const std::string& class_name,
                        const std::string& variant, std::vector<std::string>& variants) {
  const fs::path config_file = folder / "config.json";
  want_file(config_file, fmt::format("the config of the {}", class_name));
  Json config = read_object(config_file);
  const std::string today = class_of_today(class_name, config, config_file.string());
  if (today != class_name && config.contains("_class_name")) config["_class_name"] = today;
  return {name, today, std::move(config), std::make_shared<LazyCheckpoint>(choose_weights(folder, variant, variants)),
          find_network(class_name)->naming};
}

TokenizerFiles read_tokenizer(const fs::path& folder, const ModelIndex::Entry& entry) {
  TokenizerFiles files{entry.name, entry.class_name, Json::object(), {}, {}, {}, {}};
  const auto take = [&](fs::path& into, const char* name) {
    if (into.empty() && fs::exists(folder / name)) into = folder / name;
  };
  take(files.vocab, "vocab.json");
  take(files.merges, "merges.txt");
  take(files.sentencepiece, "spiece.model");
  take(files.sentencepiece, "tokenizer.model");
  take(files.tokenizer_json, "tokenizer.json");
  if (files.sentencepiece.empty() && files.tokenizer_json.empty() && (files.vocab.empty() || files.merges.empty())) {
    fail(ErrorKind::bad_file,
         "{} holds no vocabulary: vocab.json with merges.txt, spiece.model, tokenizer.model or tokenizer.json was "
         "wanted",
         folder.string());
  }
  if (fs::exists(folder / "tokenizer_config.json")) {
    files.config = read_object(folder / "tokenizer_config.json", kMaxTokenizerConfigBytes);
  }
  return files;
}

void check_variant(const std::string& variant, const std::vector<std::string>& variants, const fs::path& path) {
  if (variant.empty() || std::ranges::find(variants, variant) != variants.end()) return;
  std::string list;
  for (const std::string& v : std::set<std::string>(variants.begin(), variants.end())) {
    list += (list.empty() ? "" : ", ") + (v.empty() ? std::string("the plain one") : v);
  }
  fail(ErrorKind::bad_input, "{} has no weights of the variant '{}'; there are {}", path.string(), variant, list);
}

DiffusersModel open_directory(const fs::path& path, const std::string& variant) {
  if (!fs::exists(path / kIndexName)) refuse_directory(path);
  ModelIndex index = parse_model_index(read_file(path / kIndexName, kMaxConfigBytes), (path / kIndexName).string());
  DiffusersModel model;
  model.path = path;
  model.pipeline_class = std::move(index.pipeline_class);
  model.settings = std::move(index.settings);
  model.absent = std::move(index.absent);
  model.skipped = std::move(index.skipped);
  std::vector<std::string> variants;
  for (const ModelIndex::Entry& e : index.networks) {
    model.parts.push_back(read_part(path / e.name, e.name, e.class_name, variant, variants));
  }
  check_variant(variant, variants, path);
  for (const ModelIndex::Entry& e : index.tokenizers) model.tokenizers.push_back(read_tokenizer(path / e.name, e));
  model.scheduler = Json::object();
  model.scheduler_class = std::move(index.scheduler_class);
  if (!model.scheduler_class.empty()) {
    const fs::path file = path / "scheduler" / "scheduler_config.json";
    want_file(file, fmt::format("the settings of the {}", model.scheduler_class));
    model.scheduler = read_object(file);
  }
  return model;
}

}  // namespace

DiffusersPart::DiffusersPart(std::string part_name, std::string class_of, Json config_of,
                             std::shared_ptr<LazyCheckpoint> checkpoint, Naming naming)
    : name(std::move(part_name)),
      class_name(std::move(class_of)),
      config(std::move(config_of)),
      checkpoint_(std::move(checkpoint)),
      naming_(naming) {}

const fs::path& DiffusersPart::path() const { return checkpoint_->path(); }

const OpenCheckpoint& DiffusersPart::checkpoint() const { return *checkpoint_->get(); }

graph::Weights DiffusersPart::weights(DType narrow_as) const {
  return with_context(fmt::format("while reading the {} from {}", name, path().string()), [&] {
    const std::shared_ptr<const OpenCheckpoint> owner = checkpoint_->get();
    return named_weights(naming_(owner->tensors()), owner->tensors(), owner, narrow_as, name);
  });
}

void DiffusersPart::release_pages() const {
  for (const auto& file : checkpoint_->get()->files()) file->release_pages();
}

DiffusersModel DiffusersModel::open(const fs::path& path, const std::string& variant) {
  if (!fs::exists(path))
    fail(ErrorKind::io, "{} does not exist, a model's directory or file was wanted", path.string());
  if (fs::is_directory(path)) return open_directory(path, variant);
  if (path.filename() == kIndexName) return open_directory(path.parent_path(), variant);
  return open_single_file(path);
}

const DiffusersPart* DiffusersModel::find(std::string_view part) const {
  const auto at = std::ranges::find(parts, part, &DiffusersPart::name);
  return at == parts.end() ? nullptr : &*at;
}

const DiffusersPart& DiffusersModel::part(std::string_view wanted) const {
  if (const DiffusersPart* found = find(wanted)) return *found;
  std::string list;
  for (const DiffusersPart& p : parts) list += (list.empty() ? "" : ", ") + p.name;
  fail(ErrorKind::bad_file, "{} ({}) has no part '{}'; there are {}", path.string(), pipeline_class, wanted, list);
}

DiffusersPart open_diffusers_part(const fs::path& directory, const std::string& variant) {
  const fs::path config_file = directory / "config.json";
  if (!fs::exists(config_file) && find_tiny_pair(directory)) return open_tiny_pair(directory);
  want_file(config_file, "the config of a network");
  const Json config = read_object(config_file);
  // diffusers writes _class_name; transformers a list of architectures.
  const auto architectures = config.find("architectures");
  const bool listed = !config.contains("_class_name") && architectures != config.end() && architectures->is_array() &&
                      architectures->size() == 1 && (*architectures)[0].is_string();
  const std::string class_name =
      listed ? (*architectures)[0].get<std::string>() : get_string(config, "_class_name", config_file.string());
  if (find_network(class_name) == nullptr) {
    fail(ErrorKind::unsupported, "{}: the class '{}' is not known; known are {}", config_file.string(),
         class_name.substr(0, 80), known_networks());
  }
  std::vector<std::string> variants;
  const fs::path named = directory.has_filename() ? directory : directory.parent_path();  // without a slash at its end
  DiffusersPart part = read_part(directory, named.filename().string(), class_name, variant, variants);
  check_variant(variant, variants, directory);
  return part;
}

}  // namespace thimble::formats
