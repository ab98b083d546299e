// The choice of a reader, and what readers share.
#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "gauge/detect/names.h"
#include "gauge/model/folder.h"
#include "gauge/model/readers.h"
#include "gauge/probe.h"

namespace thimble::gauge {
namespace {

constexpr std::uint64_t kMostBeside = std::uint64_t{8} << 30;  // bytes of one file beside a model

Model tflite_of(const ModelSource& s) { return read_tflite(s.bytes, s.owner); }
Model onnx_of(const ModelSource& s) {
  return read_onnx(s.bytes, s.path.empty() ? std::filesystem::path() : std::filesystem::path(s.path).parent_path(),
                   s.owner);
}

// The probe whose structure the bytes have; of those that refuse, the reason of the one with the strongest claim.
std::string_view format_of(const ModelSource& s) {
  const Bytes head = s.bytes.first(std::min(s.bytes.size(), kHeadBytes));
  std::string reason;
  for (int wanted = 0; wanted < 3; ++wanted) {
    for (const ModelProbe* p : model_probes()) {
      const int claim = p->signature(head)                       ? 0
                        : has_suffix(s.path, p->own_suffixes)    ? 1
                        : has_suffix(s.path, p->shared_suffixes) ? 2
                                                                 : 3;
      if (claim != wanted || reader_of(p->format) == nullptr) continue;
      const ProbeResult r = p->validate({s.path, s.bytes, false, s.siblings});
      if (r.status == ModelStatus::ok) return p->format;
      if (reason.empty()) reason = fmt::format("{}: {}", p->format, r.reason);
    }
  }
  fail(ErrorKind::unsupported, "{}: {}", s.path, reason.empty() ? "of no format that is read whole" : reason);
}

}  // namespace

std::span<const ModelReader> model_readers() {
  static constexpr ModelReader kReaders[] = {
      {"tflite", tflite_of},
      {"onnx", onnx_of},
      {"tensorflow", read_tensorflow},
      {"savedmodel", read_saved_model},
      {"tfjs", read_tfjs},
      {"caffe", read_caffe},
      {"ncnn-param", read_ncnn},
      {"ncnn-param-bin", read_ncnn},
      {"mnn", read_mnn},
      {"pytorch", read_pytorch},
      {"coreml", read_coreml},
      {"dlc", read_dlc},
      {"gguf", read_gguf},
      {"safetensors", read_safetensors},
  };
  return kReaders;
}

const ModelReader* reader_of(std::string_view format) {
  const auto readers = model_readers();
  const auto it = std::ranges::find(readers, format, &ModelReader::format);
  return it == readers.end() ? nullptr : &*it;
}

Model read_model(Bytes bytes, const std::string& path, std::shared_ptr<const void> owner, const Siblings* siblings) {
  const ModelSource source{bytes, path, siblings, std::move(owner)};
  return reader_of(format_of(source))->read(source);
}

Model open_model(const std::filesystem::path& path) {
  const std::shared_ptr<const MappedFile> file = MappedFile::open(path);
  const FolderSiblings siblings(path.parent_path(), kMostBeside);
  return read_model(file->bytes(), path.string(), file, &siblings);
}

Model start_model(std::string_view format, const ModelSource& source) {
  Model model;
  model.format = format;
  model.owner = source.owner;
  model.content = source.bytes;
  return model;
}

std::optional<Bytes> part_of(Model& model, const ModelSource& source, const std::string& name) {
  if (source.siblings == nullptr) return std::nullopt;
  auto content = source.siblings->find(name);
  if (!content) return std::nullopt;
  model.parts.push_back(std::move(*content));
  return model.parts.back().bytes;
}

std::string stem_of(std::string_view path) {
  std::string name(path.substr(path.find_last_of("/!") + 1));
  if (const auto dot = name.rfind('.'); dot != std::string::npos && dot > 0) name.resize(dot);
  return name;
}

std::int32_t GraphBuilder::add(ModelTensor tensor) {
  graph_.tensors.push_back(std::move(tensor));
  graph_.outer.push_back(-1);
  return static_cast<std::int32_t>(graph_.tensors.size()) - 1;
}

std::int32_t GraphBuilder::write(std::string_view name) {
  ModelTensor t;
  t.name = name;
  t.has_shape = false;
  return names_[std::string(name)] = add(std::move(t));
}

std::int32_t GraphBuilder::read(std::string_view name) {
  const auto it = names_.find(name);
  return it != names_.end() ? it->second : write(name);
}

void GraphBuilder::input(ModelTensor tensor) {
  const std::string name = tensor.name;
  graph_.inputs.push_back(add(std::move(tensor)));
  names_[name] = graph_.inputs.back();
}

ModelOp& GraphBuilder::op(std::string type, std::string_view name) {
  ModelOp& out = graph_.ops.emplace_back();
  out.type = std::move(type);
  out.name = name;
  return out;
}

void GraphBuilder::close() {
  std::vector<bool> read(graph_.tensors.size(), false);
  for (const ModelOp& op : graph_.ops) {
    for (const std::int32_t i : op.inputs) {
      if (i >= 0) read[static_cast<std::size_t>(i)] = true;
    }
  }
  for (const ModelOp& op : graph_.ops) {
    for (const std::int32_t o : op.outputs) {
      if (o >= 0 && !read[static_cast<std::size_t>(o)]) graph_.outputs.push_back(o);
    }
  }
}

ModelTensor constant_tensor(std::string_view name, ElementType type, graph::Shape shape, Bytes bytes) {
  ModelTensor t;
  t.name = name;
  t.type = type;
  t.shape = std::move(shape);
  t.constant = true;
  t.bytes = bytes;
  if (t.shape.size() > 16) fail(ErrorKind::bad_file, "tensor '{}' has {} axes", printable(name), t.shape.size());
  std::uint64_t elements = 1;
  for (const std::int64_t d : t.shape) {
    if (d < 0 || __builtin_mul_overflow(elements, static_cast<std::uint64_t>(d), &elements)) {
      fail(ErrorKind::bad_file, "tensor '{}' has the shape {}", printable(name), graph::to_string(t.shape));
    }
  }
  if (elements > (std::uint64_t{1} << 46)) fail(ErrorKind::bad_file, "tensor '{}' is past any size", printable(name));
  const std::uint64_t wanted = (elements * static_cast<std::uint64_t>(type.bits) + 7) / 8;
  if (type.bits != 0 && wanted != bytes.size()) {
    fail(ErrorKind::bad_file, "tensor '{}' {} of {} has {} bytes", printable(name), graph::to_string(t.shape),
         type.name, bytes.size());
  }
  return t;
}

ModelTensor stored_tensor(Model& model, std::string_view name, graph::Shape shape, const std::vector<float>& values) {
  auto& bytes = model.storage.emplace_back(values.size() * sizeof(float));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return constant_tensor(name, element_type("f32"), std::move(shape), bytes);
}

}  // namespace thimble::gauge
