#include "diffusion/published/text_encoding.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "diffusion/prompt.h"
#include "diffusion/published/prompt_weights.h"
#include "diffusion/published/stopwatch.h"
#include "models/clip_text.h"
#include "text/unicode.h"
#include "text/utf8.h"

namespace thimble::diffusion {
namespace {

using graph::Tensor;

std::string lowered(std::string_view text) {
  std::u32string points;
  for (std::size_t at = 0; at < text.size();) points += text::to_lower(text::next_code_point(text, at));
  const auto space = [](char32_t c) { return text::is_space(c); };
  const auto begin = std::ranges::find_if_not(points, space);
  auto end = points.end();
  while (end != begin && space(*(end - 1))) --end;
  std::string out;
  for (auto it = begin; it != end; ++it) text::append_utf8(out, *it);
  return out;
}

// The tokens of one source's text, and how much each counts.
struct WeightedIds {
  std::vector<std::int32_t> ids;
  std::vector<float> weights;

  void add(std::span<const std::int32_t> more, double weight) {
    ids.insert(ids.end(), more.begin(), more.end());
    weights.resize(ids.size(), static_cast<float>(weight));
  }
  bool weighted() const {
    return std::ranges::any_of(weights, [](float w) { return w != 1; });
  }
};

bool is_word_byte(char c) {
  const auto b = static_cast<unsigned char>(c);
  return b >= 0x80 || (b >= '0' && b <= '9') || (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || b == '_';
}

// The first added word in `text` that is not a part of a longer one; the longest of those that begin there.
const AddedWord* find_added(std::string_view text, const std::vector<AddedWord>& words, std::size_t& at) {
  const AddedWord* found = nullptr;
  at = std::string_view::npos;
  for (const AddedWord& w : words) {
    for (std::size_t i = text.find(w.token); i != std::string_view::npos; i = text.find(w.token, i + 1)) {
      const std::size_t end = i + w.token.size();
      const bool joined = (i > 0 && is_word_byte(text[i - 1]) && is_word_byte(w.token.front())) ||
                          (end < text.size() && is_word_byte(text[end]) && is_word_byte(w.token.back()));
      if (joined) continue;
      if (i < at || (i == at && w.token.size() > found->token.size())) {
        found = &w;
        at = i;
      }
      break;
    }
  }
  return found;
}

void encode_piece(const text::Tokenizer& tokenizer, const std::vector<AddedWord>& words, std::string_view text,
                  double weight, WeightedIds& to) {
  std::size_t at = 0;
  for (const AddedWord* w = find_added(text, words, at); w != nullptr; w = find_added(text, words, at)) {
    to.add(tokenizer.encode(text.substr(0, at)), weight);
    std::vector<std::int32_t> own;
    for (std::int32_t i = 0; i < w->count; ++i) own.push_back(w->first + i);
    to.add(own, weight);
    text.remove_prefix(at + w->token.size());
  }
  if (!text.empty() || to.ids.empty()) to.add(tokenizer.encode(text), weight);
}

// The text of ids, added words included.
std::string decode_with_words(const text::Tokenizer& tokenizer, const std::vector<AddedWord>& words,
                              std::span<const std::int32_t> ids) {
  std::string out;
  const auto append = [&](std::string_view text) {
    if (!out.empty() && !text.empty() && out.back() != ' ' && text.front() != ' ') out += ' ';
    out += text;
  };
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= ids.size(); ++i) {
    const bool added = i < ids.size() && ids[i] >= tokenizer.vocab_size();
    if (i < ids.size() && !added) continue;
    if (i > begin) append(tokenizer.decode(ids.subspan(begin, i - begin)));
    begin = i + 1;
    for (const AddedWord& w : words) {
      const bool first = added && ids[i] >= w.first && ids[i] < w.first + w.count && (i == 0 || ids[i - 1] < w.first);
      if (first) append(w.token);
    }
  }
  return out;
}

void warn_of_cut(const TextSource& source, const text::Tokenizer& tokenizer, const std::vector<AddedWord>& added,
                 std::span<const std::int32_t> ids, std::size_t dropped, std::vector<std::string>& warnings) {
  const std::string words = decode_with_words(tokenizer, added, ids.last(dropped));
  // Encoders of one model often cut at the same place: one line is enough.
  const std::string line = fmt::format("the prompt is longer than {} tokens; left out was: {}", source.tokens, words);
  if (std::ranges::find(warnings, line) == warnings.end()) warnings.push_back(line);
}

// The rows of an encoder's input that its states are read at: all, or with an instruction the first and the last ones.
std::size_t row_of_state(std::size_t i, std::size_t kept, std::size_t all) { return i == 0 ? 0 : all - kept + i; }

// What one source says of one prompt.
struct Encoded {
  std::vector<float> states, pooled, mask;
};

NamedTensors encoder_inputs(const TextSource& source, const formats::DiffusersPart& part,
                            std::span<const TokenizedPrompt::Row* const> rows) {
  const auto n = static_cast<std::int64_t>(rows.size());
  const auto tokens = rows.front()->ids.size();
  Tensor ids({DType::i32, {n, static_cast<std::int64_t>(tokens)}}), eos({DType::i32, {n}});
  Tensor mask({DType::f32, {n, 1, 1, static_cast<std::int64_t>(tokens)}});
  const bool finds_end = part.class_name.starts_with("CLIPTextModel");
  for (std::size_t r = 0; r < rows.size(); ++r) {
    std::ranges::copy(rows[r]->ids, ids.mutable_as<std::int32_t>().subspan(r * tokens).begin());
    if (finds_end) {
      // Added words lie behind the vocabulary, and old configs find the end as the largest id.
      const models::ClipTextConfig config = models::clip_text_from_json(part.config);
      std::vector<std::int32_t> plain = rows[r]->ids;
      std::ranges::replace_if(
          plain, [&](std::int32_t id) { return id >= config.vocab_size; }, 0);
      eos.mutable_as<std::int32_t>()[r] = models::clip_eos(config, plain);
    }
    if (!source.masks_padding) continue;
    const auto of = mask.mutable_as<float>().subspan(r * tokens, tokens);
    std::ranges::fill(of.subspan(std::max<std::size_t>(1, rows[r]->length)), kMaskedScore);
  }
  return {{"ids", ids}, {"eos", eos}, {"mask", mask}};
}

// States (kept, width) times their tokens' weights, at the mean they had.
void weigh(std::span<float> states, std::size_t width, std::span<const float> weights) {
  const auto sum_of = [&] {
    double sum = 0;
    for (const float v : states) sum += v;
    return sum;
  };
  const double before = sum_of();
  for (std::size_t i = 0; i < states.size(); ++i) states[i] *= weights[i / width];
  const double after = sum_of();
  if (after == 0 || before == 0) return;
  for (float& v : states) v = static_cast<float>(v * (before / after));
}

void read_states(const TextSource& source, const NamedTensors& outputs, std::size_t row,
                 const TokenizedPrompt::Row& prompt, Encoded& to) {
  const auto kept = static_cast<std::size_t>(source.tokens), width = static_cast<std::size_t>(source.width);
  const std::size_t tokens = prompt.ids.size(), length = prompt.length;
  if (source.group >= 0) {
    const auto states = outputs.at(source.states).as<float>().subspan(row * tokens * width, tokens * width);
    std::vector<float> weights;
    for (std::size_t i = 0; i < kept; ++i) {
      const std::size_t at = row_of_state(i, kept, tokens);
      const auto one = states.subspan(at * width, width);
      to.states.insert(to.states.end(), one.begin(), one.end());
      to.mask.push_back(at < std::max<std::size_t>(1, length) ? 0 : kMaskedScore);
      if (!prompt.weights.empty()) weights.push_back(prompt.weights[at]);
    }
    if (!weights.empty()) weigh(to.states, width, weights);
  }
  if (source.pooled_width > 0) {
    const auto width_of = static_cast<std::size_t>(source.pooled_width);
    const auto pooled = outputs.at(source.pooled).as<float>().subspan(row * width_of, width_of);
    to.pooled.assign(pooled.begin(), pooled.end());
  }
}

// Prompts whose rows have the same length, through one program.
void encode_alike(StageContext& stage, const TextSource& source, std::size_t index,
                  std::span<const TokenizedPrompt> prompts, std::span<const std::size_t> which, std::size_t together,
                  std::vector<Encoded>& encoded) {
  const formats::DiffusersPart& part = stage.model.part(source.part);
  const std::size_t batch = std::min(together, which.size());
  const std::size_t tokens = prompts[which.front()].rows[index].ids.size();
  Stopwatch watch;
  const auto network = open_network(stage, part, models::Role::text,
                                    {.batch = static_cast<int>(batch), .tokens = static_cast<int>(tokens)});
  ComponentReport report{
      .part = source.part, .load = watch.lap(), .memory = network->memory(), .stored_bytes = network->stored_bytes()};
  warn_above_limit(stage, report);
  for (std::size_t at = 0; at < which.size(); at += batch) {
    std::vector<const TokenizedPrompt::Row*> rows;
    for (std::size_t r = 0; r < batch; ++r) {  // the last run is filled up with its last prompt
      rows.push_back(&prompts[which[std::min(at + r, which.size() - 1)]].rows[index]);
    }
    const NamedTensors& outputs = network->run(encoder_inputs(source, part, rows), stage.cancel);
    for (std::size_t r = 0; r < batch && at + r < which.size(); ++r) {
      read_states(source, outputs, r, *rows[r], encoded[which[at + r]]);
    }
  }
  report.run = watch.lap();
  stage.result.components.push_back(std::move(report));
}

TextStates join(const TextPlan& plan, std::span<const std::vector<Encoded>> by_source, std::size_t prompt, bool zeros) {
  TextStates joined;
  const auto tokens = static_cast<std::size_t>(plan.tokens()), width = static_cast<std::size_t>(plan.width());
  joined.states.assign(tokens * width, 0);
  joined.mask.assign(tokens, 0);
  if (zeros) {
    joined.pooled.assign(static_cast<std::size_t>(plan.pooled_width()), 0);
    return joined;
  }
  std::size_t first_token = 0, first_channel = 0;
  int group = 0;
  for (std::size_t s = 0; s < plan.sources.size(); ++s) {
    const TextSource& source = plan.sources[s];
    const Encoded& e = by_source[s][prompt];
    joined.pooled.insert(joined.pooled.end(), e.pooled.begin(), e.pooled.end());
    if (source.group < 0) continue;
    if (source.group != group) {  // the former group's sources all have the same number of tokens
      group = source.group;
      first_token += static_cast<std::size_t>(plan.sources[s - 1].tokens);
      first_channel = 0;
    }
    const auto own = static_cast<std::size_t>(source.width);
    for (std::size_t t = 0; !source.absent && t < static_cast<std::size_t>(source.tokens); ++t) {
      std::copy_n(e.states.begin() + static_cast<std::ptrdiff_t>(t * own), own,
                  joined.states.begin() + static_cast<std::ptrdiff_t>((first_token + t) * width + first_channel));
      joined.mask[first_token + t] = e.mask[t];
    }
    first_channel += own;
  }
  return joined;
}

}  // namespace

TokenizedPrompt tokenize_prompt(const PublishedModel& model, const PromptText& prompt,
                                std::vector<std::string>& warnings) {
  const TextPlan& plan = model.facts().text;
  TokenizedPrompt made;
  made.zeros = prompt.zeros;
  if (prompt.text.size() > kMaxPromptBytes) {
    fail(ErrorKind::bad_input, "the prompt has {} bytes; at most {} are read", prompt.text.size(), kMaxPromptBytes);
  }
  text::check_utf8(prompt.text);
  const std::string tidy = plan.lower ? lowered(prompt.text) : prompt.text;
  const std::vector<PromptPiece> pieces = split_weighted(tidy);
  const bool instructed = !plan.instruction.empty() && !prompt.negative;
  for (const TextSource& s : plan.sources) {
    TokenizedPrompt::Row& row = made.rows.emplace_back();
    if (s.absent) continue;
    const text::Tokenizer& tokenizer = model.tokenizer(s.tokenizer);
    auto tokens = static_cast<std::size_t>(s.tokens);
    if (instructed) {
      // All of the instruction but its first and last token comes on top.
      const std::size_t begin = s.frame.begin && tokenizer.special().begin >= 0 ? 1 : 0;
      tokens += tokenizer.encode(plan.instruction).size() + begin - 2;
    }
    const std::vector<AddedWord>& words = model.adapters().words(s.part);
    WeightedIds all;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      const std::string instruction = i == 0 && instructed ? plan.instruction : std::string();
      encode_piece(tokenizer, words, instruction + pieces[i].text, pieces[i].weight, all);
    }
    text::Framed framed = text::frame(tokenizer, all.ids, tokens, tokens, s.frame);
    if (framed.dropped > 0) warn_of_cut(s, tokenizer, words, all.ids, framed.dropped, warnings);
    row = {std::move(framed.ids), framed.length};
    if (all.weighted()) {
      const std::size_t begin = s.frame.begin && tokenizer.special().begin >= 0 ? 1 : 0;
      const std::size_t kept = all.ids.size() - framed.dropped;
      row.weights.assign(row.ids.size(), 1);
      std::copy_n(all.weights.begin(), kept, row.weights.begin() + static_cast<std::ptrdiff_t>(begin));
    }
  }
  return made;
}

std::vector<TextStates> encode_prompts(StageContext& stage, std::span<const TokenizedPrompt> prompts, int together) {
  const TextPlan& plan = stage.model.facts().text;
  std::vector<std::vector<Encoded>> by_source(plan.sources.size(), std::vector<Encoded>(prompts.size()));
  for (std::size_t s = 0; s < plan.sources.size(); ++s) {
    if (plan.sources[s].absent) continue;
    std::map<std::size_t, std::vector<std::size_t>> by_length;
    for (std::size_t p = 0; p < prompts.size(); ++p) {
      if (!prompts[p].zeros) by_length[prompts[p].rows[s].ids.size()].push_back(p);
    }
    for (const auto& [length, which] : by_length) {
      encode_alike(stage, plan.sources[s], s, prompts, which, static_cast<std::size_t>(together), by_source[s]);
    }
  }
  std::vector<TextStates> states;
  for (std::size_t p = 0; p < prompts.size(); ++p) states.push_back(join(plan, by_source, p, prompts[p].zeros));
  return states;
}

}  // namespace thimble::diffusion
