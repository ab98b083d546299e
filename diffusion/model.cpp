#include "diffusion/model.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <set>

#include "base/error.h"
#include "formats/safetensors/weights.h"
#include "models/autoencoder.h"
#include "models/dit.h"
#include "models/text_encoder.h"
#include "passes/quantize.h"
#include "text/byte_bpe.h"

namespace thimble::diffusion {
namespace {

using graph::Graph;
using graph::Shape;

constexpr std::array kKinds{
    GraphKind{"text_encoder", "text",
              [](const Json& c, int batch, int size) {
                return models::build_text_encoder(models::text_encoder_from_json(c), batch, size);
              }},
    GraphKind{
        "dit", "denoiser",
        [](const Json& c, int batch, int size) { return models::build_dit(models::dit_from_json(c), batch, size); }},
    GraphKind{"autoencoder", "encoder",
              [](const Json& c, int batch, int size) {
                return models::build_encoder(models::autoencoder_from_json(c), batch, size);
              }},
    GraphKind{"autoencoder", "decoder",
              [](const Json& c, int batch, int size) {
                return models::build_decoder(models::autoencoder_from_json(c), batch, size);
              }},
};

std::shared_ptr<const text::Tokenizer> read_tokenizer(const Json& json, const std::string& what) {
  const std::string type = get_string(json, "type", what);
  if (type == "byte_bpe") return std::make_shared<text::ByteBpe>(text::ByteBpe::from_json(json, what));
  fail(ErrorKind::unsupported, "{}: tokenizers of type '{}' are not known; byte_bpe is", what, type);
}

Part read_part(const formats::ModelFile& file, const char* name) {
  return {file.config(name), file.passes(name), formats::map_weights(file.tensors(name), file.file)};
}

Shape input_shape(const Graph& g, std::string_view name) {
  const auto id = g.find_input(name);
  if (!id) fail(ErrorKind::bad_file, "graph '{}' has no input '{}'", g.name, name);
  return g.type(*id).shape;
}

Shape output_shape(const Graph& g, std::string_view name) {
  for (const graph::NamedValue& o : g.outputs) {
    if (o.name == name) return g.type(o.value).shape;
  }
  fail(ErrorKind::bad_file, "graph '{}' has no output '{}'", g.name, name);
}

void require_equal(const Shape& a, const Shape& b, const char* what) {
  if (a != b)
    fail(ErrorKind::bad_file, "the parts do not fit: {} {} against {}", what, graph::to_string(a), graph::to_string(b));
}

// The passes that a file names, in order.
Graph rewritten(Graph g, const Json& list, std::string_view role) {
  for (const Json& pass : list) {
    const std::string name = get_string(pass, "name", "passes");
    if (name == "quantize") {
      const std::string what = fmt::format("the pass 'quantize' of the {}", role);
      g = passes::quantize(g, passes::layers_from_json(get_object(pass, "options", what), what));
    } else {
      fail(ErrorKind::unsupported,
           "the {} was rewritten by the pass '{}', which this Thimble does not know: a newer one is needed", role,
           name);
    }
  }
  return g;
}

}  // namespace

std::span<const GraphKind> graph_kinds() { return kKinds; }

graph::Graph build_graph(const Json& config, const Json& passes, std::string_view role, int batch, int size) {
  const std::string type = get_string(config, "type", "config");
  for (const GraphKind& kind : kKinds) {
    if (kind.type == type && kind.role == role) return rewritten(kind.build(config, batch, size), passes, role);
  }
  fail(ErrorKind::unsupported, "no {} can be built from a config of type '{}'", role, type);
}

passes::Split split_denoiser(const graph::Graph& denoiser) {
  std::set<std::string> prompt_only;
  for (const char* name : {"text", "pooled", "mask"}) {
    if (denoiser.find_input(name)) prompt_only.insert(name);
  }
  return passes::split_invariant(denoiser, prompt_only);
}

Model Model::open(const std::filesystem::path& path) { return from_file(formats::ModelFile::open(path)); }

Model Model::from_file(formats::ModelFile file) {
  return with_context(fmt::format("while opening the model {}", file.file->name()), [&] {
    Model m;
    m.name_ = file.name();
    m.licence_ = file.licence();
    m.source_ = file.file->name();
    m.header_ = file.header;
    m.facts_ = facts_from_json(get_object(file.header, "pipeline", "model header"), "model header: pipeline");
    m.tokenizer_ = read_tokenizer(get_object(file.header, "tokenizer", "model header"), "model header: tokenizer");
    m.text_ = read_part(file, kTextPart);
    m.denoiser_ = read_part(file, kDenoiserPart);
    m.autoencoder_ = read_part(file, kAutoencoderPart);
    m.mapped_ = file.file->file();
    try {
      m.check_parts();
    } catch (const Error& e) {
      // The builders speak of arguments; here the file gave them.
      if (e.kind() != ErrorKind::bad_input) throw;
      fail(ErrorKind::bad_file, "{}", e.message());
    }
    return m;
  });
}

void Model::check_parts() {
  const int length = facts_.text_buckets.back();
  const Graph text = text_graph(1, length), denoiser = denoiser_graph(1, length), decoder = decoder_graph(1);
  text_.weights.check_covers(text, kTextPart);
  denoiser_.weights.check_covers(denoiser, kDenoiserPart);
  autoencoder_.weights.check_covers(decoder, kAutoencoderPart);

  const Shape latent = input_shape(denoiser, "latent"), picture = output_shape(decoder, "image");
  require_equal(latent, input_shape(decoder, "latent"), "latent of denoiser and decoder");
  require_equal(output_shape(text, "pooled"), input_shape(denoiser, "pooled"), "pooled text of encoder and denoiser");
  require_equal(output_shape(text, "states"), input_shape(denoiser, "text"), "text of encoder and denoiser");
  if (picture.size() != 4 || (picture[3] != 3 && picture[3] != 4)) {
    fail(ErrorKind::bad_file, "the decoder makes {}; pictures of 3 or 4 channels were wanted",
         graph::to_string(picture));
  }
  latent_shape_ = {latent[1], latent[2], latent[3]};
  image_channels_ = static_cast<int>(picture[3]);

  const std::int64_t vocabulary = get_int(text_.config, "vocabulary", "text config");
  if (tokenizer_->vocab_size() > vocabulary) {
    fail(ErrorKind::bad_file, "the tokenizer has {} tokens, the text encoder knows {}", tokenizer_->vocab_size(),
         vocabulary);
  }
  for (const auto* per_channel : {&facts_.latent_shift, &facts_.latent_scale}) {
    if (per_channel->size() != 1 && per_channel->size() != static_cast<std::size_t>(latent[3])) {
      fail(ErrorKind::bad_file, "latent shift and scale want 1 or {} values, {} came", latent[3], per_channel->size());
    }
  }
}

graph::Graph Model::text_graph(int batch, int length) const {
  return build_graph(text_.config, text_.passes, "text", batch, length);
}
graph::Graph Model::denoiser_graph(int batch, int length) const {
  return build_graph(denoiser_.config, denoiser_.passes, "denoiser", batch, length);
}
graph::Graph Model::encoder_graph(int batch) const {
  return build_graph(autoencoder_.config, autoencoder_.passes, "encoder", batch, facts_.image_size);
}
graph::Graph Model::decoder_graph(int batch) const {
  return build_graph(autoencoder_.config, autoencoder_.passes, "decoder", batch, facts_.image_size);
}

void Model::to_denoiser(std::span<float> latent) const {
  const auto &shift = facts_.latent_shift, &scale = facts_.latent_scale;
  const auto channels = static_cast<std::size_t>(latent_shape_.back());
  for (std::size_t i = 0; i < latent.size(); ++i) {
    const std::size_t c = i % channels;
    latent[i] = (latent[i] - shift[c % shift.size()]) * scale[c % scale.size()];
  }
}

void Model::from_denoiser(std::span<float> latent) const {
  const auto &shift = facts_.latent_shift, &scale = facts_.latent_scale;
  const auto channels = static_cast<std::size_t>(latent_shape_.back());
  for (std::size_t i = 0; i < latent.size(); ++i) {
    const std::size_t c = i % channels;
    latent[i] = latent[i] / scale[c % scale.size()] + shift[c % shift.size()];
  }
}

void Model::release_pages() const {
  if (mapped_) mapped_->release_pages();
}

std::string Model::hash() const { return mapped_ ? sha256(mapped_->bytes()) : std::string(); }

}  // namespace thimble::diffusion
