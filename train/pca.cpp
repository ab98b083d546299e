#include "train/pca.h"

#include <algorithm>

#include "train/pictures.h"
#include "train/torch.h"

namespace thimble::train {
namespace {

constexpr int kSide = data::kPictureSide;
constexpr std::int64_t kPixels = std::int64_t{kSide} * kSide * 4;
constexpr std::int64_t kMostBlocks = 60000;  // enough for the covariance of 4096 values

// (N, side * side * 4), premultiplied, in [-1, 1].
at::Tensor load(const data::EmojiSet& set, const std::vector<int>& ids, const CancelToken& cancel) {
  at::Tensor x = at::empty({static_cast<std::int64_t>(ids.size()), kPixels}, at::kFloat);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    cancel.throw_if_cancelled();
    float* row = x.data_ptr<float>() + static_cast<std::int64_t>(i) * kPixels;
    sample_window(set.picture(ids[i]), {.side = kSide}, nullptr, {row, static_cast<std::size_t>(kPixels)});
  }
  return x;
}

// (N, pixels) -> (N * blocks, block * block * 4) and back.
at::Tensor cut(const at::Tensor& x, int block) {
  const std::int64_t n = kSide / block;
  return x.reshape({-1, n, block, n, block, 4})
      .permute({0, 1, 3, 2, 4, 5})
      .reshape({-1, std::int64_t{block} * block * 4});
}
at::Tensor join(const at::Tensor& blocks, int block) {
  const std::int64_t n = kSide / block;
  return blocks.reshape({-1, n, n, block, block, 4}).permute({0, 1, 3, 2, 4, 5}).reshape({-1, kPixels});
}

// Eigenvectors of the largest eigenvalues of a symmetric matrix, as columns, and the eigenvalues. Double, because the
// spectrum spans many orders.
std::tuple<at::Tensor, at::Tensor> top(const at::Tensor& symmetric, std::int64_t count) {
  auto [values, vectors] = at::linalg_eigh(symmetric.to(at::kDouble), "L");
  const std::int64_t n = values.size(0);
  return {values.narrow(0, n - count, count), vectors.narrow(1, n - count, count)};
}

// Fewer pictures than numbers in one: the components are X^T u / sqrt(lambda) with u, lambda of the Gram matrix X X^T,
// and are never formed. The mean is taken from x in place: there is room for one copy of the pictures only.
at::Tensor whole(at::Tensor x, const at::Tensor& seen, std::int64_t values) {
  const at::Tensor mean = x.mean(0, true);
  x.sub_(mean);
  auto [lambda, u] = top(at::matmul(x, x.t()), values);
  const at::Tensor inverse = at::matmul(u / lambda.clamp_min(1e-6 * lambda.max()), u.t()).to(at::kFloat);
  const at::Tensor weights = at::matmul(at::matmul(seen - mean, x.t()), inverse);
  return mean + at::matmul(weights, x);
}

at::Tensor by_blocks(const at::Tensor& train, const at::Tensor& seen, std::int64_t values) {
  const at::Tensor mean = train.mean(0, true);
  const at::Tensor x = train - mean;
  auto [lambda, v] = top(at::matmul(x.t(), x), values);
  const at::Tensor components = v.to(at::kFloat);
  return mean + at::matmul(at::matmul(seen - mean, components), components.t());
}

PictureQuality quality(const at::Tensor& output, const at::Tensor& target) {
  const at::Tensor y = output.clamp(-1, 1).contiguous();
  const auto values = [](const at::Tensor& t) {
    return std::vector<float>(t.data_ptr<float>(), t.data_ptr<float>() + t.numel());
  };
  return picture_quality(values(y), values(target), static_cast<int>(target.size(0)), kSide);
}

}  // namespace

PcaQuality pca_baseline(const PcaOptions& o, const ProgressFn& progress, const CancelToken& cancel) {
  const int blocks = o.block > 0 && kSide % o.block == 0 ? (kSide / o.block) * (kSide / o.block) : 0;
  if (blocks == 0 || o.values < blocks || o.values % blocks != 0) {
    fail(ErrorKind::bad_input,
         "{} values in blocks of {} pixels: blocks that divide {} and a multiple of their number were wanted", o.values,
         o.block, kSide);
  }
  set_torch_threads(o.threads);
  const at::NoGradGuard guard;
  const auto set = data::EmojiSet::open(o.data);
  const auto tell = [&](int done, const char* what) {
    cancel.throw_if_cancelled();
    if (progress) progress(done, 4, what);
  };
  tell(0, "reading pictures");
  const std::vector<int> ids = fixed_choice(set->entries(), data::Split::train, o.pictures);
  if (ids.size() < 2) fail(ErrorKind::bad_input, "{} training pictures: at least 2 were wanted", ids.size());
  const at::Tensor train = load(*set, ids, cancel);
  const at::Tensor seen =
      load(*set, fixed_choice(set->entries(), data::Split::validation, o.validation_pictures), cancel);
  PcaQuality result;
  result.pictures = static_cast<int>(ids.size());
  tell(1, "blocks");
  at::Tensor pieces = cut(train, o.block);
  const std::int64_t stride = std::max<std::int64_t>(1, pieces.size(0) / kMostBlocks);
  pieces = pieces.slice(0, 0, pieces.size(0), stride).contiguous();
  result.blocks = quality(join(by_blocks(pieces, cut(seen, o.block), o.values / blocks), o.block), seen);
  tell(2, "whole pictures");
  result.whole = quality(whole(train, seen, std::min<std::int64_t>(o.values, result.pictures - 1)), seen);
  tell(4, "done");
  return result;
}

}  // namespace thimble::train
