#include "voice/study/corpus.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "dsp/filters.h"
#include "dsp/resample.h"
#include "dsp/signal.h"
#include "media/wav.h"
#include "voice/study/corpus_sources.h"
#include "voice/study/g722.h"
#include "voice/study/vorbis.h"

namespace thimble::voice {
namespace fs = std::filesystem;
namespace {

constexpr const char* kFormat = "thimble voice corpus 1";
constexpr double kLongest = 3.0, kJoined = 1.6, kShortest = 1.0, kPause = 0.08;  // seconds
constexpr double kMargin = 0.05, kFrame = 0.01, kFade = 0.02;                    // seconds
constexpr double kQuiet = 3e-4;  // -35 dB: power of a frame under the loudest's
constexpr double kLevel = 0.05, kPeak = 0.9;
constexpr std::size_t kRecordings = 150;  // of one talker that are read at most

std::size_t samples(double seconds, int rate) { return static_cast<std::size_t>(std::lround(seconds * rate)); }

// Without the silence at both ends; empty for silence.
std::vector<double> trimmed(const std::vector<double>& x, int rate) {
  const std::size_t frame = samples(kFrame, rate), frames = x.size() / frame;
  std::vector<double> power(frames);
  for (std::size_t f = 0; f < frames; ++f) {
    for (std::size_t t = 0; t < frame; ++t) power[f] += x[f * frame + t] * x[f * frame + t];
  }
  const double loudest = frames == 0 ? 0 : *std::max_element(power.begin(), power.end());
  if (loudest <= 1e-9 * static_cast<double>(frame)) return {};
  const auto speech = [&](double p) { return p > kQuiet * loudest; };
  const auto first = std::find_if(power.begin(), power.end(), speech);
  const auto last = std::find_if(power.rbegin(), power.rend(), speech);
  const std::size_t margin = samples(kMargin, rate);
  const std::size_t begin = static_cast<std::size_t>(first - power.begin()) * frame;
  const std::size_t end = static_cast<std::size_t>(power.rend() - last) * frame + margin;
  return {x.begin() + static_cast<std::ptrdiff_t>(begin - std::min(begin, margin)),
          x.begin() + static_cast<std::ptrdiff_t>(std::min(end, x.size()))};
}

void finish_phrase(std::vector<double>& x, int rate) {
  const std::size_t fade = samples(kFade, rate);
  for (std::size_t t = 0; t < fade; ++t) {
    const double g = static_cast<double>(t) / static_cast<double>(fade);
    x[t] *= g;
    x[x.size() - 1 - t] *= g;
  }
  double peak = 0;
  for (double v : x) peak = std::max(peak, std::abs(v));
  const double gain = std::min(kLevel / dsp::rms(x), kPeak / peak);
  for (double& v : x) v *= gain;
}

double band_power(std::vector<double> x, double low, double high, int rate) {
  dsp::butterworth_bandpass(4, low, high, rate).run(x);
  return dsp::rms(x) * dsp::rms(x) * static_cast<double>(x.size());
}

dsp::Signal read_recording(const fs::path& path) {
  const std::string kind = path.extension().string();
  if (kind == ".g722") {
    return {kCorpusRate, {decode_g722(MappedFile::open(path)->bytes())}};
  }
  return kind == ".ogg" ? read_vorbis(path) : dsp::from_sound(media::read_wav(path));
}

// One channel at the corpus' rate, without what is under 60 Hz.
std::vector<double> mono(const dsp::Signal& signal) {
  std::vector<double> x(signal.frames());
  for (const auto& channel : signal.channels) {
    for (std::size_t t = 0; t < x.size(); ++t) x[t] += channel[t] / static_cast<double>(signal.channels.size());
  }
  if (signal.rate != kCorpusRate) x = dsp::Resampler(signal.rate, kCorpusRate).run(x);
  dsp::butterworth_highpass(2, 60, kCorpusRate).run(x);
  return x;
}

// `count` of `all`, evenly spread.
template <class T>
std::vector<T> spread(const std::vector<T>& all, std::size_t count) {
  if (all.size() <= count) return all;
  std::vector<T> some;
  for (std::size_t i = 0; i < count; ++i) some.push_back(all[i * all.size() / count]);
  return some;
}

std::vector<fs::path> files_under(const fs::path& folder, std::string_view extension) {
  std::vector<fs::path> files;
  if (fs::is_directory(folder)) {
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      const fs::path& path = entry.path();
      const bool speech = path.filename() != "Noise.wav" && path.string().find("/silence/") == std::string::npos;
      if (entry.is_regular_file() && path.extension() == extension && speech) files.push_back(path);
    }
  }
  if (files.empty()) fail(ErrorKind::io, "no {} files under {}", extension, folder.string());
  std::sort(files.begin(), files.end());
  return files;
}

struct Wanted {
  CorpusTalker talker;
  std::vector<fs::path> files;
};

// The talkers of the packages, which are fetched for it.
std::vector<Wanted> package_talkers(const fs::path& folder, const ProgressFn& progress, const CancelToken& cancel) {
  std::vector<Wanted> all;
  const auto sources = talker_sources();
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const TalkerSource& s = sources[i];
    if (progress) progress(static_cast<std::int64_t>(i), std::ssize(sources), std::string(s.package->name));
    if (all.empty() || all.back().talker.id != s.talker) {
      CorpusTalker talker;
      talker.id = s.talker, talker.language = s.language, talker.sex = s.sex, talker.licence = s.licence;
      talker.split = s.split;
      all.push_back({talker, {}});
    }
    Wanted& wanted = all.back();
    const fs::path root = unpacked_package(*s.package, folder, cancel);
    for (fs::path& f : files_under(root / s.folder, s.extension)) wanted.files.push_back(std::move(f));
    wanted.talker.source +=
        fmt::format("{}{} {}", wanted.talker.source.empty() ? "" : ", ", s.package->name, s.package->version);
  }
  return all;
}

// DIGIT_NAME_TAKE.wav, as the free spoken digit data set names its files.
std::vector<Wanted> digit_talkers(const fs::path& folder) {
  std::map<std::string, Wanted> by_name;
  for (fs::path& file : files_under(folder, ".wav")) {
    const std::string stem = file.stem().string();
    const std::size_t first = stem.find('_'), last = stem.rfind('_');
    if (first == std::string::npos || last <= first + 1) {
      fail(ErrorKind::bad_input, "{} is not named DIGIT_NAME_TAKE.wav", file.string());
    }
    by_name[stem.substr(first + 1, last - first - 1)].files.push_back(std::move(file));
  }
  std::vector<Wanted> all;
  for (auto& [name, wanted] : by_name) {
    CorpusTalker& talker = wanted.talker;
    talker.id = "digits-" + name, talker.language = "en", talker.sex = "m", talker.licence = "CC BY-SA 4.0";
    talker.source = "free-spoken-digit-dataset", talker.split = Split::narrow;
    all.push_back(std::move(wanted));
  }
  return all;
}

void write_talker(Wanted& wanted, const fs::path& folder, int count, const CancelToken& cancel) {
  std::vector<std::vector<double>> recordings;
  for (const fs::path& file : spread(wanted.files, kRecordings)) {
    cancel.throw_if_cancelled();
    recordings.push_back(mono(read_recording(file)));
  }
  const auto phrases = spread(cut_phrases(recordings, kCorpusRate), static_cast<std::size_t>(count));
  CorpusTalker& talker = wanted.talker;
  if (phrases.empty()) fail(ErrorKind::bad_file, "no phrase of {} s or more by {}", kShortest, talker.id);
  talker.upper_band_db = std::round(upper_band_db(phrases, kCorpusRate) * 10) / 10;
  fs::create_directories(folder / talker.id);
  for (std::size_t i = 0; i < phrases.size(); ++i) {
    talker.phrases.push_back(fmt::format("{}/{:02}.wav", talker.id, i));
    media::write_wav(folder / talker.phrases.back(), dsp::to_sound({kCorpusRate, {phrases[i]}}));
  }
}

OrderedJson to_json(const CorpusTalker& t) {
  OrderedJson j;
  j["id"] = t.id;
  j["language"] = t.language;
  j["sex"] = t.sex;
  j["split"] = to_string(t.split);
  j["licence"] = t.licence;
  j["source"] = t.source;
  j["upper_band_db"] = t.upper_band_db;
  j["phrases"] = t.phrases;
  return j;
}

CorpusTalker talker_from_json(const Json& j, std::string_view what) {
  CorpusTalker t;
  t.id = get_string(j, "id", what), t.language = get_string(j, "language", what), t.sex = get_string(j, "sex", what);
  t.licence = get_string(j, "licence", what), t.source = get_string(j, "source", what);
  t.split = split_by_name(get_string(j, "split", what));
  t.upper_band_db = get_double(j, "upper_band_db", what);
  for (const Json& phrase : get_array(j, "phrases", what)) {
    const fs::path path = phrase.is_string() ? phrase.get<std::string>() : "/";
    if (path.is_absolute() || std::find(path.begin(), path.end(), "..") != path.end()) {
      fail(ErrorKind::bad_file, "{}: a phrase of {} is no file inside the corpus", what, t.id);
    }
    t.phrases.push_back(path.string());
  }
  if (t.phrases.empty()) fail(ErrorKind::bad_file, "{}: {} has no phrases", what, t.id);
  return t;
}

}  // namespace

std::string_view to_string(Split split) {
  return split == Split::tune ? "tune" : split == Split::test ? "test" : "narrow";
}

Split split_by_name(std::string_view name) {
  for (Split s : {Split::tune, Split::test, Split::narrow}) {
    if (name == to_string(s)) return s;
  }
  fail(ErrorKind::bad_input, "there is no split '{}'; there are tune, test, narrow", name);
}

std::vector<const CorpusTalker*> Corpus::of(Split split) const {
  std::vector<const CorpusTalker*> some;
  for (const CorpusTalker& t : talkers) {
    if (t.split == split) some.push_back(&t);
  }
  return some;
}

std::vector<double> Corpus::phrase(const CorpusTalker& talker, std::size_t index) const {
  const fs::path path = folder / talker.phrases.at(index);
  const dsp::Signal signal = dsp::from_sound(media::read_wav(path));
  dsp::check_signal(signal, {.channels = 1, .rate = kCorpusRate}, path.string());
  return signal.channels.front();
}

std::vector<std::vector<double>> cut_phrases(const std::vector<std::vector<double>>& recordings, int rate) {
  std::vector<std::vector<double>> phrases;
  std::vector<double> phrase;
  const auto flush = [&] {
    phrase.resize(std::min(phrase.size(), samples(kLongest, rate)));
    if (phrase.size() >= samples(kShortest, rate)) {
      finish_phrase(phrase, rate);
      phrases.push_back(phrase);
    }
    phrase.clear();
  };
  for (const auto& recording : recordings) {
    std::vector<double> part = trimmed(recording, rate);
    if (part.empty()) continue;
    // Parts join at one level: isolated letters are recorded at many.
    const double gain = kLevel / dsp::rms(part);
    for (double& v : part) v *= gain;
    if (!phrase.empty()) phrase.insert(phrase.end(), samples(kPause, rate), 0.0);
    phrase.insert(phrase.end(), part.begin(), part.end());
    if (phrase.size() >= samples(kJoined, rate)) flush();
  }
  flush();
  return phrases;
}

double upper_band_db(const std::vector<std::vector<double>>& phrases, int rate) {
  double upper = 0, middle = 0;
  for (const auto& phrase : phrases) {
    upper += band_power(phrase, 5500, 7000, rate);
    middle += band_power(phrase, 1000, 4000, rate);
  }
  return 10 * std::log10(std::max(upper, 1e-30) / std::max(middle, 1e-30));
}

Corpus build_corpus(const fs::path& folder, const CorpusOptions& options, const ProgressFn& progress,
                    const CancelToken& cancel) {
  if (options.phrases < 1 || options.phrases > 99) {
    fail(ErrorKind::bad_input, "1 to 99 phrases a talker were wanted, not {}", options.phrases);
  }
  fs::create_directories(folder);
  std::vector<Wanted> wanted = package_talkers(folder, progress, cancel);
  if (!options.digits.empty()) {
    for (Wanted& w : digit_talkers(options.digits)) wanted.push_back(std::move(w));
  }
  OrderedJson manifest;
  manifest["format"] = kFormat;
  manifest["rate"] = kCorpusRate;
  manifest["talkers"] = OrderedJson::array();
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const CorpusTalker& talker = wanted[i].talker;
    if (progress) progress(static_cast<std::int64_t>(i), std::ssize(wanted), talker.id);
    with_context(fmt::format("cutting the phrases of {}", talker.id),
                 [&] { write_talker(wanted[i], folder, options.phrases, cancel); });
    manifest["talkers"].push_back(to_json(talker));
  }
  write_file(folder / "manifest.json", manifest.dump(1) + "\n");
  return open_corpus(folder);
}

Corpus open_corpus(const fs::path& folder) {
  const fs::path path = folder / "manifest.json";
  if (!fs::exists(path)) {
    fail(ErrorKind::io,
         "{} is no speech corpus (it has no manifest.json); make one with: thimble voice corpus --out {}",
         folder.string(), folder.string());
  }
  const Json json = parse_json(read_file(path, 16 << 20), path.string(), 16);
  if (const std::string format = get_string(json, "format", path.string()); format != kFormat) {
    fail(ErrorKind::bad_file, "{}: the format is '{}', not '{}'", path.string(), format, kFormat);
  }
  Corpus corpus{folder, {}};
  std::set<std::string> seen;
  for (const Json& talker : get_array(json, "talkers", path.string())) {
    corpus.talkers.push_back(talker_from_json(talker, path.string()));
    if (!seen.insert(corpus.talkers.back().id).second) {
      fail(ErrorKind::bad_file, "{}: two talkers are named '{}'", path.string(), corpus.talkers.back().id);
    }
  }
  return corpus;
}

}  // namespace thimble::voice
