// Names that diffusers and transformers give to weights (S is diffusion_pytorch_model or model, V a variant):
//   S.safetensors  S.V.safetensors                                     whole
//   S-00001-of-00002.safetensors  S.V-00001-of-00002.safetensors       shards, also with V after the numbers
//   S.safetensors.index.json  S.safetensors.index.V.json  S.V.safetensors.index.json    their index
#include "formats/diffusers/weight_files.h"

#include <algorithm>
#include <array>
#include <map>
#include <string_view>

#include "base/error.h"
#include "base/file.h"

namespace thimble::formats {
namespace {

constexpr std::array<std::string_view, 2> kStems{"diffusion_pytorch_model", "model"};
constexpr std::array<std::string_view, 6> kPickles{".bin", ".ckpt", ".pt", ".pth", ".pkl", ".pickle"};

constexpr const char* kWhyNoPickles =
    "reading a pickle runs whatever code it holds, so Thimble reads safetensors only: look for a .safetensors file of "
    "the same model, or load it where you trust it and save it again with save_pretrained(folder, "
    "safe_serialization=True) of diffusers";

bool is_pickle_name(const std::filesystem::path& file) {
  return std::ranges::find(kPickles, file.extension().string()) != kPickles.end();
}

struct Found {
  std::filesystem::path whole, index;  // both empty when there are shards alone
};

// Takes "-00001-of-00002" out of `name`; false when it is not there.
bool strip_shard_numbers(std::string& name) {
  static constexpr std::string_view kOf = "-of-", kDigits = "0123456789";
  const std::size_t of = name.find(kOf);
  if (of == std::string::npos || of == 0) return false;
  const std::size_t before = name.find_last_not_of(kDigits, of - 1);
  const std::size_t after = name.find_first_not_of(kDigits, of + kOf.size());
  if (before == std::string::npos || before + 1 == of || name[before] != '-') return false;
  if (after == std::string::npos || after == of + kOf.size() || name[after] != '.') return false;
  name.erase(before, after - before);
  return true;
}

// Sorts one file name into the variant it belongs to; other names are left alone.
void classify(const std::filesystem::path& file, std::map<std::string, Found>& by_variant) {
  std::string name = file.filename().string();
  const bool shard = strip_shard_numbers(name);
  const auto stem = std::ranges::find_if(kStems, [&](std::string_view s) {
    return name.starts_with(s) && name.size() > s.size() && name[s.size()] == '.';
  });
  if (stem == kStems.end()) return;
  std::string variant;
  bool tensors = false, index = false, json = false;
  for (std::size_t at = stem->size(); at < name.size();) {
    const std::size_t end = std::min(name.find('.', at + 1), name.size());
    const std::string word = name.substr(at + 1, end - at - 1);
    at = end;
    if (word == "safetensors" && !tensors) {
      tensors = true;
    } else if (word == "index" && !index) {
      index = true;
    } else if (word == "json" && !json) {
      json = true;
    } else if (variant.empty()) {
      variant = word;
    } else {
      return;
    }
  }
  if (!tensors || index != json || (index && shard)) return;
  Found& found = by_variant[variant];
  if (!shard) (index ? found.index : found.whole) = file;
}

std::string listed(const std::vector<std::string>& variants) {
  std::string list;
  for (const std::string& v : variants) list += (list.empty() ? "" : ", ") + (v.empty() ? std::string("plain") : v);
  return list;
}

}  // namespace

std::filesystem::path choose_weights(const std::filesystem::path& directory, const std::string& variant,
                                     std::vector<std::string>& variants) {
  std::map<std::string, Found> by_variant;
  std::string pickle;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    if (is_pickle_name(entry.path())) pickle = entry.path().filename().string();
    classify(entry.path(), by_variant);
  }
  if (error) fail(ErrorKind::bad_file, "cannot list {}: {}", directory.string(), error.message());
  std::vector<std::string> here;
  for (const auto& [name, found] : by_variant) here.push_back(name);
  if (here.empty() && !pickle.empty()) {
    fail(ErrorKind::unsupported, "{} holds pickled weights only ({}); {}", directory.string(), pickle, kWhyNoPickles);
  }
  if (here.empty()) {
    fail(ErrorKind::bad_file,
         "{} holds no weights: diffusion_pytorch_model.safetensors, model.safetensors or a .safetensors.index.json was "
         "wanted",
         directory.string());
  }
  variants.insert(variants.end(), here.begin(), here.end());
  std::string chosen = here.front();
  for (const std::string& wish : {variant, std::string(), std::string("fp16"), std::string("bf16")}) {
    if (!by_variant.contains(wish)) continue;
    chosen = wish;
    break;
  }
  const Found& found = by_variant.at(chosen);
  if (!found.whole.empty()) return found.whole;
  if (!found.index.empty()) return found.index;
  fail(ErrorKind::bad_file, "{} holds shards of weights ({}) without their .safetensors.index.json: download it too",
       directory.string(), listed({chosen}));
}

void refuse_pickle(const std::filesystem::path& file) {
  const auto mapped = MappedFile::open(file);
  const auto bytes = mapped->bytes();
  const auto starts = [&](std::string_view magic) {
    return bytes.size() >= magic.size() &&
           std::equal(magic.begin(), magic.end(), bytes.begin(),
                      [](char a, std::byte b) { return static_cast<std::byte>(a) == b; });
  };
  // A zip archive of PyTorch, or a bare pickle of protocol 2 to 5 where a safetensors file has its brace.
  const bool bare = bytes.size() > 8 && starts("\x80") && bytes[1] >= std::byte{2} && bytes[1] <= std::byte{5} &&
                    bytes[8] != std::byte{'{'};
  if (is_pickle_name(file) || starts("PK\x03\x04") || bare) {
    fail(ErrorKind::unsupported, "{} is a file of pickled weights; {}", file.string(), kWhyNoPickles);
  }
}

}  // namespace thimble::formats
