#include "api/convert.h"

#include <unistd.h>
#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <set>

#include "base/error.h"
#include "base/json.h"
#include "formats/diffusers/single_file.h"
#include "formats/gguf/blocks.h"
#include "formats/gguf/gguf.h"
#include "formats/thimble/model_file.h"

namespace thimble::api {
namespace {

namespace fs = std::filesystem;
using formats::DiffusersModel;
using formats::DiffusersPart;
using formats::TensorInfo;

// A tensor to be written, read when its turn comes.
struct Outgoing {
  std::string name;
  graph::TensorType type;  // as it is written
  std::function<graph::Tensor()> read;
};

class Work {
 public:
  Work(const ConvertOptions& options, const ProgressFn& progress, const CancelToken* cancel)
      : options(options), progress_(progress), cancel_(cancel) {}

  DType written_as(DType stored) const { return is_float(stored) ? options.precision.value_or(stored) : stored; }

  graph::Tensor converted(const Outgoing& o) {
    if (cancel_ != nullptr) cancel_->throw_if_cancelled();
    graph::Tensor t = o.read().to(o.type.dtype);
    if (o.type.dtype == DType::f16) check_range(t, o.name);
    if (progress_) progress_(++done_, total_, {});
    return t;
  }
  void expect(std::size_t tensors) { total_ += static_cast<std::int64_t>(tensors); }

  const ConvertOptions& options;

 private:
  static void check_range(const graph::Tensor& t, const std::string& name) {
    for (const f16 v : t.as<f16>()) {
      if ((v.bits & 0x7fff) == 0x7c00) {
        fail(ErrorKind::bad_input, "tensor '{}' has values beyond f16, which ends at 65504; bf16 or f32 hold them",
             name);
      }
    }
  }

  const ProgressFn& progress_;
  const CancelToken* cancel_;
  std::int64_t done_ = 0, total_ = 0;
};

graph::Tensor plain_tensor(const TensorInfo& info, const std::shared_ptr<const void>& owner) {
  return formats::find_block_type(info.stored_type()) != nullptr ? formats::expand_blocks(info, DType::bf16)
                                                                 : formats::map_tensor(info, owner);
}

DType plain_type(const TensorInfo& info) { return info.supported() ? info.dtype() : DType::bf16; }

std::vector<Outgoing> outgoing_of(const Work& work, const graph::Weights& weights,
                                  const std::function<std::string(const std::string&)>& rename) {
  std::vector<Outgoing> list;
  for (const std::string& name : weights.names()) {
    const graph::Tensor t = weights.at(name);
    list.push_back({rename(name), {work.written_as(t.type().dtype), t.shape()}, [t] { return t; }});
  }
  return list;
}

// A tensor of a single file, from those of a part.
Outgoing composed(const Work& work, const graph::Weights& weights, const formats::OriginalTensor& o) {
  using Form = formats::OriginalTensor::Form;
  std::vector<graph::Tensor> from;
  for (const std::string& name : o.sources) from.push_back(weights.at(name));
  graph::Shape shape = from.front().shape();
  for (std::size_t i = 1; i < from.size(); ++i) {
    if (from[i].shape() != from[0].shape()) {
      fail(ErrorKind::bad_file, "'{}' is {} and '{}' {}; they belong into one tensor and must be alike", o.sources[0],
           graph::to_string(from[0].shape()), o.sources[i], graph::to_string(from[i].shape()));
    }
    shape[0] += from[i].shape()[0];
  }
  if (o.form == Form::filter && shape.size() == 2) shape.insert(shape.end(), {1, 1});
  if (o.form == Form::transposed) std::swap(shape.at(0), shape.at(1));
  const DType stored = from.front().type().dtype;
  return {o.name, {work.written_as(stored), shape}, [from, shape, stored, form = o.form] {
            if (from.size() == 1 && form != Form::transposed) return from[0].reshaped(shape);
            graph::Tensor made(graph::TensorType{stored, shape});
            std::byte* to = made.mutable_data();
            if (form != Form::transposed) {
              for (const graph::Tensor& t : from) {
                const graph::Tensor same = t.to(stored);
                to = std::copy_n(same.data(), same.type().bytes(), to);
              }
              return made;
            }
            const std::size_t width = size_of(stored), rows = static_cast<std::size_t>(shape[1]);
            for (std::size_t i = 0; i < static_cast<std::size_t>(made.type().elements()); ++i) {
              const std::size_t source = i % rows * static_cast<std::size_t>(shape[0]) + i / rows;
              std::memcpy(to + i * width, from[0].data() + source * width, width);
            }
            return made;
          }};
}

// All tensors of a single file, or of a directory's parts under the names that a single file has.
std::vector<Outgoing> single_file_tensors(const Work& work, const fs::path& from, const DiffusersModel& model) {
  std::vector<Outgoing> list;
  if (!fs::is_directory(from) && from.filename() != "model_index.json") {
    const auto checkpoint = std::make_shared<formats::OpenCheckpoint>(formats::OpenCheckpoint::open(from));
    for (const auto& [name, info] : checkpoint->tensors()) {
      list.push_back({name, {work.written_as(plain_type(info)), info.shape}, [checkpoint, name = name] {
                        return plain_tensor(checkpoint->tensors().at(name), checkpoint);
                      }});
    }
    return list;
  }
  const DiffusersPart* second = model.find("text_encoder_2");
  const bool xl = second != nullptr && second->class_name == "CLIPTextModelWithProjection";
  for (const DiffusersPart& part : model.parts) {
    const graph::Weights weights = part.weights();
    for (const formats::OriginalTensor& o : formats::original_tensors(part, weights.names(), xl)) {
      list.push_back(composed(work, weights, o));
    }
  }
  return list;
}

void write_safetensors(Work& work, const fs::path& to, const std::vector<Outgoing>& list) {
  std::vector<formats::TensorSpec> specs;
  std::map<std::string, const Outgoing*> by_name;
  for (const Outgoing& o : list) {
    specs.push_back({o.name, o.type.dtype, o.type.shape});
    by_name[o.name] = &o;
  }
  formats::SafetensorsWriter out(to, specs, {{"format", "pt"}});
  for (const formats::TensorSpec& s : out.order()) {
    const graph::Tensor t = work.converted(*by_name.at(s.name));
    out.write(s.name, {t.data(), t.type().bytes()});
  }
  out.commit();
}

// GGUF has no booleans and bytes; such tensors are no weights of a network.
std::string gguf_type(const Outgoing& o, bool q8_0) {
  const bool matrix =
      o.type.shape.size() == 2 && o.type.shape[1] % 32 == 0 && o.name.find("embedding") == std::string::npos;
  if (q8_0 && is_float(o.type.dtype)) return matrix ? "Q8_0" : o.type.shape.size() < 2 ? "F32" : "F16";
  switch (o.type.dtype) {
    case DType::f32: return "F32";
    case DType::f16: return "F16";
    case DType::bf16: return "BF16";
    case DType::f64: return "F64";
    case DType::i64: return "I64";
    case DType::i32: return "I32";
    case DType::i8: return "I8";
    default: fail(ErrorKind::unsupported, "tensor '{}' is {}, which GGUF does not store", o.name, to_string(o.type));
  }
}

void write_gguf(Work& work, const fs::path& to, std::vector<Outgoing> list) {
  std::vector<formats::GgufSpec> specs;
  for (Outgoing& o : list) {
    specs.push_back({o.name, gguf_type(o, work.options.q8_0), o.type.shape});
    if (!work.options.q8_0 || !is_float(o.type.dtype)) continue;
    o.type.dtype = specs.back().stored_type == "F16" ? DType::f16 : DType::f32;
  }
  formats::GgufWriter out(to, specs, {{"general.architecture", "sd"}});
  for (std::size_t i = 0; i < list.size(); ++i) {
    const graph::Tensor t = work.converted(list[i]);
    if (specs[i].stored_type != "Q8_0") {
      out.write(specs[i].name, {t.data(), t.type().bytes()});
      continue;
    }
    const auto values = t.as<float>();
    if (!std::ranges::all_of(values, [](float v) { return std::isfinite(v); })) {
      fail(ErrorKind::bad_input, "tensor '{}' holds values that are no numbers, which Q8_0 cannot store", list[i].name);
    }
    std::vector<std::byte> blocks(specs[i].bytes());
    formats::write_q8_0(values.data(), values.size(), blocks.data());
    out.write(specs[i].name, blocks);
  }
  out.commit();
}

// A folder that appears whole, or not at all.
class NewFolder {
 public:
  explicit NewFolder(fs::path target) : target_(std::move(target)) {
    if (!target_.has_filename()) target_ = target_.parent_path();  // "model/"
    if (fs::exists(target_)) fail(ErrorKind::bad_input, "{} is there already; name a new folder", target_.string());
    temporary_ = target_;
    temporary_ += fmt::format(".{}.tmp", ::getpid());
    std::error_code error;
    if (!fs::create_directory(temporary_, error)) {
      fail(ErrorKind::io, "cannot make the folder {}: {}", temporary_.string(), error.message());
    }
  }
  ~NewFolder() {
    std::error_code ignored;
    fs::remove_all(temporary_, ignored);
  }
  const fs::path& path() const { return temporary_; }
  void commit() {
    std::error_code error;
    fs::rename(temporary_, target_, error);
    if (error) fail(ErrorKind::io, "cannot rename {}: {}", temporary_.string(), error.message());
  }

 private:
  fs::path target_, temporary_;
};

bool is_text_class(const std::string& name) {
  return name.starts_with("CLIP") || name.starts_with("T5") || name.starts_with("Gemma");
}

Json model_index_of(const DiffusersModel& model) {
  Json index = model.settings;
  index["_class_name"] = model.pipeline_class;
  for (const DiffusersPart& p : model.parts) {
    index[p.name] = {is_text_class(p.class_name) ? "transformers" : "diffusers", p.class_name};
  }
  for (const auto& t : model.tokenizers) index[t.name] = {"transformers", t.class_name};
  for (const std::string& name : model.absent) index[name] = {nullptr, nullptr};
  if (!model.scheduler_class.empty()) index["scheduler"] = {"diffusers", model.scheduler_class};
  return index;
}

std::size_t write_directory(Work& work, const fs::path& from, const fs::path& to, const DiffusersModel& model) {
  NewFolder folder(to);
  std::size_t tensors = 0;
  for (const DiffusersPart& part : model.parts) {
    const fs::path inner = folder.path() / part.name;
    fs::create_directory(inner);
    Json config = part.config;
    if (!is_text_class(part.class_name)) config["_class_name"] = part.class_name;
    write_file(inner / "config.json", config.dump(2) + "\n");
    const auto list = outgoing_of(work, part.weights(), [](const std::string& name) { return name; });
    work.expect(list.size());
    tensors += list.size();
    write_safetensors(
        work, inner / (is_text_class(part.class_name) ? "model.safetensors" : "diffusion_pytorch_model.safetensors"),
        list);
    part.release_pages();
  }
  if (!model.scheduler_class.empty()) {
    Json scheduler = model.scheduler;
    scheduler["_class_name"] = model.scheduler_class;
    fs::create_directory(folder.path() / "scheduler");
    write_file(folder.path() / "scheduler" / "scheduler_config.json", scheduler.dump(2) + "\n");
  }
  const fs::path root = fs::is_directory(from) ? from : from.parent_path();
  for (const auto& t : model.tokenizers) {
    std::error_code error;
    if (fs::is_directory(root / t.name)) fs::copy(root / t.name, folder.path() / t.name, error);
    if (error) fail(ErrorKind::io, "cannot copy {}: {}", (root / t.name).string(), error.message());
  }
  write_file(folder.path() / "model_index.json", model_index_of(model).dump(2) + "\n");
  folder.commit();
  return tensors;
}

std::size_t convert_thimble(Work& work, const fs::path& from, const fs::path& to) {
  const auto model = formats::ModelFile::open(from);
  formats::ModelWriter out(model.header);
  std::size_t tensors = 0;
  for (const std::string& part : model.parts()) {
    for (const auto& [name, info] : model.tensors(part)) {
      out.add(part, name, info.dtype(), info.shape, info.data(), work.written_as(info.dtype()));
      ++tensors;
    }
  }
  out.write(to);
  return tensors;
}

bool is_thimble_model(const fs::path& path) {
  if (fs::is_directory(path) || formats::is_gguf(MappedFile::open(path)->bytes())) return false;
  try {
    return formats::SafetensorsFile::open(path).metadata().contains(formats::kModelMetadataKey);
  } catch (const Error&) {
    return false;  // the reader of published files says what is wrong
  }
}

std::uintmax_t size_on_disk(const fs::path& path) {
  if (!fs::is_directory(path)) return fs::file_size(path);
  std::uintmax_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(path)) {
    if (entry.is_regular_file()) bytes += entry.file_size();
  }
  return bytes;
}

}  // namespace

Converted convert_model(const fs::path& from, const fs::path& to, const ConvertOptions& options,
                        const ProgressFn& progress, const CancelToken* cancel) {
  if (!fs::exists(from))
    fail(ErrorKind::io, "{} does not exist, a model's directory or file was wanted", from.string());
  const std::string end = to.extension().string();
  const bool gguf = end == ".gguf", file = gguf || end == ".safetensors";
  if (file) check_writable(to);
  if (options.q8_0 && !gguf) fail(ErrorKind::bad_input, "q8_0 is a form of GGUF files; end the output's name in .gguf");
  std::error_code same_error;
  if (fs::exists(to) && fs::equivalent(from, to, same_error)) {
    fail(ErrorKind::bad_input, "{} would be written over itself; name another output", from.string());
  }
  Work work(options, progress, cancel);
  Converted made;
  if (is_thimble_model(from)) {
    if (!file || gguf) {
      fail(ErrorKind::bad_input,
           "a Thimble model becomes a Thimble model alone; end the output's name in .safetensors");
    }
    made.form = "Thimble model";
    made.tensors = convert_thimble(work, from, to);
  } else {
    const DiffusersModel model = DiffusersModel::open(from);
    if (file) {
      auto list = single_file_tensors(work, from, model);
      made.tensors = list.size();
      work.expect(list.size());
      made.form = gguf ? "GGUF file" : "single file";
      gguf ? write_gguf(work, to, std::move(list)) : write_safetensors(work, to, list);
    } else {
      made.form = "diffusers directory";
      made.tensors = write_directory(work, from, to, model);
    }
  }
  made.bytes = size_on_disk(to.has_filename() ? to : to.parent_path());
  return made;
}

}  // namespace thimble::api
