#include "gauge/model/caffe_fields.h"

#include <algorithm>

#include "base/error.h"

namespace thimble::gauge {
namespace {

using Field = CaffeField;
constexpr auto kReal = Field::real;

const std::vector<CaffeMessage>& messages() {
  static const std::vector<CaffeMessage> all{
      {104, 9, "concat_param", {{1, "concat_dim"}, {2, "axis"}}},
      {106,
       10,
       "convolution_param",
       {{1, "num_output"},
        {2, "bias_term"},
        {3, "pad"},
        {4, "kernel_size"},
        {5, "group"},
        {6, "stride"},
        {9, "pad_h"},
        {10, "pad_w"},
        {11, "kernel_h"},
        {12, "kernel_w"},
        {13, "stride_h"},
        {14, "stride_w"},
        {16, "axis"},
        {18, "dilation"}}},
      {108, 12, "dropout_param", {{1, "dropout_ratio", kReal}}},
      {110, 24, "eltwise_param", {{1, "operation", Field::word, {"PROD", "SUM", "MAX"}}, {2, "coeff", kReal}}},
      {117, 17, "inner_product_param", {{1, "num_output"}, {2, "bias_term"}, {5, "axis"}, {6, "transpose"}}},
      {118,
       18,
       "lrn_param",
       {{1, "local_size"},
        {2, "alpha", kReal},
        {3, "beta", kReal},
        {4, "norm_region", Field::word, {"ACROSS_CHANNELS", "WITHIN_CHANNEL"}},
        {5, "k", kReal}}},
      {121,
       19,
       "pooling_param",
       {{1, "pool", Field::word, {"MAX", "AVE", "STOCHASTIC"}},
        {2, "kernel_size"},
        {3, "stride"},
        {4, "pad"},
        {5, "kernel_h"},
        {6, "kernel_w"},
        {7, "stride_h"},
        {8, "stride_w"},
        {9, "pad_h"},
        {10, "pad_w"},
        {12, "global_pooling"},
        {13, "round_mode", Field::word, {"CEIL", "FLOOR"}}}},
      {122, 21, "power_param", {{1, "power", kReal}, {2, "scale", kReal}, {3, "shift", kReal}}},
      {123, 30, "relu_param", {{1, "negative_slope", kReal}}},
      {125, 39, "softmax_param", {{2, "axis"}}},
      {126, 31, "slice_param", {{1, "slice_dim"}, {2, "slice_point"}, {3, "axis"}}},
      {131, 0, "prelu_param", {{2, "channel_shared"}}},
      {133, 0, "reshape_param", {{1, "shape", Field::message}, {2, "axis"}, {3, "num_axes"}}},
      {135, 0, "flatten_param", {{1, "axis"}, {2, "end_axis"}}},
      {139, 0, "batch_norm_param", {{1, "use_global_stats"}, {3, "eps", kReal}}},
      {140, 0, "elu_param", {{1, "alpha", kReal}}},
      {142, 0, "scale_param", {{1, "axis"}, {2, "num_axes"}, {4, "bias_term"}}},
      {143, 0, "input_param", {{1, "shape", Field::message}}},
  };
  return all;
}

struct OldType {
  std::uint64_t number;
  const char *word, *type;
};

constexpr OldType kOldTypes[] = {{35, "ABSVAL", "AbsVal"},
                                 {1, "ACCURACY", "Accuracy"},
                                 {30, "ARGMAX", "ArgMax"},
                                 {2, "BNLL", "BNLL"},
                                 {3, "CONCAT", "Concat"},
                                 {37, "CONTRASTIVE_LOSS", "ContrastiveLoss"},
                                 {4, "CONVOLUTION", "Convolution"},
                                 {5, "DATA", "Data"},
                                 {39, "DECONVOLUTION", "Deconvolution"},
                                 {6, "DROPOUT", "Dropout"},
                                 {32, "DUMMY_DATA", "DummyData"},
                                 {7, "EUCLIDEAN_LOSS", "EuclideanLoss"},
                                 {25, "ELTWISE", "Eltwise"},
                                 {38, "EXP", "Exp"},
                                 {8, "FLATTEN", "Flatten"},
                                 {9, "HDF5_DATA", "HDF5Data"},
                                 {10, "HDF5_OUTPUT", "HDF5Output"},
                                 {28, "HINGE_LOSS", "HingeLoss"},
                                 {11, "IM2COL", "Im2col"},
                                 {12, "IMAGE_DATA", "ImageData"},
                                 {13, "INFOGAIN_LOSS", "InfogainLoss"},
                                 {14, "INNER_PRODUCT", "InnerProduct"},
                                 {15, "LRN", "LRN"},
                                 {29, "MEMORY_DATA", "MemoryData"},
                                 {16, "MULTINOMIAL_LOGISTIC_LOSS", "MultinomialLogisticLoss"},
                                 {34, "MVN", "MVN"},
                                 {17, "POOLING", "Pooling"},
                                 {26, "POWER", "Power"},
                                 {18, "RELU", "ReLU"},
                                 {19, "SIGMOID", "Sigmoid"},
                                 {27, "SIGMOID_CROSS_ENTROPY_LOSS", "SigmoidCrossEntropyLoss"},
                                 {36, "SILENCE", "Silence"},
                                 {20, "SOFTMAX", "Softmax"},
                                 {21, "SOFTMAX_LOSS", "SoftmaxWithLoss"},
                                 {22, "SPLIT", "Split"},
                                 {33, "SLICE", "Slice"},
                                 {23, "TANH", "TanH"},
                                 {24, "WINDOW_DATA", "WindowData"},
                                 {31, "THRESHOLD", "Threshold"}};

}  // namespace

const CaffeMessage* caffe_message(std::uint32_t field, bool old) {
  for (const CaffeMessage& m : messages()) {
    if ((old ? m.old_field : m.field) == field && field != 0) return &m;
  }
  return nullptr;
}

std::string caffe_old_type(std::uint64_t number) {
  const auto* it = std::ranges::find(kOldTypes, number, &OldType::number);
  return it == std::end(kOldTypes) ? fmt::format("V1_{}", number) : it->type;
}

std::string caffe_type(const std::string& word) {
  for (const OldType& t : kOldTypes) {
    if (word == t.word) return t.type;
  }
  return word;
}

}  // namespace thimble::gauge
