#include "formats/ncnn/ncnn.h"

#include <charconv>
#include <cstring>
#include <map>
#include <set>
#include <sstream>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"

namespace thimble::formats {
namespace {

using graph::Tensor;
using graph::TensorType;

constexpr std::uint32_t kHalfTag = 0x01306B47;
const std::set<std::string, std::less<>> kWeightless{"Input",   "Pooling",      "Split",  "Concat",
                                                     "Softmax", "Dropout",      "ReLU",   "Flatten",
                                                     "Eltwise", "PixelShuffle", "Interp", "BinaryOp"};

class Cursor {
 public:
  Cursor(std::shared_ptr<const MappedFile> file) : file_(std::move(file)) {}

  Tensor take(DType dtype, graph::Shape shape, const std::string& layer) {
    const TensorType type{dtype, std::move(shape)};
    const std::size_t bytes = round_up(type.bytes(), 4);
    const auto all = file_->bytes();
    if (bytes > all.size() - at_) {
      fail(ErrorKind::bad_file, "{}: layer '{}' wants {} bytes at offset {}, the file ends at {}",
           file_->path().string(), layer, bytes, at_, all.size());
    }
    Tensor view(type, file_, all.data() + at_);
    at_ += bytes;
    return view;
  }

  bool at_end() const { return at_ == file_->bytes().size(); }

 private:
  std::shared_ptr<const MappedFile> file_;
  std::size_t at_ = 0;
};

// "0=64 1=3" -> {0: 64, 1: 3}; array keys (negative) and non-integers are left out.
std::map<int, std::int64_t> parse_keys(std::istringstream& line) {
  std::map<int, std::int64_t> keys;
  for (std::string item; line >> item;) {
    const auto equals = item.find('=');
    if (equals == std::string::npos) continue;
    int key = 0;
    std::int64_t value = 0;
    const auto k = std::from_chars(item.data(), item.data() + equals, key);
    const auto v = std::from_chars(item.data() + equals + 1, item.data() + item.size(), value);
    if (k.ec == std::errc() && v.ec == std::errc() && key >= 0) keys[key] = value;
  }
  return keys;
}

void read_convolution(graph::Weights& weights, Cursor& bin, const std::string& name, std::map<int, std::int64_t> keys) {
  const std::int64_t out = keys[0], kernel_w = keys[1], kernel_h = keys.contains(11) ? keys[11] : kernel_w,
                     count = keys[6];
  const std::int64_t window = kernel_w * kernel_h;
  if (out < 1 || out > 65536 || kernel_w < 1 || kernel_h < 1 || window > 65536 || count < 1 || count > (1 << 28) ||
      count % (out * window) != 0) {
    fail(ErrorKind::bad_file, "layer '{}': {} weights do not fit {} outputs of {}x{}", name, count, out, kernel_h,
         kernel_w);
  }
  const Tensor tag = bin.take(DType::i32, {1}, name);
  std::uint32_t word = 0;
  std::memcpy(&word, tag.data(), sizeof(word));
  if (word != kHalfTag && word != 0)
    fail(ErrorKind::unsupported, "layer '{}': weights of kind {:#x} are not read, only f32 and f16", name, word);
  weights.set(name + ".weight", bin.take(word == kHalfTag ? DType::f16 : DType::f32,
                                         {out, count / (out * window), kernel_h, kernel_w}, name));
  if (keys[5] == 1) weights.set(name + ".bias", bin.take(DType::f32, {out}, name));
}

void read_prelu(graph::Weights& weights, Cursor& bin, const std::string& name, std::map<int, std::int64_t> keys) {
  const std::int64_t slopes = keys[0];
  if (slopes < 1 || slopes > 65536) fail(ErrorKind::bad_file, "layer '{}': {} slopes", name, slopes);
  weights.set(name + ".weight", bin.take(DType::f32, {slopes}, name));
}

}  // namespace

graph::Weights read_ncnn_weights(const std::filesystem::path& param, const std::filesystem::path& bin,
                                 std::vector<std::string>* order) {
  std::istringstream text(read_file(param, 16 << 20));
  Cursor numbers(MappedFile::open(bin));
  return with_context("while reading " + param.string(), [&] {
    std::string line;
    if (!std::getline(text, line) || line.substr(0, 7) != "7767517")
      fail(ErrorKind::bad_file, "the first line is not ncnn's magic number 7767517");
    std::getline(text, line);  // counts of layers and blobs
    graph::Weights weights;
    while (std::getline(text, line)) {
      std::istringstream in(line);
      std::string type, name, skipped;
      int bottoms = 0, tops = 0;
      if (!(in >> type >> name >> bottoms >> tops)) continue;
      if (bottoms < 0 || tops < 0 || bottoms + tops > 1024)
        fail(ErrorKind::bad_file, "layer '{}' has {} inputs and {} outputs", name, bottoms, tops);
      for (int i = 0; i < bottoms + tops; ++i) in >> skipped;
      if (type == "Convolution") {
        read_convolution(weights, numbers, name, parse_keys(in));
        if (order != nullptr) order->push_back(name);
      } else if (type == "PReLU") {
        read_prelu(weights, numbers, name, parse_keys(in));
        if (order != nullptr) order->push_back(name);
      } else if (!kWeightless.contains(type)) {
        fail(ErrorKind::unsupported, "layer '{}' of type {} is not read", name, type);
      }
    }
    if (!numbers.at_end()) fail(ErrorKind::bad_file, "{} holds more numbers than the layers take", bin.string());
    return weights;
  });
}

}  // namespace thimble::formats
