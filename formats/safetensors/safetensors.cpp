// Reading and checking of one safetensors file. Every number of the header is a claim of a stranger: it is compared
// with the file's true size before it is used.
#include "formats/safetensors/safetensors.h"

#include <algorithm>
#include <array>
#include <limits>
#include <tuple>

#include "base/error.h"
#include "base/json.h"

namespace thimble::formats {
namespace {

struct StoredType {
  std::string_view name;
  std::size_t bits;
  std::optional<DType> dtype;
};

// All element types of the format; those without a DType are listed, and refused when their data is asked for.
constexpr std::array<StoredType, 22> kStoredTypes{{
    {"F64", 64, DType::f64},
    {"F32", 32, DType::f32},
    {"F16", 16, DType::f16},
    {"BF16", 16, DType::bf16},
    {"I64", 64, DType::i64},
    {"I32", 32, DType::i32},
    {"I8", 8, DType::i8},
    {"U8", 8, DType::u8},
    {"BOOL", 8, DType::boolean},
    {"I16", 16, std::nullopt},
    {"U16", 16, std::nullopt},
    {"U32", 32, std::nullopt},
    {"U64", 64, std::nullopt},
    {"F8_E4M3", 8, std::nullopt},
    {"F8_E5M2", 8, std::nullopt},
    {"F8_E8M0", 8, std::nullopt},
    {"F8_E4M3FNUZ", 8, std::nullopt},
    {"F8_E5M2FNUZ", 8, std::nullopt},
    {"F4", 4, std::nullopt},
    {"F6_E2M3", 6, std::nullopt},
    {"F6_E3M2", 6, std::nullopt},
    {"C64", 64, std::nullopt},
}};

const StoredType* find_type(std::string_view name) {
  const auto it = std::find_if(kStoredTypes.begin(), kStoredTypes.end(), [&](auto& t) { return t.name == name; });
  return it == kStoredTypes.end() ? nullptr : &*it;
}

// A JSON value that must be a whole number in [0, 2^63).
std::int64_t count_of(const Json& value, const std::string& where, std::string_view what) {
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() > std::numeric_limits<std::int64_t>::max()) {
    fail(ErrorKind::bad_file, "{}: {} must be a whole number from 0 to 2^63-1, found {}", where, what,
         value.is_number() ? value.dump() : std::string(value.type_name()));
  }
  return static_cast<std::int64_t>(value.get<std::uint64_t>());
}

struct Claim {
  std::int64_t begin, end;
  const std::string* tensor;
};

// Reads one entry of the header and checks it against the bytes that there are.
TensorInfo read_entry(const std::string& tensor, const Json& entry, std::span<const std::byte> data,
                      const std::string& where, std::vector<Claim>& claims) {
  const std::string type_name = get_string(entry, "dtype", where);
  const StoredType* type = find_type(type_name);
  if (type == nullptr) fail(ErrorKind::bad_file, "{}: unknown dtype '{}'", where, type_name.substr(0, 40));

  std::vector<std::int64_t> shape;
  // An empty tensor may have huge other dimensions; their product must still fit whoever multiplies them.
  std::int64_t bits = static_cast<std::int64_t>(type->bits);
  bool overflow = false, empty = false;
  const Json& dims = get_array(entry, "shape", where);
  for (const Json& d : dims) {
    shape.push_back(count_of(d, where, "a dimension of 'shape'"));
    empty |= shape.back() == 0;
    overflow |= __builtin_mul_overflow(bits, std::max<std::int64_t>(shape.back(), 1), &bits);
  }
  if (overflow)
    fail(ErrorKind::bad_file, "{}: shape {} overflows the number of bytes", where, dims.dump().substr(0, 80));
  if (empty) bits = 0;
  if (bits % 8 != 0)
    fail(ErrorKind::bad_file, "{}: {} bits of {} are no whole number of bytes", where, bits, type_name);

  const Json& offsets = get_array(entry, "data_offsets", where);
  if (offsets.size() != 2)
    fail(ErrorKind::bad_file, "{}: 'data_offsets' has {} values, 2 were wanted", where, offsets.size());
  const std::int64_t begin = count_of(offsets[0], where, "'data_offsets'");
  const std::int64_t end = count_of(offsets[1], where, "'data_offsets'");
  if (begin > end || static_cast<std::uint64_t>(end) > data.size()) {
    fail(ErrorKind::bad_file, "{}: data_offsets [{}, {}] lie outside the {} bytes of data (is the file truncated?)",
         where, begin, end, data.size());
  }
  if (end - begin != bits / 8) {
    fail(ErrorKind::bad_file, "{}: shape and dtype {} need {} bytes, data_offsets [{}, {}] give {}", where, type_name,
         bits / 8, begin, end, end - begin);
  }
  claims.push_back({begin, end, &tensor});
  return TensorInfo(tensor, type_name, std::move(shape),
                    data.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin)));
}

// The format wants the tensors to cover the data exactly: no overlap, no hole, nothing after the last.
void check_cover(std::vector<Claim>& claims, std::size_t data_bytes, const std::string& name) {
  std::sort(claims.begin(), claims.end(), [](const Claim& a, const Claim& b) {
    return std::tie(a.begin, a.end, *a.tensor) < std::tie(b.begin, b.end, *b.tensor);
  });
  std::int64_t covered = 0;
  for (const Claim& c : claims) {
    if (c.begin < covered) {
      fail(ErrorKind::bad_file, "{}: tensor '{}' at byte {} overlaps the tensor before it, which ends at {}", name,
           *c.tensor, c.begin, covered);
    }
    if (c.begin > covered) {
      fail(ErrorKind::bad_file, "{}: bytes {} to {} before tensor '{}' belong to no tensor", name, covered, c.begin,
           *c.tensor);
    }
    covered = c.end;
  }
  if (static_cast<std::uint64_t>(covered) != data_bytes) {
    fail(ErrorKind::bad_file, "{}: the tensors cover {} bytes, the file has {} bytes of data", name, covered,
         data_bytes);
  }
}

std::map<std::string, std::string> read_metadata(const Json& object, const std::string& name) {
  if (!object.is_object())
    fail(ErrorKind::bad_file, "{}: __metadata__ is {}, an object was wanted", name, object.type_name());
  std::map<std::string, std::string> metadata;
  for (const auto& [key, value] : object.items()) {
    if (!value.is_string()) {
      fail(ErrorKind::bad_file, "{}: __metadata__ key '{}' is {}, a string was wanted", name, key, value.type_name());
    }
    metadata.emplace(key, value.get<std::string>());
  }
  return metadata;
}

}  // namespace

TensorInfo::TensorInfo(std::string name, std::string stored_type, std::vector<std::int64_t> shape_of,
                       std::span<const std::byte> data)
    : shape(std::move(shape_of)), name_(std::move(name)), stored_type_(std::move(stored_type)), data_(data) {
  if (const StoredType* type = find_type(stored_type_)) dtype_ = type->dtype;
}

std::int64_t TensorInfo::elements() const {
  std::int64_t n = 1;
  for (const std::int64_t d : shape) n *= d;
  return n;
}

DType TensorInfo::dtype() const {
  if (!dtype_) {
    fail(ErrorKind::unsupported,
         "tensor '{}' is of type {}, which Thimble does not read (F64, F32, F16, BF16, I64, I32, I8, U8 and BOOL are)",
         name_, stored_type_);
  }
  return *dtype_;
}

std::span<const std::byte> TensorInfo::data() const {
  static_cast<void>(dtype());
  return data_;
}

SafetensorsFile SafetensorsFile::open(const std::filesystem::path& path) {
  auto mapped = MappedFile::open(path);
  SafetensorsFile file = parse(mapped->bytes(), path.string());
  file.file_ = std::move(mapped);
  return file;
}

SafetensorsFile SafetensorsFile::parse(std::span<const std::byte> bytes, std::string name) {
  SafetensorsFile file;
  file.name_ = std::move(name);
  const std::string& n = file.name_;
  if (bytes.size() < 8) fail(ErrorKind::bad_file, "{}: {} bytes are too few for a safetensors file", n, bytes.size());
  std::uint64_t length = 0;
  for (int i = 7; i >= 0; --i)
    length = length << 8 | std::to_integer<std::uint64_t>(bytes[static_cast<std::size_t>(i)]);
  if (length > kMaxSafetensorsHeader) {
    fail(ErrorKind::bad_file, "{}: header of {} bytes is over the limit of {} (is this a safetensors file?)", n, length,
         kMaxSafetensorsHeader);
  }
  if (length > bytes.size() - 8) {
    fail(ErrorKind::bad_file, "{}: header of {} bytes is longer than the file's {} (is it truncated?)", n, length,
         bytes.size());
  }
  const auto header_bytes = bytes.subspan(8, static_cast<std::size_t>(length));
  const auto data = bytes.subspan(8 + header_bytes.size());
  const std::string_view text(reinterpret_cast<const char*>(header_bytes.data()), header_bytes.size());
  if (text.empty() || text.front() != '{')
    fail(ErrorKind::bad_file, "{}: the header must begin with '{{' at byte 8", n);

  const Json header = parse_json(text, n + ": header", 8);
  std::vector<Claim> claims;
  for (const auto& [tensor, entry] : header.items()) {
    if (tensor == "__metadata__") {
      file.metadata_ = read_metadata(entry, n);
      continue;
    }
    const std::string where = n + ": tensor '" + tensor + "'";
    const auto at = file.tensors_.emplace(tensor, TensorInfo{}).first;
    at->second = read_entry(at->first, entry, data, where, claims);
  }
  check_cover(claims, data.size(), n);
  return file;
}

const TensorInfo* SafetensorsFile::find(const std::string& tensor) const {
  const auto it = tensors_.find(tensor);
  return it == tensors_.end() ? nullptr : &it->second;
}

const TensorInfo& SafetensorsFile::at(const std::string& tensor) const {
  const TensorInfo* info = find(tensor);
  if (info == nullptr)
    fail(ErrorKind::bad_file, "{}: tensor '{}' is missing ({} others are there)", name_, tensor, tensors_.size());
  return *info;
}

}  // namespace thimble::formats
