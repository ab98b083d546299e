#include "text/tokenizer.h"

#include "base/error.h"

namespace thimble::text {

std::size_t fit_to(std::vector<std::int32_t>& ids, std::size_t max_length) {
  if (ids.size() <= max_length) return 0;
  const std::size_t dropped = ids.size() - max_length;
  ids.resize(max_length);
  return dropped;
}

Framed frame(const Tokenizer& tokenizer, std::vector<std::int32_t> ids, std::size_t max_length, std::size_t pad_to,
             const FrameRules& rules) {
  SpecialTokens special = tokenizer.special();
  const std::int32_t pad = rules.pad >= 0 ? rules.pad : special.pad >= 0 ? special.pad : special.end;
  if (!rules.begin) special.begin = -1;
  if (!rules.end) special.end = -1;
  const std::size_t ends = (special.begin >= 0 ? 1u : 0u) + (special.end >= 0 ? 1u : 0u);
  if (max_length < ends)
    fail(ErrorKind::bad_input, "{} tokens are too few: begin and end alone are {}", max_length, ends);
  Framed framed;
  framed.dropped = fit_to(ids, max_length - ends);
  if (special.begin >= 0) framed.ids.push_back(special.begin);
  framed.ids.insert(framed.ids.end(), ids.begin(), ids.end());
  if (special.end >= 0) framed.ids.push_back(special.end);
  framed.length = framed.ids.size();
  if (pad_to > framed.length) {
    if (pad < 0) fail(ErrorKind::bad_input, "the tokenizer has no token to pad with");
    framed.ids.resize(pad_to, pad);
  }
  return framed;
}

}  // namespace thimble::text
