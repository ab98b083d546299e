// Small valid files made in code, and the ways to make them lie: for the tests and as seeds of the fuzz targets. The
// writers share nothing with the readers under test.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace thimble::gauge::testing {

struct ZipEntry {
  std::string name{}, data{};
  std::uint16_t method = 8;  // 8: deflated; 0: stored; others: stored bytes under that number
  std::uint16_t flags = 0;   // bit 0 encrypted, bit 3 sizes behind the data
  bool zip64 = false;        // sizes in the extra field
  // Lies, in the central directory and, without a descriptor, in the local header.
  std::optional<std::uint32_t> size{}, packed{}, crc{}, local_offset{};
  std::optional<std::string> local_name{};
};

std::string make_zip(const std::vector<ZipEntry>& entries, const std::string& comment = {},
                     const std::string& before = {});
std::string make_tar(const std::vector<std::pair<std::string, std::string>>& files);
std::string make_gzip(const std::string& data);

struct ManifestText {
  std::string package = "org.example.app", version_name = "1.5", split{};
  std::uint32_t version_code = 7, min_sdk = 21, target_sdk = 34;
  std::vector<std::string> permissions{};
  std::vector<std::pair<std::string, std::string>> meta_data{};
  bool utf8 = true;
};
std::string make_axml(const ManifestText& manifest);
std::string make_proto_manifest(const ManifestText& manifest);

struct DexText {
  std::vector<std::string> defined{}, referenced{};            // classes, "Lorg/example/A;"
  std::vector<std::pair<std::string, std::string>> methods{};  // class, name; the class must be one of the above
  std::vector<std::string> strings{};
  // Code: the class with that index among `defined` calls the method with that index among `methods`.
  std::vector<std::pair<std::uint32_t, std::uint32_t>> calls{};
};
std::string make_dex(const DexText& dex);

struct ElfText {
  std::string soname = "libexample.so";
  std::vector<std::string> needed{}, exported{}, imported{};
  std::string rodata{};
};
std::string make_elf(const ElfText& elf);  // 64 bits, arm64

std::string make_tflite(std::uint32_t weights = 100);  // one CONV_2D; that many f32 weights
std::string make_onnx(std::uint32_t weights = 100);    // one Gemm in a graph, one Identity in an If's branch
std::string make_gguf();                               // 64 f32 and 64 Q8_0 elements
std::string make_safetensors();                        // 6 f32 elements
std::string make_ncnn_param();                         // one convolution: 27 weights of half precision, 3 biases
std::string make_ncnn_binary_param();
std::string make_ncnn_bin();

std::string random_bytes(std::size_t count, std::uint64_t seed);

}  // namespace thimble::gauge::testing
