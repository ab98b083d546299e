// Reading of model_index.json: a stranger's list of the pipeline's parts. A pair [library, class] is a part, [null,
// null] an absent one; other keys are options of the pipeline.
#include <algorithm>
#include <array>

#include "base/error.h"
#include "formats/diffusers/model_dir.h"

namespace thimble::formats {
namespace {

// Parts that no picture needs.
constexpr std::array<std::string_view, 3> kSkipped{"safety_checker", "feature_extractor", "image_processor"};

bool is_folder_name(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

}  // namespace

ModelIndex parse_model_index(std::string_view text, const std::string& what) {
  const Json json = parse_json(text, what, 8);
  ModelIndex index;
  index.pipeline_class = get_string(json, "_class_name", what);
  index.settings = Json::object();
  for (const auto& [name, value] : json.items()) {
    if (name.starts_with("_")) continue;
    if (!value.is_array()) {
      index.settings[name] = value;
      continue;
    }
    if (!is_folder_name(name)) {
      fail(ErrorKind::bad_file, "{}: '{}' cannot be a part's folder: letters, digits and _ were wanted", what,
           name.substr(0, 80));
    }
    const bool absent = value.size() == 2 && value[0].is_null() && value[1].is_null();
    if (absent) {
      index.absent.push_back(name);
      continue;
    }
    if (value.size() != 2 || !value[0].is_string() || !value[1].is_string()) {
      fail(ErrorKind::bad_file, "{}: part '{}' must be [library, class] or [null, null], found {}", what, name,
           value.dump(-1, ' ', false, Json::error_handler_t::replace).substr(0, 80));
    }
    const ModelIndex::Entry entry{name, value[0].get<std::string>(), value[1].get<std::string>()};
    if (std::ranges::find(kSkipped, name) != kSkipped.end()) {
      index.skipped.push_back(name);
    } else if (name == "scheduler") {
      index.scheduler_class = entry.class_name;
    } else if (name.starts_with("tokenizer")) {
      index.tokenizers.push_back(entry);
    } else if (entry.class_name.find("ControlNet") != std::string::npos) {
      fail(ErrorKind::unsupported,
           "{}: part '{}' is a ControlNet ({}), which is not supported; the model without it is", what, name,
           entry.class_name.substr(0, 80));
    } else if (find_network(entry.class_name) != nullptr) {
      index.networks.push_back(entry);
    } else {
      fail(ErrorKind::unsupported, "{}: part '{}' is of the class '{}', which is not known; known are {}", what, name,
           entry.class_name.substr(0, 80), known_networks());
    }
  }
  if (index.networks.empty()) {
    fail(ErrorKind::bad_file,
         "{}: the pipeline '{}' lists no network, such as \"unet\": [\"diffusers\", "
         "\"UNet2DConditionModel\"]",
         what, index.pipeline_class.substr(0, 80));
  }
  return index;
}

}  // namespace thimble::formats
