"""Runs models on the runtimes they were made for and keeps inputs and outputs: TFLite, ONNX, Caffe, ncnn, MNN.

  python tools/goldens/gauge_outputs.py --out DIR [--value NAME=NUMBER ...] MODEL...

One safetensors file a model, named by the first 16 digits of its SHA-256: "input:NAME", "output:NUMBER"; metadata
`model`, `runtime`, `values` (JSON of the inputs fixed by --value), and `refused` when the runtime does not run it.
`thimble gauge check MODEL... --reference DIR` compares Thimble's runtime with them. Needs numpy, safetensors and,
for what is given, onnxruntime, ai-edge-litert (or tflite-runtime), opencv-python-headless (Caffe: the .prototxt stands
beside the .caffemodel), ncnn (the .bin beside the .param; pictures of --size pixels, 32), MNN.

Inputs are uniform in [-1, 1), integers 0 or 1, from a fixed seed. Sizes that a file leaves open are bound as
gauge/import/import.h says.
"""

import argparse
import hashlib
import json
import os
import sys

import numpy as np
from safetensors.numpy import save_file


def bound(shape, is_open):
    out = list(shape)
    for a, size in enumerate(out):
        if not is_open(a, size):
            continue
        if a == 0:
            out[a] = 1
        elif len(out) == 4 and a >= 2:
            out[a] = 320
        else:
            out[a] = 512 if len(out) == 2 else 1
    return [int(s) for s in out]


def draw(rng, shape, dtype, fixed):
    if fixed is not None:
        return np.full(shape, fixed, dtype=dtype)
    if np.issubdtype(dtype, np.floating):
        return (rng.random(shape, dtype=np.float32) * 2 - 1).astype(dtype)
    return rng.integers(0, 2, size=shape).astype(dtype)


def run_onnx(path, rng, values):
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    # Without its fusions, which round otherwise; what is compared is the model, not an optimiser.
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    types = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(bool)": np.bool_,
             "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}
    feeds = {}
    for i in session.get_inputs():
        shape = bound(i.shape, lambda a, size: not isinstance(size, int))
        feeds[i.name] = draw(rng, shape, types[i.type], values.get(i.name))
    outputs = session.run(None, feeds)
    return f"onnxruntime {ort.__version__}", feeds, outputs


def run_tflite(path, rng, values):
    try:
        from ai_edge_litert import interpreter as tflite
        import importlib.metadata

        name = "ai-edge-litert " + importlib.metadata.version("ai-edge-litert")
    except ImportError:
        from tflite_runtime import interpreter as tflite

        name = "tflite-runtime"
    interpreter = tflite.Interpreter(model_path=path, num_threads=1)
    for d in interpreter.get_input_details():
        signature = d["shape_signature"]
        shape = bound(d["shape"], lambda a, size: signature[a] < 0 and size <= 1)
        if shape != list(d["shape"]):
            interpreter.resize_tensor_input(d["index"], shape)
    interpreter.allocate_tensors()
    feeds = {}
    for d in interpreter.get_input_details():
        value = draw(rng, d["shape"], d["dtype"], values.get(d["name"]))
        feeds[d["name"]] = value
        interpreter.set_tensor(d["index"], value)
    interpreter.invoke()
    return name, feeds, [interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()]


def run_caffe(path, rng, values):
    import cv2

    text = os.path.splitext(path)[0] + ".prototxt"
    with open(text) as f:
        words = f.read().split()
    shape = [int(words[i + 1]) for i, w in enumerate(words) if w == "input_dim:"][:4]
    net = cv2.dnn.readNetFromCaffe(text, path)
    feeds = {"data": draw(rng, shape, np.dtype(np.float32), None)}
    net.setInput(feeds["data"])
    return "OpenCV " + cv2.__version__, feeds, [net.forward()]


def run_ncnn(path, rng, values):
    import ncnn

    with open(path) as f:
        lines = [line.split() for line in f.read().splitlines()[2:]]
    made = [l[4 + int(l[2]) : 4 + int(l[2]) + int(l[3])] for l in lines]
    read = {b for l in lines for b in l[4 : 4 + int(l[2])]}
    inputs = [m for l, m in zip(lines, made) if l[0] == "Input"]
    outputs = [b for m in made for b in m if b not in read]
    net = ncnn.Net()
    net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = net.opt.use_fp16_packed = net.opt.use_bf16_storage = False
    net.opt.num_threads = 1
    net.load_param(path)
    net.load_model(os.path.splitext(path)[0] + ".bin")
    size = int(values.get("size", 32))
    picture = draw(rng, [3, size, size], np.dtype(np.float32), None)
    extractor = net.create_extractor()
    extractor.input(inputs[0][0], ncnn.Mat(picture))
    results = [np.array(extractor.extract(name)[1])[None] for name in outputs]
    return "ncnn " + ncnn.__version__, {inputs[0][0]: picture[None]}, results


def run_mnn(path, rng, values):
    import importlib.metadata

    import MNN

    interpreter = MNN.Interpreter(path)
    session = interpreter.createSession({"backend": "CPU", "numThread": 1, "precision": "high"})
    feeds = {}
    for name, tensor in interpreter.getSessionInputAll(session).items():
        feeds[name] = draw(rng, list(tensor.getShape()), np.dtype(np.float32), None)
        tensor.copyFrom(MNN.Tensor(tensor.getShape(), MNN.Halide_Type_Float, feeds[name], MNN.Tensor_DimensionType_Tensorflow))
    interpreter.runSession(session)
    outputs = []
    for name, tensor in interpreter.getSessionOutputAll(session).items():
        host = MNN.Tensor(tensor.getShape(), MNN.Halide_Type_Float, np.zeros(tensor.getShape(), np.float32),
                          MNN.Tensor_DimensionType_Tensorflow)
        tensor.copyToHostTensor(host)
        outputs.append((name, np.array(host.getNumpyData())))
    return "MNN " + importlib.metadata.version("MNN"), feeds, [v for _, v in sorted(outputs, reverse=True)]


RUNNERS = {".onnx": run_onnx, ".tflite": run_tflite, ".caffemodel": run_caffe, ".param": run_ncnn, ".mnn": run_mnn}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", required=True)
    parser.add_argument("--value", action="append", default=[], help="NAME=NUMBER: an input fixed to one number")
    parser.add_argument("models", nargs="+")
    arguments = parser.parse_args()
    values = {k: float(v) for k, v in (pair.split("=") for pair in arguments.value)}
    os.makedirs(arguments.out, exist_ok=True)
    for path in arguments.models:
        with open(path, "rb") as f:
            digest = hashlib.sha256(f.read()).hexdigest()
        target = os.path.join(arguments.out, digest[:16] + ".safetensors")
        if os.path.exists(target):
            continue
        rng = np.random.default_rng(7)
        metadata = {"model": digest, "file": os.path.basename(path)}
        tensors = {}
        try:
            runtime, feeds, outputs = RUNNERS.get(os.path.splitext(path)[1], run_tflite)(path, rng, values)
            metadata["runtime"] = runtime
            metadata["values"] = json.dumps({k: v for k, v in values.items() if k in feeds})
            tensors = {"input:" + k: np.ascontiguousarray(v) for k, v in feeds.items() if k not in values}
            tensors.update({f"output:{i}": np.ascontiguousarray(v) for i, v in enumerate(outputs)})
        except Exception as e:  # what a runtime refuses is a result
            metadata["refused"] = str(e).strip().split("\n")[0]
            tensors = {"none": np.zeros(1, dtype=np.float32)}
        save_file(tensors, target, metadata=metadata)
        print(os.path.basename(path), metadata.get("runtime", ""), metadata.get("refused", "ok"), file=sys.stderr)


if __name__ == "__main__":
    main()
