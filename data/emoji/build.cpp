#include "data/emoji/build.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <fstream>
#include <mutex>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "base/threads.h"
#include "data/emoji/family.h"
#include "data/emoji/icons.h"
#include "data/emoji/pack.h"
#include "data/emoji/raster.h"
#include "data/emoji/report.h"
#include "data/emoji/sources.h"
#include "data/emoji/tgz.h"
#include "media/codec.h"
#include "media/transform.h"

namespace thimble::data {
namespace {

constexpr Style kOrder[kStyles] = {Style::noto,   Style::glossy,  Style::flat,
                                   Style::threed, Style::twemoji, Style::openmoji};

struct Item {
  Entry entry;
  std::string source;  // an SVG document, or the bytes of a picture file
};

struct Outcome {
  std::optional<PackedPicture> picture;
  double squared_error = 0;  // mean over premultiplied RGBA
  std::string reason;        // why it could not be drawn
};

const Package& package_of(std::string_view name) {
  for (const Package& p : emoji_packages()) {
    if (p.name == name) return p;
  }
  fail(ErrorKind::internal, "no package {}", name);
}

class Sources {
 public:
  Sources(const BuildOptions& options, const CancelToken& cancel) : cache_(options.cache_dir), cancel_(cancel) {}

  std::map<std::string, std::string> files(std::string_view package,
                                           const std::function<bool(std::string_view)>& wanted) const {
    return read_tgz(fetch_package(package_of(package), cache_ / "packages", cancel_), wanted);
  }

  Concepts concepts() const {
    static constexpr std::string_view data = "package/en/data.json", groups = "package/meta/groups.json";
    auto files = this->files("emojibase-data", [](std::string_view n) { return n == data || n == groups; });
    return read_concepts(files[std::string(data)], files[std::string(groups)]);
  }

  Drawings drawings(Style style, const Concepts& concepts) const {
    return style == Style::threed ? rendered(concepts) : icons(style, concepts);
  }

 private:
  // The glossy set carries no table of code points of its own; its names are those of the flat set.
  Drawings icons(Style style, const Concepts& concepts) const {
    static constexpr std::string_view chars = "package/chars.json", table = "package/icons.json";
    const std::string_view own = style_info(style).package;
    const std::string_view sister = style == Style::glossy ? style_info(Style::flat).package : own;
    auto names = files(sister, [](std::string_view n) { return n == chars; });
    auto content = files(own, [](std::string_view n) { return n == table; });
    return read_icons(content[std::string(table)], names[std::string(chars)], concepts, own);
  }

  // Its flags have another, unstated origin and are left out.
  Drawings rendered(const Concepts& concepts) const {
    static constexpr std::string_view folder = "package/assets/", extension = ".webp";
    Drawings drawings;
    for (auto& [name, bytes] :
         files(style_info(Style::threed).package, [](std::string_view n) { return n.ends_with(extension); })) {
      if (!name.starts_with(folder)) continue;
      const auto code_point = normal_code_point(
          std::string_view(name).substr(folder.size(), name.size() - folder.size() - extension.size()));
      const auto it = concepts.find(code_point);
      if (it != concepts.end() && it->second.group != "flags") drawings.emplace(code_point, std::move(bytes));
    }
    return drawings;
  }

  std::filesystem::path cache_;
  const CancelToken& cancel_;
};

std::vector<Item> gather(const Sources& sources, bool openmoji, const ProgressFn& progress, const CancelToken& cancel) {
  std::vector<Item> items;
  if (progress) progress(0, 0, "captions");
  const Concepts concepts = sources.concepts();
  for (const Style style : kOrder) {
    if (style == Style::openmoji && !openmoji) continue;
    cancel.throw_if_cancelled();
    if (progress) progress(0, 0, std::string(style_info(style).set));
    for (auto& [code_point, source] : sources.drawings(style, concepts)) {
      items.push_back({make_entry(code_point, concepts.at(code_point), style), std::move(source)});
    }
  }
  return items;
}

// Drawn pictures are kept as PNG under the package's version. No care is taken for power cuts: a damaged file is drawn
// anew.
class DrawnCache {
 public:
  explicit DrawnCache(const std::filesystem::path& cache) {
    for (const Style style : kOrder) {
      const StyleInfo& info = style_info(style);
      folders_.push_back(cache / "drawn" / fmt::format("{}-{}", info.set, package_of(info.package).version));
      std::filesystem::create_directories(folders_.back());
    }
  }

  media::Image get(const Item& item) const {
    const auto path = folders_[static_cast<std::size_t>(item.entry.style)] / (item.entry.code_point + ".png");
    if (std::filesystem::exists(path)) {
      try {
        return media::read_image(path);
      } catch (const Error&) {  // a damaged cache file is drawn again
      }
    }
    const std::string what = fmt::format("{} {}", style_info(item.entry.style).set, item.entry.code_point);
    const media::Image image = item.entry.style == Style::threed
                                   ? fit_picture(media::decode_image(std::as_bytes(std::span(item.source)), what),
                                                 kPictureSide, kPictureMargin)
                                   : draw_svg(item.source, kPictureSide, kPictureMargin, what);
    auto temporary = path;
    temporary += fmt::format(".part{}", ::getpid());
    std::ofstream(temporary, std::ios::binary) << media::encode_image(image, media::ImageFormat::png, {.png_level = 1});
    std::filesystem::rename(temporary, path);
    return image;
  }

 private:
  std::vector<std::filesystem::path> folders_;
};

double squared_error(const media::Image& a, const media::Image& b) {
  const media::Image p = media::premultiply(a), q = media::premultiply(b);
  double sum = 0;
  for (std::size_t i = 0; i < p.pixels.size(); ++i) {
    const double d = p.pixels[i] - q.pixels[i];
    sum += d * d;
  }
  return sum / static_cast<double>(p.pixels.size());
}

Outcome draw_and_pack(const Item& item, const DrawnCache& cache, const BuildOptions& options) {
  Outcome outcome;
  media::Image image;
  try {
    image = cache.get(item);
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::bad_file) throw;
    outcome.reason = e.what();
    return outcome;
  }
  outcome.picture = pack_picture(image, options.quality, options.alpha_quality);
  const auto bytes = [](const std::string& s) { return std::as_bytes(std::span(s)); };
  outcome.squared_error =
      squared_error(image, unpack_picture(bytes(outcome.picture->colour), bytes(outcome.picture->alpha), "packed"));
  return outcome;
}

std::vector<Outcome> draw_all(const std::vector<Item>& items, const BuildOptions& options, const ProgressFn& progress,
                              const CancelToken& cancel) {
  const DrawnCache cache(options.cache_dir);
  std::vector<Outcome> outcomes(items.size());
  std::mutex mutex;
  std::exception_ptr failure;
  std::atomic<bool> stop{false};
  std::int64_t done = 0;
  const auto count = static_cast<std::int64_t>(items.size());
  ThreadPool pool(options.threads > 0 ? options.threads : usable_processors());
  pool.parallel_for(count, 1, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t i = begin; i < end && !stop && !cancel.cancelled(); ++i) {
      const auto at = static_cast<std::size_t>(i);
      try {
        outcomes[at] = draw_and_pack(items[at], cache, options);
        const std::lock_guard lock(mutex);
        if (progress) progress(++done, count, std::string(style_info(items[at].entry.style).set));
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!failure) failure = std::current_exception();
        stop = true;
      }
    }
  });
  if (failure) std::rethrow_exception(failure);
  cancel.throw_if_cancelled();
  return outcomes;
}

double decibels(double squared_error) { return 10 * std::log10(255.0 * 255.0 / std::max(squared_error, 1e-3)); }

}  // namespace

BuildStatistics build_emoji(const BuildOptions& options, const ProgressFn& progress, const CancelToken& cancel) {
  std::filesystem::create_directories(options.out_dir);
  std::filesystem::create_directories(options.cache_dir);
  check_writable(options.out_dir / "emoji.pack");
  std::vector<Item> items = gather(Sources(options, cancel), options.include_openmoji, progress, cancel);
  std::vector<Outcome> outcomes = draw_all(items, options, progress, cancel);

  BuildStatistics statistics;
  std::vector<Entry> entries;
  std::vector<PackedPicture> pictures;
  statistics.psnr_worst = 1e9;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (!outcomes[i].picture) {
      statistics.not_drawn.push_back(outcomes[i].reason);
      continue;
    }
    const double psnr = decibels(outcomes[i].squared_error);
    statistics.psnr_mean += psnr;
    statistics.psnr_worst = std::min(statistics.psnr_worst, psnr);
    entries.push_back(std::move(items[i].entry));
    pictures.push_back(std::move(*outcomes[i].picture));
  }
  statistics.pictures = entries.size();
  statistics.psnr_mean /= static_cast<double>(std::max<std::size_t>(1, entries.size()));
  complete(entries);
  for (std::size_t i = 0; i < entries.size(); ++i) entries[i].id = static_cast<int>(i);
  statistics.pack_bytes = write_pack(options.out_dir / "emoji.pack", entries, pictures);
  write_reports(options.out_dir, entries, statistics);
  return statistics;
}

}  // namespace thimble::data
