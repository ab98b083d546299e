#include "gauge/detect/names.h"

#include <algorithm>

#include "gauge/probe.h"

namespace thimble::gauge {
namespace {

constexpr std::string_view kUnreadSuffixes =
    ".prototxt .pbtxt .ptl .pte .nb .tmfile .ms .feathermodel .xnn .task .litertlm "
    ".kmodel";
constexpr std::string_view kSharedSuffixes =
    ".pb .bin .model .dat .data .pt .pth .params .ckpt .rf .lite .weights .nn .enc .uls .om .androidmodel .rpnmodel "
    ".modle";
constexpr std::string_view kWords[] = {"model", "detect", "recogni", "tracker", "trained", "segment", "landmark"};

}  // namespace

std::string lower(std::string_view s) {
  std::string out(s);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::string_view base_name(std::string_view path) { return path.substr(path.find_last_of('/') + 1); }

bool has_suffix(std::string_view path, std::string_view suffixes) {
  const std::string folded = lower(path.substr(path.size() - std::min<std::size_t>(path.size(), 32)));
  while (!suffixes.empty()) {
    const std::size_t end = std::min(suffixes.find(' '), suffixes.size());
    if (end != 0 && folded.ends_with(suffixes.substr(0, end))) return true;
    suffixes.remove_prefix(std::min(end + 1, suffixes.size()));
  }
  return false;
}

bool has_model_suffix(std::string_view path) {
  for (const ModelProbe* probe : model_probes()) {
    if (has_suffix(path, probe->own_suffixes)) return true;
  }
  return has_suffix(path, kUnreadSuffixes);
}

bool may_be_model(std::string_view path) {
  if (has_suffix(path, kSharedSuffixes)) return true;
  const std::string folded = lower(path);
  return std::any_of(std::begin(kWords), std::end(kWords),
                     [&](std::string_view word) { return folded.find(word) != std::string::npos; });
}

}  // namespace thimble::gauge
