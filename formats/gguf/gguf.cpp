#include "formats/gguf/gguf.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>

#include "base/error.h"
#include "base/memory.h"
#include "formats/gguf/blocks.h"

namespace thimble::formats {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::string_view kMagic = "GGUF";
constexpr std::uint32_t kVersion = 3;
constexpr std::size_t kAlignment = 32, kMaxAlignment = 1 << 16;
constexpr std::uint64_t kMaxEntries = 1 << 20, kMaxName = 1 << 16, kMaxText = 1 << 24;
constexpr int kMaxDimensions = 4;

struct PlainType {
  std::string_view name;  // as safetensors call it
  std::uint32_t id;
  std::size_t bytes;
};
constexpr std::array kPlainTypes{
    PlainType{"F32", 0, 4},  PlainType{"F16", 1, 2},  PlainType{"I8", 24, 1},  PlainType{"I16", 25, 2},
    PlainType{"I32", 26, 4}, PlainType{"I64", 27, 8}, PlainType{"F64", 28, 8}, PlainType{"BF16", 30, 2},
};

enum ValueType : std::uint32_t {
  kU8,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kF32,
  kBool,
  kString,
  kArray,
  kU64,
  kI64,
  kF64,
};
constexpr std::array<std::size_t, 13> kValueBytes{1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

class GgufCursor {
 public:
  GgufCursor(std::span<const std::byte> bytes, const std::string& name) : bytes_(bytes), name_(name) {}

  std::size_t at() const { return at_; }

  std::span<const std::byte> take(std::uint64_t n, std::string_view what) {
    if (n > bytes_.size() - at_) {
      fail(ErrorKind::bad_file, "{}: {} wants {} bytes at offset {}, the file ends at {}", name_, what, n, at_,
           bytes_.size());
    }
    const auto part = bytes_.subspan(at_, n);
    at_ += n;
    return part;
  }

  template <class T>
  T number(std::string_view what) {
    T value;
    std::memcpy(&value, take(sizeof(T), what).data(), sizeof(T));
    return value;
  }

  std::string text(std::string_view what, std::uint64_t limit) {
    const auto length = number<std::uint64_t>(what);
    if (length > limit) {
      fail(ErrorKind::bad_file, "{}: {} has {} bytes, at most {} are read", name_, what, length, limit);
    }
    const auto part = take(length, what);
    return std::string(reinterpret_cast<const char*>(part.data()), part.size());
  }

 private:
  std::span<const std::byte> bytes_;
  const std::string& name_;
  std::size_t at_ = 0;
};

Json read_value(GgufCursor& in, std::uint32_t type, const std::string& key, const std::string& file) {
  switch (type) {
    case kU8: return in.number<std::uint8_t>(key);
    case kI8: return in.number<std::int8_t>(key);
    case kU16: return in.number<std::uint16_t>(key);
    case kI16: return in.number<std::int16_t>(key);
    case kU32: return in.number<std::uint32_t>(key);
    case kI32: return in.number<std::int32_t>(key);
    case kF32: return in.number<float>(key);
    case kBool: return in.number<std::uint8_t>(key) != 0;
    case kString: return in.text(key, kMaxText);
    case kU64: return in.number<std::uint64_t>(key);
    case kI64: return in.number<std::int64_t>(key);
    case kF64: return in.number<double>(key);
    case kArray: {
      const auto element = in.number<std::uint32_t>(key);
      const auto count = in.number<std::uint64_t>(key);
      if (element == kString) {
        // Every text takes at least its length, so a count beyond the file ends soon.
        for (std::uint64_t i = 0; i < count; ++i) in.text(key, kMaxText);
      } else if (element < kValueBytes.size() && element != kArray) {
        const std::size_t width = kValueBytes[element];
        if (count > std::numeric_limits<std::uint64_t>::max() / width) {
          fail(ErrorKind::bad_file, "{}: '{}' has {} elements", file, key, count);
        }
        in.take(count * width, key);
      } else {
        fail(ErrorKind::unsupported, "{}: '{}' is an array of the type {}, which is not read", file, key, element);
      }
      return count;
    }
    default: fail(ErrorKind::bad_file, "{}: '{}' has the type {}, 0 to 12 were wanted", file, key, type);
  }
}

struct TypeSize {
  std::string name;
  std::size_t elements = 1, bytes = 0;  // of a block; bytes 0: not known
};

TypeSize type_size(std::uint32_t id) {
  for (const PlainType& t : kPlainTypes) {
    if (t.id == id) return {std::string(t.name), 1, t.bytes};
  }
  for (const BlockType& t : block_types()) {
    if (t.id == id) return {std::string(t.name), t.elements, t.bytes};
  }
  return {fmt::format("ggml type {}", id), 1, 0};
}

struct Entry {
  std::string name;
  TypeSize type;
  std::vector<std::int64_t> shape;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
};

Entry read_entry(GgufCursor& in, std::uint64_t size, const std::string& file) {
  Entry e;
  e.name = in.text("the name of a tensor", kMaxName);
  const auto rank = in.number<std::uint32_t>(e.name);
  if (rank > kMaxDimensions) fail(ErrorKind::bad_file, "{}: tensor '{}' has {} dimensions", file, e.name, rank);
  std::uint64_t elements = 1;
  for (std::uint32_t i = 0; i < rank; ++i) {
    const auto n = in.number<std::uint64_t>(e.name);
    // An element takes at least a quarter of a byte: more than four times the file cannot be.
    if (n == 0 || n > 4 * size || elements > 4 * size / n) {
      fail(ErrorKind::bad_file, "{}: tensor '{}' has a side of {}", file, e.name, n);
    }
    elements *= n;
    e.shape.insert(e.shape.begin(), static_cast<std::int64_t>(n));
  }
  e.type = type_size(in.number<std::uint32_t>(e.name));
  e.offset = in.number<std::uint64_t>(e.name);
  const auto row = static_cast<std::uint64_t>(e.shape.empty() ? 1 : e.shape.back());
  if (row % e.type.elements != 0) {
    fail(ErrorKind::bad_file, "{}: rows of tensor '{}' have {} elements, no multiple of the {} of {}", file, e.name,
         row, e.type.elements, e.type.name);
  }
  e.bytes = elements / e.type.elements * e.type.bytes;
  return e;
}

}  // namespace

bool is_gguf(std::span<const std::byte> bytes) {
  return bytes.size() >= kMagic.size() && std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) == 0;
}

GgufFile GgufFile::open(const std::filesystem::path& path) {
  auto file = MappedFile::open(path);
  GgufFile parsed = parse(file->bytes(), path.string());
  parsed.file_ = std::move(file);
  return parsed;
}

GgufFile GgufFile::parse(std::span<const std::byte> bytes, std::string name) {
  GgufFile file;
  file.name_ = std::move(name);
  if (!is_gguf(bytes)) fail(ErrorKind::bad_file, "{} is no GGUF file: it does not begin with GGUF", file.name_);
  GgufCursor in(bytes, file.name_);
  in.take(kMagic.size(), "the magic");
  const auto version = in.number<std::uint32_t>("the version");
  if (version < 2 || version > kVersion) {
    fail(ErrorKind::unsupported, "{}: GGUF version {}, 2 and 3 are read", file.name_, version);
  }
  const auto tensors = in.number<std::uint64_t>("the number of tensors");
  const auto entries = in.number<std::uint64_t>("the number of entries");
  if (tensors > kMaxEntries || entries > kMaxEntries) {
    fail(ErrorKind::bad_file, "{}: {} tensors and {} entries, at most {} are read", file.name_, tensors, entries,
         kMaxEntries);
  }
  for (std::uint64_t i = 0; i < entries; ++i) {
    std::string key = in.text("the key of an entry", kMaxName);
    const auto type = in.number<std::uint32_t>(key);
    Json value = read_value(in, type, key, file.name_);
    file.metadata_.insert_or_assign(std::move(key), std::move(value));
  }
  std::size_t alignment = kAlignment;
  if (const auto it = file.metadata_.find("general.alignment"); it != file.metadata_.end()) {
    const bool whole = it->second.is_number_unsigned();
    alignment = whole ? it->second.get<std::size_t>() : 0;
    if (!std::has_single_bit(alignment) || alignment > kMaxAlignment) {
      fail(ErrorKind::bad_file, "{}: general.alignment is no power of two up to {}", file.name_, kMaxAlignment);
    }
  }
  std::vector<Entry> list;
  for (std::uint64_t i = 0; i < tensors; ++i) list.push_back(read_entry(in, bytes.size(), file.name_));
  const std::size_t start = round_up(in.at(), alignment);
  for (Entry& e : list) {
    if (start > bytes.size() || e.offset > bytes.size() - start || e.bytes > bytes.size() - start - e.offset ||
        e.offset % alignment != 0) {
      fail(ErrorKind::bad_file, "{}: tensor '{}' has {} bytes at offset {} of {} bytes of data", file.name_, e.name,
           e.bytes, e.offset, bytes.size() - std::min(start, bytes.size()));
    }
    TensorInfo info(e.name, e.type.name, std::move(e.shape), bytes.subspan(start + e.offset, e.bytes));
    if (!file.tensors_.emplace(e.name, std::move(info)).second) {
      fail(ErrorKind::bad_file, "{}: there are two tensors '{}'", file.name_, e.name);
    }
  }
  return file;
}

std::size_t GgufSpec::bytes() const {
  std::size_t elements = 1;
  for (const std::int64_t n : shape) elements *= static_cast<std::size_t>(n);
  for (const PlainType& t : kPlainTypes) {
    if (t.name == stored_type) return elements * t.bytes;
  }
  const BlockType* type = find_block_type(stored_type);
  if (type == nullptr || shape.empty() || shape.back() % static_cast<std::int64_t>(type->elements) != 0) {
    fail(ErrorKind::bad_input, "tensor '{}' {} cannot be stored as {}", name, graph::to_string(shape), stored_type);
  }
  return elements / type->elements * type->bytes;
}

GgufWriter::GgufWriter(const std::filesystem::path& path, std::vector<GgufSpec> tensors,
                       const std::map<std::string, std::string>& metadata)
    : tensors_(std::move(tensors)), file_(path) {
  std::string head(kMagic);
  const auto put = [&](auto value) { head.append(reinterpret_cast<const char*>(&value), sizeof(value)); };
  const auto put_text = [&](std::string_view text) {
    put(static_cast<std::uint64_t>(text.size()));
    head += text;
  };
  put(kVersion);
  put(static_cast<std::uint64_t>(tensors_.size()));
  put(static_cast<std::uint64_t>(metadata.size()));
  for (const auto& [key, value] : metadata) {
    put_text(key);
    put(static_cast<std::uint32_t>(kString));
    put_text(value);
  }
  std::uint64_t offset = 0;
  for (const GgufSpec& t : tensors_) {
    if (t.shape.size() > kMaxDimensions) {
      fail(ErrorKind::bad_input, "tensor '{}' has {} dimensions, GGUF stores {}", t.name, t.shape.size(),
           kMaxDimensions);
    }
    put_text(t.name);
    put(static_cast<std::uint32_t>(t.shape.size()));
    for (std::size_t i = t.shape.size(); i-- > 0;) put(static_cast<std::uint64_t>(t.shape[i]));
    const auto plain = std::ranges::find(kPlainTypes, t.stored_type, &PlainType::name);
    const BlockType* block = find_block_type(t.stored_type);
    const std::size_t bytes = t.bytes();  // refuses a type that is none
    put(plain != kPlainTypes.end() ? plain->id : block->id);
    put(offset);
    offset += round_up(bytes, kAlignment);
  }
  head.resize(round_up(head.size(), kAlignment), '\0');
  file_.write(head);
}

void GgufWriter::write(std::string_view name, std::span<const std::byte> bytes) {
  check(current_ < tensors_.size() && tensors_[current_].name == name && tensors_[current_].bytes() == bytes.size(),
        "GgufWriter: tensors come whole and in order");
  ++current_;
  file_.write(bytes.data(), bytes.size());
  file_.write(std::string(round_up(bytes.size(), kAlignment) - bytes.size(), '\0'));
}

void GgufWriter::commit() {
  check(current_ == tensors_.size(), "GgufWriter: every tensor is written");
  file_.commit();
}

}  // namespace thimble::formats
