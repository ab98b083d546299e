// Collects what the rules find in the parts of one package. Each finding keeps where it was and what matched, so that
// it can be looked up by hand; the same rule in the same file counts instead of repeating.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "gauge/apk/manifest.h"
#include "gauge/bytes.h"
#include "gauge/detect/rules.h"

namespace thimble::gauge {

struct Finding {
  Subject subject = Subject::app;
  std::string name;  // "TensorFlow Lite"
  Level level = Level::named;
  Place place = Place::file;
  std::string path;     // inside the package
  std::string matched;  // the name or text that was found
  std::uint64_t count = 0;
};

class Evidence {
 public:
  void file(const std::string& path);
  void class_file(const std::string& path);  // "classes.jar!/ai/onnxruntime/OrtSession.class"
  void manifest(const std::string& path, const Manifest& manifest);
  void native_code(const std::string& path, Bytes bytes);  // any: the words of `native` rules
  void elf(const std::string& path, Bytes bytes);          // and what its dynamic section says; bad_file, Truncated
  void dex(const std::string& path, Bytes bytes);          // bad_file, Truncated

  const std::vector<Finding>& findings() const { return findings_; }
  // File names with a suffix of a model format that code mentions.
  const std::map<std::string, std::string>& model_names() const { return model_names_; }
  const std::set<std::string>& machines() const { return machines_; }
  void add(Subject subject, std::string_view name, Level level, Place place, const std::string& path,
           std::string_view matched);

 private:
  void add(const Rule& rule, Level level, const std::string& path, std::string_view matched);
  void dex_one(const std::string& path, const class Dex& dex);
  void dex_text(const std::string& path, std::string_view text);

  std::vector<Finding> findings_;
  std::map<std::tuple<Subject, std::string, Place, std::string>, std::size_t> index_;  // subject, name, place, path
  std::map<std::string, std::string> model_names_;                                     // name, path of the code
  std::set<std::string> machines_;
};

}  // namespace thimble::gauge
