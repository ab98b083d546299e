#include "diffusion/published/text_encoding.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "diffusion/prompt.h"
#include "diffusion/published/network.h"
#include "diffusion/published/stopwatch.h"
#include "models/classes.h"
#include "models/clip_text.h"
#include "text/unicode.h"
#include "text/utf8.h"

namespace thimble::diffusion {
namespace {

using graph::Tensor;

constexpr std::size_t kTogether = 4;  // prompts in one run of an encoder

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

void warn_of_cut(const TextSource& source, const text::Tokenizer& tokenizer, std::span<const std::int32_t> ids,
                 std::size_t dropped, std::vector<std::string>& warnings) {
  const std::string words = tokenizer.decode(ids.last(dropped));
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
      eos.mutable_as<std::int32_t>()[r] = models::clip_eos(models::clip_text_from_json(part.config), rows[r]->ids);
    }
    if (!source.masks_padding) continue;
    const auto of = mask.mutable_as<float>().subspan(r * tokens, tokens);
    std::ranges::fill(of.subspan(std::max<std::size_t>(1, rows[r]->length)), kMaskedScore);
  }
  return {{"ids", ids}, {"eos", eos}, {"mask", mask}};
}

void read_states(const TextSource& source, const NamedTensors& outputs, std::size_t row, std::size_t tokens,
                 std::size_t length, Encoded& to) {
  const auto kept = static_cast<std::size_t>(source.tokens), width = static_cast<std::size_t>(source.width);
  if (source.group >= 0) {
    const auto states = outputs.at(source.states).as<float>().subspan(row * tokens * width, tokens * width);
    for (std::size_t i = 0; i < kept; ++i) {
      const std::size_t at = row_of_state(i, kept, tokens);
      const auto one = states.subspan(at * width, width);
      to.states.insert(to.states.end(), one.begin(), one.end());
      to.mask.push_back(at < std::max<std::size_t>(1, length) ? 0 : kMaskedScore);
    }
  }
  if (source.pooled_width > 0) {
    const auto width_of = static_cast<std::size_t>(source.pooled_width);
    const auto pooled = outputs.at(source.pooled).as<float>().subspan(row * width_of, width_of);
    to.pooled.assign(pooled.begin(), pooled.end());
  }
}

// Prompts whose rows have the same length, through one program.
void encode_alike(StageContext& stage, const TextSource& source, std::size_t index,
                  std::span<const TokenizedPrompt> prompts, std::span<const std::size_t> which,
                  std::vector<Encoded>& encoded) {
  const formats::DiffusersPart& part = stage.model.part(source.part);
  const std::size_t batch = std::min(kTogether, which.size());
  const std::size_t tokens = prompts[which.front()].rows[index].ids.size();
  Stopwatch watch;
  Network network(part,
                  models::build_network(part.class_name, models::Role::text, part.config,
                                        {.batch = static_cast<int>(batch), .tokens = static_cast<int>(tokens)}),
                  stage.executor, stage.precision);
  ComponentReport report{.part = source.part, .load = watch.lap(), .memory = network.memory()};
  for (std::size_t at = 0; at < which.size(); at += batch) {
    std::vector<const TokenizedPrompt::Row*> rows;
    for (std::size_t r = 0; r < batch; ++r) {  // the last run is filled up with its last prompt
      rows.push_back(&prompts[which[std::min(at + r, which.size() - 1)]].rows[index]);
    }
    const NamedTensors& outputs = network.run(encoder_inputs(source, part, rows), stage.cancel);
    for (std::size_t r = 0; r < batch && at + r < which.size(); ++r) {
      read_states(source, outputs, r, tokens, rows[r]->length, encoded[which[at + r]]);
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
    const auto ids = tokenizer.encode(instructed ? plan.instruction + tidy : tidy);
    text::Framed framed = text::frame(tokenizer, ids, tokens, tokens, s.frame);
    if (framed.dropped > 0) warn_of_cut(s, tokenizer, ids, framed.dropped, warnings);
    row = {std::move(framed.ids), framed.length};
  }
  return made;
}

std::vector<TextStates> encode_prompts(StageContext& stage, std::span<const TokenizedPrompt> prompts) {
  const TextPlan& plan = stage.model.facts().text;
  std::vector<std::vector<Encoded>> by_source(plan.sources.size(), std::vector<Encoded>(prompts.size()));
  for (std::size_t s = 0; s < plan.sources.size(); ++s) {
    if (plan.sources[s].absent) continue;
    std::map<std::size_t, std::vector<std::size_t>> by_length;
    for (std::size_t p = 0; p < prompts.size(); ++p) {
      if (!prompts[p].zeros) by_length[prompts[p].rows[s].ids.size()].push_back(p);
    }
    for (const auto& [length, which] : by_length) {
      encode_alike(stage, plan.sources[s], s, prompts, which, by_source[s]);
    }
  }
  std::vector<TextStates> states;
  for (std::size_t p = 0; p < prompts.size(); ++p) states.push_back(join(plan, by_source, p, prompts[p].zeros));
  return states;
}

}  // namespace thimble::diffusion
