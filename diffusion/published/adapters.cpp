#include "diffusion/published/adapters.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "models/clip_text.h"

namespace thimble::diffusion {
namespace {

constexpr std::string_view kTokenTable = "text_model.embeddings.token_embedding.weight";

// A matrix, or a filter as (outputs, inputs * window).
struct MatrixShape {
  std::size_t rows = 0, columns = 0;
};

MatrixShape matrix_shape(const graph::Shape& shape) {
  MatrixShape m{static_cast<std::size_t>(shape[0]), 1};
  for (std::size_t i = 1; i < shape.size(); ++i) m.columns *= static_cast<std::size_t>(shape[i]);
  return m;
}

// A product of the two that is a change of a tensor of this shape; bad_input otherwise.
void check_fits(const formats::LoraUpdate& u, const graph::Shape& shape, const std::string& file) {
  const MatrixShape w = matrix_shape(shape), down = matrix_shape(u.down.shape()), up = matrix_shape(u.up.shape());
  if (shape.size() < 2 || up.rows != w.rows || down.columns != w.columns || up.columns != down.rows) {
    fail(ErrorKind::bad_input, "{} is for another model: '{}' is {} here, its matrices are {} and {}", file,
         u.parameter, graph::to_string(shape), graph::to_string(u.down.shape()), graph::to_string(u.up.shape()));
  }
}

void add_product(std::span<float> to, const formats::LoraUpdate& u, double scale) {
  const graph::Tensor down = u.down.to(DType::f32), up = u.up.to(DType::f32);
  const auto d = down.as<float>(), b = up.as<float>();
  const MatrixShape shape = matrix_shape(down.shape());
  const std::size_t rank = shape.rows, columns = shape.columns, rows = b.size() / rank;
  const double factor = scale * u.factor;
  for (std::size_t r = 0; r < rows; ++r) {
    float* row = to.data() + r * columns;
    for (std::size_t k = 0; k < rank; ++k) {
      const auto f = static_cast<float>(factor * b[r * rank + k]);
      const float* from = d.data() + k * columns;
      for (std::size_t c = 0; c < columns; ++c) row[c] += f * from[c];
    }
  }
}

graph::Tensor with_rows(const graph::Tensor& table, const std::vector<graph::Tensor>& rows) {
  graph::TensorType type = table.type();
  for (const graph::Tensor& r : rows) type.shape[0] += r.shape()[0];
  graph::Tensor grown(type);
  std::byte* to = std::copy_n(table.data(), table.type().bytes(), grown.mutable_data());
  for (const graph::Tensor& r : rows) {
    const auto n = static_cast<std::size_t>(r.type().elements());
    convert(DType::f32, r.data(), type.dtype, to, n);
    to += n * size_of(type.dtype);
  }
  return grown;
}

}  // namespace

Adapters::Adapters(const formats::DiffusersModel& model, std::string_view denoiser,
                   const std::vector<LoraChoice>& loras, const std::vector<EmbeddingChoice>& embeddings) {
  for (const LoraChoice& c : loras) add_lora(model, denoiser, c);
  for (const EmbeddingChoice& c : embeddings) add_embedding(model, c);
}

void Adapters::add_lora(const formats::DiffusersModel& model, std::string_view denoiser, const LoraChoice& choice) {
  const std::string name = choice.file.string();
  if (!(std::abs(choice.scale) <= 100)) {
    fail(ErrorKind::bad_input, "the scale of {} must lie between -100 and 100, {} came", name, choice.scale);
  }
  formats::LoraFile lora = formats::LoraFile::open(choice.file);
  for (const formats::DiffusersPart& part : model.parts) {
    const graph::Weights stored = part.weights();
    for (formats::LoraUpdate& u : lora.updates(part.name, part.name == denoiser, stored.names())) {
      check_fits(u, stored.at(u.parameter).shape(), name);
      loras_[part.name][u.parameter].push_back({std::move(u), choice.scale});
    }
  }
  const std::vector<std::string> left = lora.left();
  if (left.size() == lora.pairs()) {
    fail(ErrorKind::bad_input, "{} changes nothing of this model, which has no layer '{}'", name, left.front());
  }
  if (!left.empty()) {
    warnings_.push_back(fmt::format("{}: {} of {} layers are not in this model and were left out, such as '{}'", name,
                                    left.size(), lora.pairs(), left.front()));
  }
}

void Adapters::add_embedding(const formats::DiffusersModel& model, const EmbeddingChoice& choice) {
  const formats::EmbeddingFile file = formats::read_embedding(choice.file);
  std::string token = choice.token.empty() ? file.token : choice.token;
  if (token.empty()) token = choice.file.stem().string();
  if (token.empty() || token.find_first_of(" \t\r\n") != std::string::npos) {
    fail(ErrorKind::bad_input, "the word of {} must be one word without spaces, '{}' came", choice.file.string(),
         token);
  }
  std::string widths;
  for (const graph::Tensor& vectors : file.vectors) {
    bool taken = false;
    for (const formats::DiffusersPart& part : model.parts) {
      if (!part.class_name.starts_with("CLIPTextModel")) continue;
      const auto config = models::clip_text_from_json(part.config);
      widths += fmt::format("{}{} {}", widths.empty() ? "" : ", ", part.name, config.hidden_size);
      if (config.hidden_size != vectors.shape()[1]) continue;
      Added& added = embeddings_[part.name];
      for (const AddedWord& w : added.words) {
        if (w.token == token) fail(ErrorKind::bad_input, "two embeddings are called '{}'", token);
      }
      std::int32_t first = config.vocab_size;
      for (const AddedWord& w : added.words) first += w.count;
      added.words.push_back({token, first, static_cast<std::int32_t>(vectors.shape()[0])});
      added.rows.push_back(vectors);
      taken = true;
    }
    if (!taken) {
      fail(ErrorKind::bad_input, "{} has vectors of {} channels; the model's CLIP encoders have {}",
           choice.file.string(), vectors.shape()[1], widths.empty() ? "none, as there are none" : widths);
    }
  }
}

graph::Weights Adapters::applied(std::string_view part, graph::Weights stored,
                                 const std::set<std::string>& apart) const {
  if (const auto it = loras_.find(part); it != loras_.end()) {
    for (const auto& [parameter, updates] : it->second) {
      if (apart.contains(parameter)) continue;
      const graph::Tensor& before = stored.at(parameter);
      graph::Tensor sum(graph::TensorType{DType::f32, before.shape()});
      const auto values = sum.mutable_as<float>();
      convert(before.type().dtype, before.data(), DType::f32, values.data(), values.size());
      for (const Scaled& s : updates) add_product(values, s.update, s.scale);
      stored.set(parameter, std::move(sum));
    }
  }
  if (const auto it = embeddings_.find(part); it != embeddings_.end()) {
    const std::string table(kTokenTable);
    stored.set(table, with_rows(stored.at(table), it->second.rows));
  }
  return stored;
}

std::vector<passes::LowRank> Adapters::changes(std::string_view part, const std::string& parameter) const {
  std::vector<passes::LowRank> all;
  const auto of_part = loras_.find(part);
  if (of_part == loras_.end()) return all;
  const auto it = of_part->second.find(parameter);
  if (it == of_part->second.end()) return all;
  for (const Scaled& s : it->second) all.push_back({s.update.down, s.update.up, s.scale * s.update.factor});
  return all;
}

Json Adapters::config(const formats::DiffusersPart& part) const {
  Json config = part.config;
  if (const auto it = embeddings_.find(part.name); it != embeddings_.end()) {
    std::int64_t size = models::clip_text_from_json(part.config).vocab_size;
    for (const AddedWord& w : it->second.words) size += w.count;
    config["vocab_size"] = size;
  }
  return config;
}

const std::vector<AddedWord>& Adapters::words(std::string_view part) const {
  static const std::vector<AddedWord> none;
  const auto it = embeddings_.find(part);
  return it == embeddings_.end() ? none : it->second.words;
}

}  // namespace thimble::diffusion
