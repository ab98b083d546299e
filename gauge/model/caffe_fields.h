// Names and numbers of Caffe's messages, for the layers that are understood (gauge/import/lower_caffe.cpp).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace thimble::gauge {

struct CaffeField {
  enum Kind { whole, real, word, message };
  std::uint32_t number;
  std::string_view name;
  Kind kind = whole;
  std::vector<std::string_view> words = {};
};

struct CaffeMessage {
  std::uint32_t field, old_field;  // in LayerParameter and in V1LayerParameter; 0: not there
  std::string_view name;           // "convolution_param"
  std::vector<CaffeField> fields;
};

const CaffeMessage* caffe_message(std::uint32_t field, bool old);  // null when it is of no interest
std::string caffe_old_type(std::uint64_t number);                  // of V1LayerParameter: "Convolution"
std::string caffe_type(const std::string& word);                   // "CONVOLUTION" is "Convolution"; others stay

}  // namespace thimble::gauge
