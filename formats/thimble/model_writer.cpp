// Writing of Thimble models, tensor by tensor, with a change of float type on the way.
#include <cmath>

#include "base/checksum.h"
#include "base/error.h"
#include "formats/thimble/model_file.h"

namespace thimble::formats {
namespace {

constexpr std::size_t kChunk = 1 << 16;  // elements converted at a time

// Values that were finite and are not any more would ruin a network silently.
void check_still_finite(std::span<const float> before, std::span<const float> after, const std::string& name,
                        DType stored) {
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (std::isfinite(before[i]) && !std::isfinite(after[i])) {
      fail(ErrorKind::bad_input, "tensor '{}' holds {}, which {} cannot store; bf16 or f32 can", name, before[i],
           to_string(stored));
    }
  }
}

// Passes on what a tensor's turn brings, and sums it up.
class Sink {
 public:
  Sink(SafetensorsWriter& out, const std::string& name) : out_(out), name_(name) {}
  void write(std::span<const std::byte> bytes) {
    out_.write(name_, bytes);
    sum_.add(bytes);
  }
  std::uint64_t sum() const { return sum_.value(); }

 private:
  SafetensorsWriter& out_;
  const std::string& name_;
  Checksum sum_;
};

void append(std::vector<std::byte>& bytes, std::uint64_t value) {
  for (int i = 0; i < 8; ++i) bytes.push_back(static_cast<std::byte>(value >> (8 * i) & 0xff));
}

void write_converted(Sink& out, const std::string& name, DType from, DType stored, std::span<const std::byte> data) {
  const std::size_t n = data.size() / size_of(from);
  std::vector<std::byte> converted;
  std::vector<float> before, after;
  for (std::size_t begin = 0; begin < n; begin += kChunk) {
    const std::size_t count = std::min(kChunk, n - begin);
    const std::byte* src = data.data() + begin * size_of(from);
    converted.resize(count * size_of(stored));
    convert(from, src, stored, converted.data(), count);
    if (size_of(stored) < size_of(from)) {
      before.resize(count);
      after.resize(count);
      convert(from, src, DType::f32, before.data(), count);
      convert(stored, converted.data(), DType::f32, after.data(), count);
      check_still_finite(before, after, name, stored);
    }
    out.write(converted);
  }
}

}  // namespace

ModelWriter::ModelWriter(Json header) : header_(std::move(header)) {
  if (!header_.is_object()) fail(ErrorKind::bad_input, "model header is {}, an object was wanted", header_.type_name());
  header_["format_version"] = kModelFormatVersion;
  try {
    validate_model_header(header_, "model header");
    static_cast<void>(header_.dump());
  } catch (const Error& e) {
    throw Error(ErrorKind::bad_input, e.what());
  } catch (const Json::exception&) {
    fail(ErrorKind::bad_input, "model header holds text that is not valid UTF-8");
  }
}

void ModelWriter::insert(const std::string& part, const std::string& parameter, Source source) {
  if (!header_["parts"].contains(part))
    fail(ErrorKind::bad_input, "model header has no part '{}' for tensor '{}'", part, parameter);
  if (source.from != source.stored && !(is_float(source.from) && is_float(source.stored))) {
    fail(ErrorKind::bad_input, "tensor '{}.{}' cannot be stored as {} from {}", part, parameter,
         to_string(source.stored), to_string(source.from));
  }
  const std::string name = part + "." + parameter;
  if (!tensors_.emplace(name, std::move(source)).second)
    fail(ErrorKind::bad_input, "tensor '{}' was added twice", name);
}

void ModelWriter::add(const std::string& part, const std::string& parameter, DType dtype,
                      std::vector<std::int64_t> shape, std::span<const std::byte> data, DType stored) {
  insert(part, parameter, {dtype, stored, std::move(shape), data, nullptr});
}

void ModelWriter::add(const std::string& part, const std::string& parameter, DType dtype,
                      std::vector<std::int64_t> shape, std::function<std::vector<std::byte>()> make, DType stored) {
  insert(part, parameter, {dtype, stored, std::move(shape), {}, std::move(make)});
}

void ModelWriter::write(const std::filesystem::path& path) const {
  std::vector<TensorSpec> specs;
  for (const auto& [name, source] : tensors_) specs.push_back({name, source.stored, source.shape});
  const auto rows = static_cast<std::int64_t>(tensors_.size()) + 1;
  specs.push_back({kChecksumsTensor, DType::u8, {rows, 8}});
  const std::string header = header_.dump();
  SafetensorsWriter out(path, std::move(specs), {{kModelMetadataKey, header}});
  std::map<std::string, std::uint64_t> sums;
  for (const TensorSpec& spec : out.order()) {
    if (spec.name == kChecksumsTensor) continue;
    const Source& source = tensors_.at(spec.name);
    const auto made = source.make ? source.make() : std::vector<std::byte>{};
    const std::span<const std::byte> data = source.make ? std::span<const std::byte>(made) : source.borrowed;
    const std::size_t wanted = TensorSpec{spec.name, source.from, spec.shape}.bytes();
    if (data.size() != wanted) {
      fail(ErrorKind::bad_input, "tensor '{}' has {} bytes, its shape wants {}", spec.name, data.size(), wanted);
    }
    Sink sink(out, spec.name);
    if (source.from == source.stored) {
      sink.write(data);
    } else {
      write_converted(sink, spec.name, source.from, source.stored, data);
    }
    sums[spec.name] = sink.sum();
  }
  std::vector<std::byte> bytes;
  append(bytes, checksum(std::as_bytes(std::span(header))));
  for (const auto& [name, sum] : sums) append(bytes, sum);
  out.write(kChecksumsTensor, bytes);
  out.commit();
}

}  // namespace thimble::formats
