// Dalvik executables (dex 035 to 041): the string pool, types, method references and which classes are defined: enough
// to see which libraries and services an app is built with. Not here: code (dex_calls.h).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gauge/bytes.h"

namespace thimble::gauge {

// Offsets were checked at parse(); accessors check each item they reach. All errors are bad_file or Truncated.
class Dex {
 public:
  // `at`: where the header begins; from version 041 on several stand in one file, `next()` being the place of the next.
  static Dex parse(Bytes file, std::size_t at = 0);

  int version() const { return version_; }
  std::size_t next() const { return next_; }  // file.size() when this was the last

  std::uint32_t strings() const { return strings_.count; }
  // Modified UTF-8 as stored: ASCII is itself, the rest is for mutf8_to_utf8().
  std::string_view string(std::uint32_t i) const;

  std::uint32_t types() const { return types_.count; }
  std::string_view type(std::uint32_t i) const;  // "Lai/onnxruntime/OrtSession;"

  std::uint32_t methods() const { return methods_.count; }
  struct Method {
    std::uint32_t type = 0;  // index of its class
    std::string_view name;
  };
  Method method(std::uint32_t i) const;

  std::uint32_t classes() const { return classes_.count; }
  std::uint32_t class_type(std::uint32_t i) const;  // index of the type that class definition i defines
  std::uint32_t class_data(std::uint32_t i) const;  // where its methods are listed, 0: nowhere

  Bytes file() const { return file_; }  // offsets count from its first byte

 private:
  struct Table {
    std::uint32_t count = 0, at = 0;
  };
  Table table(std::size_t at, std::uint32_t item, const char* what) const;

  Bytes file_;
  int version_ = 0;
  std::size_t next_ = 0;
  Table strings_, types_, methods_, classes_;
};

// Surrogate pairs become one character, C0 80 becomes NUL, what is broken becomes U+FFFD.
std::string mutf8_to_utf8(std::string_view s);

}  // namespace thimble::gauge
