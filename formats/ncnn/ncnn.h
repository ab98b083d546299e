// Weights of convolution networks stored by ncnn: a text .param file that lists layers and a .bin file with their
// numbers. Reads Convolution layers (f32, or f16 behind the tag 0x01306B47, padded to 4 bytes; bias f32) and PReLU
// (slopes in f32); other layers without weights are passed over, other layers with weights are refused by name.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "graph/weights.h"

namespace thimble::formats {

// "<layer>.weight" (O, I, k, k) and "<layer>.bias" (O), in f32 or f16 as stored; of a PReLU "<layer>.weight" (C).
// `order`, if given, gains the names of layers with weights as the file lists them. bad_file when the files do not fit.
graph::Weights read_ncnn_weights(const std::filesystem::path& param, const std::filesystem::path& bin,
                                 std::vector<std::string>* order = nullptr);

}  // namespace thimble::formats
