// What the tests of this folder share: the saved checkpoints, copies of them to damage, and messages of errors.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "formats/diffusers/model_dir.h"

namespace thimble::formats {

inline const std::filesystem::path kTestData = "formats/diffusers/testdata";

// A folder of its own for one test, gone at the end.
class Directory {
 public:
  Directory() {
    static int count = 0;
    path_ = std::filesystem::temp_directory_path() / fmt::format("thimble_diffusers_{}_{}", ::getpid(), ++count);
    std::filesystem::create_directories(path_);
  }
  explicit Directory(const std::filesystem::path& copy_of) : Directory() {
    std::filesystem::copy(copy_of, path_, std::filesystem::copy_options::recursive);
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory() { std::filesystem::remove_all(path_); }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

template <class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    return std::string(to_string(e.kind())) + ": " + e.what();
  }
  return "no error";
}

// One line that begins with the kind and holds every one of `words`.
inline void expect_refused(const std::string& message, std::string_view kind, std::vector<std::string> words) {
  EXPECT_TRUE(message.starts_with(kind)) << message;
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  for (const std::string& word : words) {
    EXPECT_NE(message.find(word), std::string::npos) << message << "\nwanted: " << word;
  }
}

// The same names, shapes and values; element types may differ.
inline void expect_equal(const graph::Weights& a, const graph::Weights& b) {
  ASSERT_EQ(a.names(), b.names());
  for (const std::string& name : a.names()) {
    ASSERT_EQ(a.at(name).shape(), b.at(name).shape()) << name;
    const graph::Tensor x = a.at(name).to(DType::f32), y = b.at(name).to(DType::f32);
    const auto p = x.as<float>(), q = y.as<float>();
    ASSERT_TRUE(std::equal(p.begin(), p.end(), q.begin())) << name;
  }
}

// A file of f32 tensors of zeros with these shapes.
inline void write_zeros(const std::filesystem::path& path,
                        const std::vector<std::pair<std::string, std::vector<std::int64_t>>>& tensors) {
  std::vector<TensorSpec> specs;
  for (const auto& [name, shape] : tensors) specs.push_back({name, DType::f32, shape});
  SafetensorsWriter out(path, specs);
  for (const TensorSpec& t : out.order()) out.write(t.name, std::vector<std::byte>(t.bytes()));
  out.commit();
}

}  // namespace thimble::formats
