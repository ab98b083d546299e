// What tells that a package uses machine learning, and how strongly. A word alone tells little: libraries carry help
// texts that name backends which were never built in. So every rule says where it looks and what a hit proves.
#pragma once

#include <span>
#include <string_view>

namespace thimble::gauge {

enum class Subject {
  app,        // which app this is
  framework,  // a library that runs models
  delegate,   // an accelerator behind a framework
  cloud,      // a service that runs them elsewhere
  delivery,   // models that come from somewhere else, later
};

enum class Level {
  named = 0,    // the name is mentioned
  built = 1,    // the backend's own source paths or symbols are there; its classes are referred to
  linked = 2,   // a library needs it, or opens it by name at run time
  shipped = 3,  // the library or its classes are in the package
  called = 4,   // the call that switches it on is made, or the manifest asks for it
};

enum class Place {
  file,    // name of a file, with '*'; with a '/' in the pattern it is looked for in the path, without case
  native,  // bytes anywhere in native code
  soname,  // a library that native code needs, or whose name stands alone among its strings
  symbol,  // beginning of a dynamic symbol's name, given or taken
  type,    // beginning of a class's name in dex or class files: the level is that of a reference, a definition is
           // `shipped`
  method,  // "Lclass;->name" in dex: `built` when referred to, the rule's level when code outside that library calls it
  text,    // inside a string of dex
  meta_data,  // beginning of the name of a meta-data element of the manifest
};

struct Rule {
  Subject subject;
  std::string_view name;  // what it is evidence of
  Place place;
  std::string_view pattern;
  Level level;
};

std::span<const Rule> rules();
inline constexpr int kRulesVersion = 2;  // part of a scan's identity: other rules, other findings

std::string_view to_string(Subject subject);
std::string_view to_string(Place place);

// '*' stands for any run of characters.
bool matches(std::string_view pattern, std::string_view name);

}  // namespace thimble::gauge
