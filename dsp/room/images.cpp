// The simulation: groups of source and microphone pairs through the path sums, bands joined, tail and high-pass.
#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "dsp/room/join.h"
#include "dsp/room/paths.h"

namespace thimble::dsp::room {
namespace {

bool is_flat(const std::vector<double>& v) {
  return std::all_of(v.begin(), v.end(), [&](double x) { return x == v.front(); });
}

bool needs_bands(const Shoebox& room, std::span<const Source> sources, std::span<const Microphone> microphones) {
  const auto flat = [](const auto& x) { return x.pattern.is_flat(); };
  return !(std::all_of(room.walls.begin(), room.walls.end(), is_flat) && is_flat(room.air) &&
           std::all_of(sources.begin(), sources.end(), flat) &&
           std::all_of(microphones.begin(), microphones.end(), flat));
}

// How many parts a pair is cut into: by the work alone, so that any count of threads adds up in the same order.
int chunks_of(std::size_t pairs, std::int64_t images, std::size_t length) {
  if (pairs >= 8) return 1;
  return static_cast<int>(std::clamp<std::int64_t>(images * kTaps / (16 * static_cast<std::int64_t>(length)), 1, 8));
}

// One pair at work.
struct Pair {
  Paths paths;
  ResponseSize size;
  std::size_t index;  // in Responses::all
  int chunks;
  std::vector<float> sums;  // (chunk, band, sample)
};

class Simulation {
 public:
  Simulation(const Shoebox& room, std::span<const Source> sources, std::span<const Microphone> microphones,
             const SimulationOptions& options, ThreadPool& pool)
      : room_(room),
        sources_(sources),
        microphones_(microphones),
        options_(options),
        pool_(pool),
        grid_(options.rate, options.third_octaves),
        by_band_(needs_bands(room, sources, microphones)),
        medium_(room, grid_, by_band_, options.order),
        patterns_(grid_),
        path_sum_(room, medium_, options.rate) {
    for (const Source& s : sources) axes_.push_back(axis_places(room, s.position, options.order));
    for (int t = 0; t < pool.threads(); ++t) batches_.push_back(std::make_unique<Batch>());
  }

  Responses run() {
    out_ = {options_.rate, sources_.size(), microphones_.size(), {}};
    out_.all.resize(sources_.size() * microphones_.size());
    for (std::size_t done = 0; done < out_.all.size();) {
      std::vector<Pair> group = next_group(done);
      sum_images(group);
      finish(group);
      done += group.size();
    }
    return std::move(out_);
  }

 private:
  // As many pairs from `first` on as the workspace holds, at least one.
  std::vector<Pair> next_group(std::size_t first) {
    std::vector<Pair> group;
    std::size_t bytes = 0;
    for (std::size_t at = first; at < out_.all.size(); ++at) {
      const Source& source = sources_[at / microphones_.size()];
      const Microphone& microphone = microphones_[at % microphones_.size()];
      const auto& axes = axes_[at / microphones_.size()];
      const ResponseSize size =
          response_size(room_, source, microphone, longest_path(axes, microphone.position), options_);
      const int chunks = chunks_of(out_.all.size(), image_count(options_.order), size.images);
      const std::size_t floats = static_cast<std::size_t>(chunks * medium_.bands) * size.images;
      bytes += floats * sizeof(float);
      if (!group.empty() && bytes > kWorkspaceBytes) break;
      out_.all[at].resize(size.total);
      group.push_back({Paths(axes, source, microphone, patterns_), size, at, chunks, std::vector<float>(floats)});
    }
    return group;
  }

  void sum_images(std::vector<Pair>& group) {
    std::vector<std::pair<Pair*, int>> work;
    for (Pair& pair : group) {
      for (int c = 0; c < pair.chunks; ++c) work.emplace_back(&pair, c);
    }
    pool_.parallel_for(
        static_cast<std::int64_t>(work.size()), 1, [&](std::int64_t begin, std::int64_t end, int thread) {
          for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
            const auto [pair, chunk] = work[i];
            float* sums = pair->sums.data() + static_cast<std::size_t>(chunk * medium_.bands) * pair->size.images;
            path_sum_.run(pair->paths, pair->size, chunk, pair->chunks, sums,
                          *batches_[static_cast<std::size_t>(thread)]);
          }
        });
  }

  void finish(std::vector<Pair>& group) {
    std::map<std::size_t, BandJoin> joins;  // by FFT size
    if (by_band_) {
      for (const Pair& pair : group) joins.try_emplace(BandJoin::fft_size(pair.size.images), pair.size.images, grid_);
    }
    std::vector<std::map<std::size_t, BandJoin::Scratch>> scratch(batches_.size());
    for (auto& of_thread : scratch) {
      for (const auto& [size, join] : joins) of_thread.emplace(size, join.make_scratch());
    }
    pool_.parallel_for(
        static_cast<std::int64_t>(group.size()), 1, [&](std::int64_t begin, std::int64_t end, int thread) {
          for (auto g = static_cast<std::size_t>(begin); g < static_cast<std::size_t>(end); ++g) {
            Pair& pair = group[g];
            const std::size_t part = static_cast<std::size_t>(medium_.bands) * pair.size.images;
            float* sum = pair.sums.data();
            for (int c = 1; c < pair.chunks; ++c) {
              const float* more = sum + static_cast<std::size_t>(c) * part;
              for (std::size_t i = 0; i < part; ++i) sum[i] += more[i];
            }
            std::vector<double>& h = out_.all[pair.index];
            if (by_band_) {
              const std::size_t size = BandJoin::fft_size(pair.size.images);
              joins.at(size).run(sum, pair.size.images, h, scratch[static_cast<std::size_t>(thread)].at(size));
            } else {
              std::copy_n(sum, part, h.begin());
            }
          }
        });
  }

  const Shoebox& room_;
  std::span<const Source> sources_;
  std::span<const Microphone> microphones_;
  const SimulationOptions& options_;
  ThreadPool& pool_;
  BandGrid grid_;
  bool by_band_;
  Medium medium_;
  PatternSet patterns_;
  PathSum path_sum_;
  std::vector<std::array<AxisPlaces, 3>> axes_;
  std::vector<std::unique_ptr<Batch>> batches_;  // by thread
  Responses out_;
};

}  // namespace

Responses impulse_responses(const Shoebox& room, std::span<const Source> sources,
                            std::span<const Microphone> microphones, const SimulationOptions& options,
                            ThreadPool& pool) {
  check_scene(room, sources, microphones, options);
  Responses out = Simulation(room, sources, microphones, options, pool).run();
  if (options.tail) {
    for (std::size_t s = 0; s < sources.size(); ++s)
      add_tail(room, sources[s], s, microphones, std::span(out.all).subspan(s * microphones.size(), microphones.size()),
               options);
  }
  if (options.high_pass > 0) {
    pool.parallel_for(static_cast<std::int64_t>(out.all.size()), 1, [&](std::int64_t begin, std::int64_t end, int) {
      for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i)
        high_pass(out.all[i], options.high_pass, options.rate);
    });
  }
  return out;
}

}  // namespace thimble::dsp::room
