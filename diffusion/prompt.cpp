#include "diffusion/prompt.h"

#include <algorithm>

#include "base/error.h"
#include "text/utf8.h"

namespace thimble::diffusion {

int bucket_for(std::size_t tokens, std::span<const int> buckets) {
  for (const int b : buckets) {
    if (tokens <= static_cast<std::size_t>(b)) return b;
  }
  return buckets.back();
}

PromptBatch pack_prompts(const text::Tokenizer& tokenizer, std::span<const std::string> prompts,
                         std::span<const int> buckets) {
  check(!prompts.empty() && !buckets.empty(), "prompts and buckets");
  PromptBatch batch;
  std::vector<text::Framed> framed;
  std::size_t longest = 0;
  for (const std::string& prompt : prompts) {
    if (prompt.size() > kMaxPromptBytes) {
      fail(ErrorKind::bad_input, "the prompt has {} bytes; at most {} are read", prompt.size(), kMaxPromptBytes);
    }
    text::check_utf8(prompt);
    framed.push_back(text::frame(tokenizer, tokenizer.encode(prompt), static_cast<std::size_t>(buckets.back())));
    batch.dropped.push_back(framed.back().dropped);
    longest = std::max(longest, framed.back().length);
  }
  batch.length = bucket_for(longest, buckets);

  const auto count = static_cast<std::int64_t>(prompts.size());
  const auto length = static_cast<std::size_t>(batch.length);
  batch.ids = graph::Tensor({DType::i32, {count, batch.length}});
  batch.mask = graph::Tensor({DType::f32, {count, 1, 1, batch.length}});
  batch.keep = graph::Tensor({DType::f32, {count, batch.length, 1}});
  const auto ids = batch.ids.mutable_as<std::int32_t>();
  const auto mask = batch.mask.mutable_as<float>(), keep = batch.keep.mutable_as<float>();
  const text::SpecialTokens special = tokenizer.special();
  const std::int32_t pad = std::max(0, special.pad >= 0 ? special.pad : special.end);
  for (std::size_t b = 0; b < framed.size(); ++b) {
    for (std::size_t i = 0; i < length; ++i) {
      const bool token = i < std::max<std::size_t>(1, framed[b].length);  // never a row of padding alone
      ids[b * length + i] = token ? framed[b].ids[i] : pad;
      mask[b * length + i] = token ? 0 : kMaskedScore;
      keep[b * length + i] = token ? 1 : 0;
    }
  }
  return batch;
}

}  // namespace thimble::diffusion
