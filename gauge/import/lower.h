// Other formats' operators in the words of those two that are imported: Caffe, ncnn and MNN, whose pictures come
// channels first, become ONNX's; TensorFlow's and Keras's, channels last, TFLite's. What has no such words keeps its
// own name with the format's before it, which no table of operators knows, so that it is named and counted and never
// guessed.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gauge/model/model.h"

namespace thimble::gauge {

struct Lowered {
  Model model;                       // format "onnx" or "tflite"; its constants are the native model's, or its own
  std::vector<std::int32_t> origin;  // of each operator of graph 0: the native operator it stands for
  std::map<std::string, int> unknown;
};

bool lowers(std::string_view format);
// The native model must outlive the result. Errors: bad_file.
Lowered lower(const Model& native);

// What the lowering of one format works with. Tensors keep the native indices; new ones come behind them.
class Lowering {
 public:
  using Inputs = std::vector<std::int32_t>;
  using Attributes = std::map<std::string, Attribute, std::less<>>;

  Lowering(const Model& native, std::string_view dialect);

  // Of the operator that is being lowered:
  std::size_t count() const { return op_->inputs.size(); }
  bool has(std::size_t i) const { return i < count() && op_->inputs[i] >= 0; }
  std::int32_t in(std::size_t i) const;  // -1 when left out
  std::int32_t out(std::size_t i = 0) const;
  Inputs all(std::size_t from, std::size_t count) const;

  const ModelTensor& tensor(std::int32_t i) const;
  std::optional<std::vector<std::int64_t>> known(std::int32_t tensor) const;  // of a constant of whole numbers

  void emit(std::string type, Inputs inputs, Inputs outputs, Attributes attributes = {});
  std::int32_t make(std::string type, Inputs inputs, Attributes attributes = {});  // into a new tensor
  void alias(std::int32_t result, std::int32_t same_as);
  std::int32_t integers(const std::vector<std::int64_t>& values);  // (n)
  std::int32_t number(double value);                               // ()
  std::int32_t reshaped(std::int32_t tensor, const std::vector<std::int64_t>& shape);
  std::int32_t temporary();
  // Real numbers of a constant that the file keeps quantised.
  std::int32_t real(std::int32_t tensor);

  ModelGraph& graph() { return result_.model.graphs[0]; }

  // Runs `one` for every operator; false means that it has no words for it.
  template <class F>
  Lowered run(const F& one) {
    for (std::size_t i = 0; i < native_.graphs[0].ops.size(); ++i) {
      begin(i);
      if (!one(*this, native_.graphs[0].ops[i])) unknown();
    }
    return finish();
  }

 private:
  void begin(std::size_t op);
  void unknown();
  Lowered finish();
  std::int32_t resolved(std::int32_t tensor) const;

  const Model& native_;
  Lowered result_;
  const ModelOp* op_ = nullptr;
  std::int32_t number_ = 0;
  std::map<std::int32_t, std::int32_t> alias_;
};

bool lower_caffe(Lowering& l, const ModelOp& op);
bool lower_ncnn(Lowering& l, const ModelOp& op);
bool lower_mnn(Lowering& l, const ModelOp& op);
bool lower_tensorflow(Lowering& l, const ModelOp& op);
bool lower_keras(Lowering& l, const ModelOp& op);

// An attribute that may be one number or a list of them.
std::vector<std::int64_t> numbers_in(const ModelOp& op, std::string_view key);

}  // namespace thimble::gauge
