// The table. A new framework, accelerator or service is rows here and nothing else.
#include "gauge/detect/rules.h"

namespace thimble::gauge {
namespace {

using enum Subject;
using enum Level;
using enum Place;

constexpr std::string_view kTflite = "TensorFlow Lite", kTensorFlow = "TensorFlow", kOrt = "ONNX Runtime",
                           kNcnn = "ncnn", kMnn = "MNN", kPytorch = "PyTorch Mobile", kExecutorch = "ExecuTorch",
                           kCaffe = "Caffe", kCaffe2 = "Caffe2", kSnpe = "SNPE", kQnn = "QNN", kPaddle = "Paddle Lite",
                           kMace = "MACE", kMxnet = "MXNet", kTengine = "Tengine", kDlib = "dlib",
                           kOpenCv = "OpenCV DNN", kMlKit = "ML Kit", kMediaPipe = "MediaPipe", kCoreMl = "Core ML",
                           kTnn = "TNN", kMindspore = "MindSpore Lite", kLlama = "llama.cpp", kWhisper = "whisper.cpp",
                           kSherpa = "sherpa-onnx", kDnnLibrary = "DNNLibrary", kArmNn = "Arm NN",
                           kArmCompute = "Arm Compute Library", kVosk = "Vosk", kTfjs = "TensorFlow.js";

constexpr Rule kRules[] = {
    // Frameworks: shipped libraries.
    {framework, kTflite, file, "libtensorflowlite*.so", shipped},
    {framework, kTflite, file, "libtflite*.so", shipped},
    {framework, kTflite, file, "/tensorflowlitec.framework/", shipped},
    {framework, kTensorFlow, file, "libtensorflow_inference.so", shipped},
    {framework, kTensorFlow, file, "libtensorflow_cc.so", shipped},
    {framework, kOrt, file, "libonnxruntime*.so", shipped},
    {framework, kOrt, file, "/onnxruntime.framework/", shipped},
    {framework, kNcnn, file, "libncnn*.so", shipped},
    {framework, kMnn, file, "libMNN*.so", shipped},
    {framework, kPytorch, file, "libpytorch_jni*.so", shipped},
    {framework, kPytorch, file, "libtorch*.so", shipped},
    {framework, kExecutorch, file, "libexecutorch*.so", shipped},
    {framework, kPaddle, file, "libpaddle_*.so", shipped},
    {framework, kMediaPipe, file, "libmediapipe*.so", shipped},
    {framework, kSnpe, file, "libSNPE*.so", shipped},
    {framework, kTnn, file, "libTNN*.so", shipped},
    {framework, kTengine, file, "libtengine*.so", shipped},
    {framework, kMace, file, "libmace*.so", shipped},
    {framework, kMindspore, file, "libmindspore-lite*.so", shipped},
    {framework, kMxnet, file, "libmxnet*.so", shipped},
    {framework, kLlama, file, "libllama*.so", shipped},
    {framework, kWhisper, file, "libwhisper*.so", shipped},
    {framework, kSherpa, file, "libsherpa-onnx*.so", shipped},
    {framework, kSherpa, file, "libsherpa-ncnn*.so", shipped},
    {framework, kVosk, file, "libvosk.so", shipped},
    {framework, kArmNn, file, "libarmnn*.so", shipped},
    {framework, kArmCompute, file, "libarm_compute*.so", shipped},
    {framework, kOpenCv, file, "libopencv_dnn*.so", shipped},
    {framework, kMlKit, file, "libmlkit*.so", shipped},
    {framework, kMlKit, file, "libbarhopper_v*.so", shipped},
    {framework, kTfjs, file, "tfjs-backend-wasm*.wasm", shipped},
    // Frameworks: what their code leaves in a native library, whatever it is called.
    {framework, kTflite, native, "N5EigenForTFLite", built},
    {framework, kTflite, native, "kTfLiteNullBufferHandle", built},
    {framework, kTflite, native, "tensorflow/contrib/lite/kernels/", built},
    {framework, kTflite, native, "tensorflow/lite/kernels/", built},
    {framework, kTflite, native, "/tensorflow/lite/", built},
    {framework, kTflite, symbol, "TfLiteInterpreterCreate", built},
    {framework, kTensorFlow, native, "N10tensorflow8GraphDefE", built},
    {framework, kTensorFlow, native, "N18tensorflow20ReadOnlyMemoryRegionE", built},
    {framework, kTensorFlow, symbol, "TF_AllocateTensor", built},
    {framework, kTensorFlow, symbol, "TF_NewTensor", built},
    {framework, kOrt, symbol, "OrtGetApiBase", built},
    {framework, kOrt, native, "onnxruntime/core/session/", built},
    {framework, kOrt, soname, "libonnxruntime.so", linked},
    {framework, kCaffe, native, "caffe.BlobProto", built},
    {framework, kCaffe, native, "caffe-android-lib/", built},
    {framework, kCaffe, native, "N5caffe5LayerIfEE", built},
    {framework, kCaffe, native, "caffe::Net<float>", built},
    {framework, kCaffe2, native, "Caffe2 alloc", built},
    {framework, kCaffe2, native, "N6caffe28OpSchema", built},
    {framework, kCaffe2, native, "N6caffe26NetDefE", built},
    {framework, kCaffe2, native, "caffe2/caffe2/core/", built},
    {framework, kNcnn, native, "layer load_param failed", built},
    {framework, kNcnn, native, "layer load_param %d %s failed", built},
    {framework, kNcnn, native, "N4ncnn5LayerE", built},
    {framework, kNcnn, native, "overwrite existing custom layer index", built},
    {framework, kMnn, native, "MNNDimensionType", built},
    {framework, kMnn, native, "MNN_Vulkan", built},
    {framework, kMnn, native, "MNN ERROR", built},
    {framework, kMnn, soname, "libMNN.so", linked},
    {framework, kSnpe, native, "snpe_dsp_setup", built},
    {framework, kSnpe, native, "snpe_get_tensor_dims", built},
    {framework, kSnpe, soname, "libSNPE.so", linked},
    {framework, kPytorch, native, "_save_for_mobile", built},
    {framework, kPytorch, native, "pytorch_qnnp", built},
    {framework, kExecutorch, native, "executorch/runtime/", built},
    {framework, kPaddle, native, "N6paddle4lite", built},
    {framework, kPaddle, native, "N13paddle_mobile", built},
    {framework, kPaddle, native, "PaddleMobile_", built},
    {framework, kMace, native, "mace_input_node_", built},
    {framework, kMace, native, "N4mace6BufferE", built},
    {framework, kMxnet, native, "N5mxnet6EngineE", built},
    {framework, kMxnet, native, "N5mxnet13GraphExecutor", built},
    {framework, kTengine, native, "unregister_conv_op", built},
    {framework, kTengine, native, "/tengine/", built},
    {framework, kDlib, native, "/dlib/", built},
    {framework, kDlib, native, "VisionDetRet", built},
    {framework, kDnnLibrary, native, "/dnnlibrary/", built},
    {framework, kArmCompute, native, "N11arm_compute", built},
    {framework, kArmCompute, soname, "libarm_compute.so", linked},
    {framework, "feather", native, "feathercnn", built},
    {framework, "xNN", native, "FALCONXNN", built},
    {framework, "CNNdroid", native, "ScriptC_convRolledIn", built},
    {framework, "Deeplearning4j", native, "N4nd4j3ops", built},
    {framework, kLlama, symbol, "llama_model_load_from_file", built},
    {framework, kLlama, symbol, "llama_load_model_from_file", built},
    {framework, kWhisper, symbol, "whisper_init_from_file", built},
    {framework, kOpenCv, native, "cv::dnn::", built},
    {framework, kOpenCv, native, "opencv/modules/dnn/", built},
    {framework, kMediaPipe, native, "mediapipe/framework/", built},
    {framework, kCoreMl, native, "/System/Library/Frameworks/CoreML.framework/", linked},
    {framework, kTflite, symbol, "Java_org_tensorflow_lite_", built},
    {framework, kTensorFlow, symbol, "Java_org_tensorflow_contrib_", built},
    {framework, kOrt, symbol, "Java_ai_onnxruntime_", built},
    {framework, kPytorch, symbol, "Java_org_pytorch_", built},
    {framework, kMnn, symbol, "Java_com_taobao_android_mnn_", built},
    {framework, kMediaPipe, symbol, "Java_com_google_mediapipe_", built},
    {framework, kMlKit, symbol, "Java_com_google_mlkit_", built},
    // Frameworks: classes.
    {framework, kTflite, type, "Lorg/tensorflow/lite/", built},
    {framework, kTflite, type, "Lcom/google/android/gms/tflite/", built},
    {framework, kTensorFlow, type, "Lorg/tensorflow/contrib/android/", built},
    {framework, kOrt, type, "Lai/onnxruntime/", built},
    {framework, kPytorch, type, "Lorg/pytorch/", built},
    {framework, kExecutorch, type, "Lorg/pytorch/executorch/", built},
    {framework, kNcnn, type, "Lcom/tencent/ncnn/", built},
    {framework, kMnn, type, "Lcom/taobao/android/mnn/", built},
    {framework, kMnn, type, "Lcom/alibaba/android/mnn/", built},
    {framework, kPaddle, type, "Lcom/baidu/paddle/lite/", built},
    {framework, kSnpe, type, "Lcom/qualcomm/qti/snpe/", built},
    {framework, kOpenCv, type, "Lorg/opencv/dnn/", built},
    {framework, kMlKit, type, "Lcom/google/mlkit/", built},
    {framework, kMediaPipe, type, "Lcom/google/mediapipe/", built},
    {framework, "Firebase ML", type, "Lcom/google/firebase/ml/", built},
    {framework, "HMS ML Kit", type, "Lcom/huawei/hms/mlsdk/", built},
    {framework, "HiAI", type, "Lcom/huawei/hiai/", built},
    {framework, "Deeplearning4j", type, "Lorg/deeplearning4j/", built},
    {framework, kDlib, type, "Lcom/tzutalin/dlib/", built},
    {framework, kVosk, type, "Lorg/vosk/", built},
    // Suffixes that belong to one framework: a name, until a probe reads the format.
    {framework, kCaffe, file, "*.caffemodel", named},
    {framework, kCaffe, file, "*.prototxt", named},
    {framework, kMnn, file, "*.mnn", named},
    {framework, kSnpe, file, "*.dlc", named},
    {framework, kPytorch, file, "*.ptl", named},
    {framework, kExecutorch, file, "*.pte", named},
    {framework, kPaddle, file, "*.nb", named},
    {framework, kTengine, file, "*.tmfile", named},
    {framework, kCoreMl, file, "*.mlmodel", named},
    {framework, kCoreMl, file, ".mlmodelc/", named},
    {framework, kMindspore, file, "*.ms", named},
    {framework, "feather", file, "*.feathermodel", named},
    {framework, "xNN", file, "*.xnn", named},
    // NNAPI.
    {delegate, "NNAPI", soname, "libneuralnetworks.so", linked},
    {delegate, "NNAPI", symbol, "ANeuralNetworks", linked},
    {delegate, "NNAPI", native, "ANeuralNetworksModel_create", built},
    {delegate, "NNAPI", native, "core/providers/nnapi/", built},
    {delegate, "NNAPI", type, "Lorg/tensorflow/lite/nnapi/", built},
    {delegate, "NNAPI", method, "Lorg/tensorflow/lite/nnapi/NnApiDelegate;-><init>", called},
    {delegate, "NNAPI", method, "Lorg/tensorflow/lite/Interpreter$Options;->setUseNNAPI", called},
    {delegate, "NNAPI", method, "Lai/onnxruntime/OrtSession$SessionOptions;->addNnapi", called},
    // GPU.
    {delegate, "TFLite GPU", file, "libtensorflowlite_gpu*.so", shipped},
    {delegate, "TFLite GPU", native, "tensorflow/lite/delegates/gpu/", built},
    {delegate, "TFLite GPU", symbol, "TfLiteGpuDelegateV2Create", built},
    {delegate, "TFLite GPU", type, "Lorg/tensorflow/lite/gpu/", built},
    {delegate, "TFLite GPU", method, "Lorg/tensorflow/lite/gpu/GpuDelegate;-><init>", called},
    {delegate, "OpenCL", soname, "libOpenCL.so", linked},
    {delegate, "OpenCL", soname, "libOpenCL-pixel.so", linked},
    // XNNPACK.
    {delegate, "XNNPACK", native, "core/providers/xnnpack/", built},
    {delegate, "XNNPACK", native, "TfLiteXNNPackDelegate", built},
    {delegate, "XNNPACK", symbol, "xnn_create_", built},
    {delegate, "XNNPACK", symbol, "xnn_define_", built},
    {delegate, "XNNPACK", method, "Lorg/tensorflow/lite/Interpreter$Options;->setUseXNNPACK", called},
    {delegate, "XNNPACK", method, "Lai/onnxruntime/OrtSession$SessionOptions;->addXnnpack", called},
    // Qualcomm: Hexagon, SNPE, QNN.
    {delegate, "Hexagon", file, "libhexagon_nn_skel*.so", shipped},
    {delegate, "Hexagon", file, "libhexagon_interface.so", shipped},
    {delegate, "Hexagon", soname, "libhexagon_interface.so", linked},
    {delegate, "Hexagon", native, "tensorflow/lite/delegates/hexagon/", built},
    {delegate, "Hexagon", type, "Lorg/tensorflow/lite/HexagonDelegate;", built},
    {delegate, "SNPE DSP", file, "libsnpe_dsp_*.so", shipped},
    {delegate, "SNPE DSP", file, "libSnpeHtp*.so", shipped},
    {delegate, kSnpe, native, "SNPE", named},
    {delegate, kSnpe, native, "core/providers/snpe/", built},
    {delegate, kSnpe, method, "Lai/onnxruntime/OrtSession$SessionOptions;->addSnpe", called},
    {delegate, kQnn, file, "libQnn*.so", shipped},
    {delegate, kQnn, native, "QNN", named},
    {delegate, kQnn, native, "core/providers/qnn/", built},
    {delegate, kQnn, soname, "libQnnHtp.so", linked},
    {delegate, kQnn, soname, "libQnnGpu.so", linked},
    {delegate, kQnn, soname, "libQnnDsp.so", linked},
    // Others.
    {delegate, "Core ML", native, "core/providers/coreml/", built},
    {delegate, "Core ML", native, "TfLiteCoreMlDelegate", built},
    {delegate, "Core ML", file, "/tensorflowlitecoreml.framework/", shipped},
    {delegate, "Metal", file, "/tensorflowlitecmetal.framework/", shipped},
    {delegate, kArmCompute, native, "core/providers/acl/", built},
    {delegate, kArmCompute, soname, "libarm_compute_graph.so", linked},
    {delegate, "NeuroPilot", soname, "libneuron_adapter.mtk.so", linked},
    {delegate, "NeuroPilot", soname, "libneuron_adapter.so", linked},
    {delegate, "HiAI", file, "libhiai*.so", shipped},
    {delegate, "HiAI", soname, "libhiai.so", linked},
    {delegate, "Samsung ENN", soname, "libenn_public_api_cpp.so", linked},
    {delegate, "Edge TPU", soname, "libedgetpu_util.so", linked},
    // Cloud services: classes first, then hosts.
    {cloud, "Google", type, "Lcom/google/firebase/ml/vision/cloud/", called},
    {cloud, "Google", method, "Lcom/google/firebase/ml/vision/FirebaseVision;->getCloud", called},
    {cloud, "Google", type, "Lcom/google/cloud/vision/", called},
    {cloud, "Google", type, "Lcom/google/cloud/speech/", called},
    {cloud, "Google", type, "Lcom/google/cloud/language/", called},
    {cloud, "Google", type, "Lcom/google/cloud/translate/", called},
    {cloud, "Google", type, "Lcom/google/cloud/automl/", called},
    {cloud, "Google", type, "Lcom/google/cloud/dialogflow/", called},
    {cloud, "Google", type, "Lcom/google/api/services/vision/", called},
    {cloud, "Google", type, "Lcom/google/api/services/speech/", called},
    {cloud, "Google", type, "Lcom/google/api/services/language/", called},
    {cloud, "Google", type, "Lcom/google/ai/client/generativeai/", called},
    {cloud, "Google", text, "vision.googleapis.com", built},
    {cloud, "Google", text, "speech.googleapis.com", built},
    {cloud, "Google", text, "generativelanguage.googleapis.com", built},
    {cloud, "Amazon", type, "Lcom/amazonaws/services/rekognition/", called},
    {cloud, "Amazon", type, "Lcom/amazonaws/services/polly/", called},
    {cloud, "Amazon", type, "Lcom/amazonaws/services/lexrts/", called},
    {cloud, "Amazon", type, "Lcom/amazonaws/services/transcribe/", called},
    {cloud, "Amazon", type, "Lcom/amazonaws/services/translate/", called},
    {cloud, "Amazon", type, "Lcom/amazonaws/services/comprehend/", called},
    {cloud, "Amazon", type, "Lcom/amazonaws/services/textract/", called},
    {cloud, "Amazon", type, "Lcom/amazonaws/services/sagemakerruntime/", called},
    {cloud, "Amazon", type, "Lcom/amplifyframework/predictions/", called},
    {cloud, "Amazon", text, "rekognition.", named},
    {cloud, "Amazon", text, "alexaDeepLink", named},
    {cloud, "Microsoft", type, "Lcom/microsoft/cognitiveservices/", called},
    {cloud, "Microsoft", type, "Lcom/azure/ai/", called},
    {cloud, "Microsoft", text, ".cognitiveservices.azure.com", built},
    {cloud, "Microsoft", text, ".openai.azure.com", built},
    {cloud, "OpenAI", text, "api.openai.com", built},
    {cloud, "Anthropic", text, "api.anthropic.com", built},
    {cloud, "Hugging Face", text, "api-inference.huggingface.co", built},
    {cloud, "Huawei", type, "Lcom/huawei/hms/mlsdk/cloud/", called},
    {cloud, "Baidu", native, "BaiduSpeechSDK", built},
    {cloud, "Baidu", native, "BDSpeechDecoder", built},
    {cloud, "Baidu", native, "ocr-sdk", named},
    // Models that are not in the package.
    {delivery, "ML Kit at install time", meta_data, "com.google.firebase.ml.vision.DEPENDENCIES", called},
    {delivery, "ML Kit at install time", meta_data, "com.google.mlkit.vision.DEPENDENCIES", called},
    {delivery, "ML Kit at install time", meta_data, "com.google.android.gms.vision.DEPENDENCIES", called},
    {delivery, "HMS ML Kit at install time", meta_data, "com.huawei.hms.ml.DEPENDENCY", called},
    {delivery, "Firebase download", type, "Lcom/google/firebase/ml/modeldownloader/", built},
    {delivery, "Firebase download", type, "Lcom/google/firebase/ml/custom/FirebaseCustomRemoteModel;", built},
    {delivery, "Play asset packs", type, "Lcom/google/android/play/core/assetpacks/", built},
    {delivery, "Play services TFLite", type, "Lcom/google/android/gms/tflite/", built},
};

}  // namespace

std::span<const Rule> rules() { return kRules; }

std::string_view to_string(Subject s) {
  switch (s) {
    case app: return "app";
    case framework: return "framework";
    case delegate: return "delegate";
    case cloud: return "cloud";
    case delivery: return "delivery";
  }
  return "app";
}

std::string_view to_string(Place p) {
  switch (p) {
    case file: return "file";
    case native: return "native";
    case soname: return "soname";
    case symbol: return "symbol";
    case type: return "type";
    case method: return "method";
    case text: return "text";
    case meta_data: return "meta-data";
  }
  return "file";
}

bool matches(std::string_view pattern, std::string_view name) {
  std::size_t p = 0, n = 0, star = std::string_view::npos, retry = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      retry = n;
    } else if (p < pattern.size() && pattern[p] == name[n]) {
      ++p;
      ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++retry;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace thimble::gauge
