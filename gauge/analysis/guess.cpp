// What a model is for, by rules over its inputs, outputs, operators and names. A guess keeps the facts that spoke for
// it; where nothing speaks it stays "unknown".
#include <algorithm>
#include <cctype>

#include "gauge/analysis/analysis.h"

namespace thimble::gauge {
namespace {

using graph::Shape;

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

struct Scores {
  std::map<std::string, std::pair<double, std::vector<std::string>>> of;
  void add(const std::string& what, double score, std::string why) {
    auto& [sum, evidence] = of[what];
    sum += score;
    evidence.push_back(std::move(why));
  }
  Guess best() const {
    Guess g;
    double top = 0, all = 0;
    for (const auto& [what, entry] : of) {
      all += entry.first;
      if (entry.first <= top) continue;
      top = entry.first;
      g.what = what;
      g.evidence = entry.second;
    }
    if (top > 0) g.confidence = std::min(1.0, top) * top / all;
    return g;
  }
};

struct NameRule {
  const char *word, *what;
  double score;
};

constexpr NameRule kTaskNames[] = {
    {"landmark", "landmarks", 0.6},      {"facemesh", "landmarks", 0.6},       {"face_mesh", "landmarks", 0.6},
    {"pose", "landmarks", 0.3},          {"segment", "segmentation", 0.7},     {"selfie", "segmentation", 0.5},
    {"detection", "detection", 0.6},     {"detect", "detection", 0.5},         {"_det_", "detection", 0.5},
    {"pnet", "detection", 0.4},          {"rnet", "detection", 0.4},           {"onet", "detection", 0.4},
    {"blazeface", "detection", 0.6},     {"_rec_", "text recognition", 0.6},   {"_cls_", "classification", 0.5},
    {"mlsd", "line detection", 0.8},     {"embedding", "embedding", 0.6},      {"facenet", "embedding", 0.6},
    {"wake", "keyword spotting", 0.7},   {"hey_", "keyword spotting", 0.6},    {"alexa", "keyword spotting", 0.6},
    {"vad", "voice activity", 0.8},      {"melspec", "audio features", 0.9},   {"spoof", "anti-spoofing", 0.8},
    {"esrgan", "super-resolution", 0.8}, {"upscal", "super-resolution", 0.6},  {"background", "segmentation", 0.5},
    {"timer", "keyword spotting", 0.4},  {"weather", "keyword spotting", 0.4},
};

constexpr NameRule kAudioNames[] = {{"mel", "audio", 0.6},   {"mfcc", "audio", 0.7},  {"wake", "audio", 0.6},
                                    {"vad", "audio", 0.6},   {"audio", "audio", 0.6}, {"speech", "audio", 0.6},
                                    {"voice", "audio", 0.6}, {"asr", "audio", 0.4}};

bool is_picture(const Shape& s, std::int64_t& h, std::int64_t& w) {
  if (s.size() != 4) return false;
  const auto channels = [](std::int64_t c) { return c == 1 || c == 3 || c == 4; };
  const auto side = [](std::int64_t d) { return d < 0 || d >= 16; };
  if (channels(s[3]) && side(s[1]) && side(s[2])) {
    h = s[1];
    w = s[2];
    return true;
  }
  if (channels(s[1]) && side(s[2]) && side(s[3])) {
    h = s[2];
    w = s[3];
    return true;
  }
  return false;
}

bool mel_like(std::int64_t d) { return d == 32 || d == 40 || d == 64 || d == 80 || d == 96; }

}  // namespace

void guess(Analysis& a, const Model& model) {
  // The package's and the file's own names: the words nearest to the model count.
  std::string name = lower(a.path);
  if (const auto at = name.rfind('/', name.rfind('/') == std::string::npos ? 0 : name.rfind('/') - 1);
      at != std::string::npos && at > 0) {
    name = name.substr(at);
  }
  Scores modality, task;
  std::int64_t h = 0, w = 0;
  bool picture = false;
  for (const Port& p : a.inputs) {
    if (is_picture(p.shape, h, w) && !(p.shape[3] == 1 && mel_like(p.shape[2]) && p.shape[1] != p.shape[2])) {
      picture = true;
      modality.add("image", 0.9, fmt::format("input {} is a picture by its shape", graph::to_string(p.shape)));
    } else if (p.shape.size() == 4 && p.shape[3] == 1 && mel_like(p.shape[2])) {
      modality.add("audio", 0.6,
                   fmt::format("input {} looks like frames of {} bands", graph::to_string(p.shape), p.shape[2]));
    } else if (p.shape.size() == 3 && mel_like(p.shape[2])) {
      modality.add("audio", 0.4,
                   fmt::format("input {} looks like frames of {} features", graph::to_string(p.shape), p.shape[2]));
    } else if (p.shape.size() == 2 && (p.shape[1] < 0 || p.shape[1] >= 256) && p.type == "f32") {
      modality.add("audio", 0.5, fmt::format("input {} looks like samples", graph::to_string(p.shape)));
    } else if (!p.shape.empty() && (p.type == "i32" || p.type == "i64") &&
               (a.operators.contains("GATHER") || a.operators.contains("Gather"))) {
      modality.add("text", 0.6, "integers that are looked up in a table");
    } else if (p.shape.size() == 2 && p.type == "f32") {
      modality.add("sensor", 0.2, "a small vector of numbers");
    }
    if (p.name == "sr") modality.add("audio", 0.5, "an input called 'sr', a sample rate");
  }
  for (const NameRule& r : kAudioNames) {
    if (name.find(r.word) != std::string::npos) modality.add(r.what, r.score, fmt::format("'{}' in its name", r.word));
  }
  for (const NameRule& r : kTaskNames) {
    if (name.find(r.word) != std::string::npos) task.add(r.what, r.score, fmt::format("'{}' in its name", r.word));
  }
  bool boxes = false, scores = false;
  for (const Port& p : a.outputs) {
    const Shape& s = p.shape;
    if (s.size() == 3 && (s[2] == 4 || s[2] == 16 || s[2] == 18) && s[1] > 4) boxes = true;
    if (s.size() == 3 && s[2] == 1 && s[1] > 4) scores = true;
    if (s.size() == 4 && picture) {
      const bool first = s[1] >= 1 && s[1] <= 4 && s[2] == h && s[3] == w;
      const bool last = s[3] >= 1 && s[3] <= 4 && s[1] == h && s[2] == w;
      if (first || last)
        task.add("segmentation", 0.5, fmt::format("output {} has the picture's size", graph::to_string(s)));
    }
    if (s.size() == 2 && s[1] > 8 && s[1] % 3 == 0 && picture) {
      task.add("landmarks", 0.3, fmt::format("output {} may be {} points in space", graph::to_string(s), s[1] / 3));
    }
    if (s.size() == 2 && s[1] >= 128 && s[1] <= 512 && picture) {
      task.add("embedding", 0.3, fmt::format("output {}", graph::to_string(s)));
    }
    if (s.size() == 3 && s[2] >= 1000) {
      task.add("text recognition", 0.5, fmt::format("output {}: scores of many symbols a place", graph::to_string(s)));
    }
    if (s.size() == 2 && s[1] == 1 && !picture && modality.best().what == "audio") {
      task.add("keyword spotting", 0.2, "one score for a stretch of audio");
    }
  }
  if (boxes && scores) task.add("detection", 0.8, "one output of boxes and one of scores");
  const bool softmax = a.operators.contains("SOFTMAX") || a.operators.contains("Softmax");
  if (softmax && a.outputs.size() == 1 && a.outputs[0].shape.size() == 2) {
    task.add("classification", 0.5, "one vector of outputs behind a softmax");
  }
  if (std::ranges::find(model.metadata, "TFLITE_METADATA") != model.metadata.end()) {
    a.notes.push_back("the file holds metadata of its own (TFLITE_METADATA)");
  }
  a.modality = modality.best();
  a.task = task.best();
}

}  // namespace thimble::gauge
