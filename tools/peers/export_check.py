#!/usr/bin/env python3
"""Runs exported ONNX models in ONNX Runtime and compares with Thimble's own outputs.

Every NAME.onnx of a folder has a NAME.safetensors beside it: tensors "input/..." and "output/...", as the program
onnx_cases writes them (reference interpreter) and `thimble export --with-run` (device kernels in f32).

    onnx_cases cases plain qdq && python3 tools/peers/export_check.py cases

Errors are |a - b| / max(|b|, rms(b)), the largest of an output. The bound is the file's own; --tolerance replaces it.
Needs onnxruntime and numpy; --openvino also runs OpenVINO. Exit status 1 when a model fails.
"""
import argparse
import json
import pathlib
import struct
import sys

import numpy as np

TYPES = {"F32": np.float32, "F16": np.float16, "I32": np.int32, "I64": np.int64, "U8": np.uint8, "I8": np.int8,
         "BOOL": np.bool_}


def read_safetensors(path):
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + length])
    tensors = {}
    for name, info in header.items():
        if name == "__metadata__":
            continue
        begin, end = info["data_offsets"]
        raw = data[8 + length + begin:8 + length + end]
        tensors[name] = np.frombuffer(raw, TYPES[info["dtype"]]).reshape(info["shape"]).copy()
    return tensors, header.get("__metadata__", {})


def relative_error(got, wanted):
    if got.shape != wanted.shape:
        return float("inf")
    a, b = (np.atleast_1d(t.astype(np.float64)) for t in (got, wanted))
    finite = np.isfinite(b)
    least = max(np.sqrt(np.mean(np.square(b[finite]))) if finite.any() else 0, 1e-30)
    with np.errstate(all="ignore"):
        error = np.abs(a - b) / np.maximum(np.abs(b), least)
    error[(a == b) | (np.isnan(a) & np.isnan(b))] = 0
    error[np.isnan(error)] = np.inf
    return float(error.max(initial=0))


def run_onnxruntime(model, inputs, threads):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    # Products by narrow weights in f32, as the file says; by itself the runtime rounds activations to 8 bits.
    options.add_session_config_entry("session.qdq_matmulnbits_accuracy_level", "1")
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    return session.run(None, inputs)


def run_openvino(model, inputs, threads):
    import openvino
    core = openvino.Core()
    compiled = core.compile_model(str(model), "CPU", {"INFERENCE_NUM_THREADS": threads,
                                                      "INFERENCE_PRECISION_HINT": "f32",
                                                      "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0})
    order = [port.any_name for port in compiled.outputs]
    results = compiled(inputs)
    return [results[name] for name in order]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--tolerance", type=float)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--openvino", action="store_true", help="also in OpenVINO")
    parser.add_argument("--only", default="", help="models whose name begins so")
    arguments = parser.parse_args()
    peers = {"onnxruntime": run_onnxruntime}
    if arguments.openvino:
        peers["openvino"] = run_openvino
    models = [m for m in sorted(arguments.folder.glob("*.onnx")) if m.stem.startswith(arguments.only)]
    if not models:
        print(f"no models in {arguments.folder}", file=sys.stderr)
        return 2
    wrong = 0
    for peer, run in peers.items():
        errors, failures = {}, []
        for model in models:
            tensors, facts = read_safetensors(model.with_suffix(".safetensors"))
            inputs = {n[6:]: t for n, t in tensors.items() if n.startswith("input/")}
            # Outputs stand in the graph's order in the model, by name here.
            wanted = {n[7:]: t for n, t in tensors.items() if n.startswith("output/")}
            bound = arguments.tolerance or max(float(facts.get("tolerance", 1e-4)), 1e-6)
            try:
                got = dict(zip(output_names(model), run(model, inputs, arguments.threads)))
            except Exception as problem:  # a peer's refusal is a result
                failures.append((model.stem, str(problem).split("\n")[0][:160]))
                continue
            worst = max(relative_error(got.get(n, got.get(n + "_out")), t) for n, t in wanted.items())
            errors[model.stem] = worst
            if not worst <= bound:
                failures.append((model.stem, f"error {worst:.3g}, bound {bound:.3g}"))
        for name, problem in failures:
            print(f"{peer}: {name}: {problem}")
        networks = {n: e for n, e in errors.items() if n.startswith("network_")}
        ops = {n: e for n, e in errors.items() if n not in networks}
        for title, group in (("ops", ops), ("networks", networks)):
            if group:
                worst = max(group, key=group.get)
                print(f"{peer}: {len(group)} {title} run, largest error {group[worst]:.3g} ({worst}), "
                      f"median {np.median(list(group.values())):.3g}")
        print(f"{peer}: {len(models) - len(failures)} of {len(models)} within their bounds")
        wrong += len(failures)
    return 1 if wrong else 0


def output_names(model):
    import onnx
    return [o.name for o in onnx.load(str(model), load_external_data=False).graph.output]


if __name__ == "__main__":
    sys.exit(main())
