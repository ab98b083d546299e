#include "diffusion/published/tokenizers.h"

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "text/clip_bpe.h"
#include "text/sentencepiece.h"

namespace thimble::diffusion {
namespace {

using text::ClipBpe;
using text::ClipCleaning;
using text::SentencePiece;

// The file's first line is a title; the lists of tiny and published vocabularies differ in length, and the ids of the
// special tokens follow from it.
std::shared_ptr<const text::Tokenizer> open_merges(const std::filesystem::path& path) {
  if (path.extension() == ".gz") {
    return std::make_shared<ClipBpe>(ClipBpe::open(path, ClipBpe::kMerges, ClipCleaning::transformers));
  }
  const std::string bytes = read_file(path);
  const auto lines = static_cast<std::size_t>(std::ranges::count(bytes, '\n')) + (bytes.ends_with('\n') ? 0u : 1u);
  const std::size_t merges = std::min(lines - std::min<std::size_t>(lines, 1), ClipBpe::kMerges);
  return std::make_shared<ClipBpe>(ClipBpe::parse(bytes, path.string(), merges, ClipCleaning::transformers));
}

std::shared_ptr<const text::Tokenizer> open_pieces(const std::filesystem::path& path) {
  return std::make_shared<SentencePiece>(SentencePiece::open(path));
}

}  // namespace

std::shared_ptr<const text::Tokenizer> open_tokenizer(const formats::TokenizerFiles& files) {
  if (files.class_name.starts_with("CLIPTokenizer")) {
    if (files.merges.empty()) fail(ErrorKind::bad_file, "{}: merges.txt is not there", files.name);
    return open_merges(files.merges);
  }
  for (const auto known : {"T5Tokenizer", "GemmaTokenizer", "LlamaTokenizer"}) {
    if (!files.class_name.starts_with(known)) continue;
    if (files.sentencepiece.empty()) {
      fail(ErrorKind::unsupported,
           "{}: neither spiece.model nor tokenizer.model is there, and tokenizer.json is not read", files.name);
    }
    return open_pieces(files.sentencepiece);
  }
  fail(ErrorKind::unsupported, "{}: there is no tokenizer for the class '{}'; there are CLIP, T5 and Gemma", files.name,
       files.class_name);
}

std::shared_ptr<const text::Tokenizer> open_tokenizer(const std::filesystem::path& path) {
  if (std::filesystem::is_directory(path)) {
    for (const auto name : {"merges.txt", "spiece.model", "tokenizer.model", "bpe_simple_vocab_16e6.txt.gz"}) {
      if (std::filesystem::exists(path / name)) return open_tokenizer(path / name);
    }
    fail(ErrorKind::bad_input, "{} holds no merges.txt, spiece.model or tokenizer.model", path.string());
  }
  return path.extension() == ".model" ? open_pieces(path) : open_merges(path);
}

std::int32_t padding_of(const formats::TokenizerFiles& files, const text::Tokenizer& tokenizer) {
  const auto it = files.config.find("pad_token");
  if (it == files.config.end() || it->is_null()) return -1;
  const Json& value = it->is_object() ? it->value("content", Json()) : *it;
  if (!value.is_string()) fail(ErrorKind::bad_file, "{}: pad_token is no text", files.name);
  const std::string token = value;
  if (token == "<|endoftext|>") return tokenizer.special().end;
  if (token == "!") return 0;  // the first byte of CLIP's alphabet
  if (token == "<pad>") return tokenizer.special().pad;
  fail(ErrorKind::unsupported, "{}: padding with '{}' is not there", files.name, token);
}

}  // namespace thimble::diffusion
