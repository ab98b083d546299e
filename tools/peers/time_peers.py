#!/usr/bin/env python3
"""Times one part of a model in Thimble, ONNX Runtime and OpenVINO, in turns, and prints a table.

    python3 tools/peers/time_peers.py --thimble build/cli/thimble --part step
    python3 tools/peers/time_peers.py --thimble build/cli/thimble --model sd1.5 --random-weights --part denoiser \\
        --size 512 --batch 1 --rounds 2 --runs 1 --forms f32,w8

Every form of every engine runs in a process of its own, some runs after some warm-up, and the engines take turns for
--rounds rounds, so that all of them meet the same moments of a busy machine. The table has the least and the median of
all runs. Peers run what `thimble export` writes: attention as single operators, as com.microsoft's and as plain
products; f32; weights of 8 and 4 bits; products of integers; and for ONNX Runtime what its own dynamic quantiser makes
of the f32 model, for OpenVINO bf16 as a hint where the processor has it. A form that an engine refuses is listed.

Needs onnx, onnxruntime, openvino and numpy.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import time

# Name, options of `thimble export`; exported when a row below wants it.
EXPORTS = {
    "plain": ["--form", "plain", "--weights", "f32"],
    "op": ["--form", "onnx", "--weights", "f32"],
    "fused": ["--form", "microsoft", "--weights", "f32"],
    "w8": ["--form", "plain", "--weights", "f32", "--bits", "8", "--activations", "16"],
    "w8a8": ["--form", "plain", "--weights", "f32", "--bits", "8", "--products", "integer"],
    "w8a8 fused": ["--form", "microsoft", "--weights", "f32", "--bits", "8", "--products", "integer"],
    "w4": ["--form", "plain", "--weights", "f32", "--bits", "4", "--group", "64", "--activations", "16"],
}

# Engine, label, class of precision (--forms), export, settings.
ROWS = [
    ("thimble", "f32", "f32", None, ["--precision", "f32"]),
    ("thimble", "bf16", "bf16", None, ["--precision", "bf16"]),
    ("thimble", "W8A8", "w8", None, ["--precision", "bf16", "--bits", "8"]),
    ("thimble", "W4A8 /64", "w4", None, ["--precision", "bf16", "--bits", "4", "--group", "64"]),
    ("onnxruntime", "f32, plain", "f32", "plain", {}),
    ("onnxruntime", "f32, Attention", "f32", "op", {}),
    ("onnxruntime", "f32, MultiHeadAttention", "f32", "fused", {}),
    ("onnxruntime", "its dynamic quantiser, fused", "w8", "fused", {"quantise": True}),
    ("onnxruntime", "its dynamic quantiser, plain", "w8", "plain", {"quantise": True}),
    ("onnxruntime", "W8A8 integer, fused", "w8", "w8a8 fused", {}),
    ("onnxruntime", "W8, int8 inside", "w8", "w8", {"accuracy": "4"}),
    ("onnxruntime", "W4 /64, int8 inside", "w4", "w4", {"accuracy": "4"}),
    ("openvino", "f32, plain", "f32", "plain", {"INFERENCE_PRECISION_HINT": "f32"}),
    ("openvino", "bf16 hint, plain", "bf16", "plain", {"INFERENCE_PRECISION_HINT": "bf16"}),
    ("openvino", "bf16 hint, Attention", "bf16", "op", {"INFERENCE_PRECISION_HINT": "bf16"}),
    ("openvino", "W8, int8 inside", "w8", "w8", {"INFERENCE_PRECISION_HINT": "bf16"}),
    ("openvino", "W8A8 integer", "w8", "w8a8", {"INFERENCE_PRECISION_HINT": "bf16"}),
    ("openvino", "W4 /64, int8 inside", "w4", "w4", {"INFERENCE_PRECISION_HINT": "bf16"}),
]


def draw(inputs):
    """Inputs as Thimble's bench draws them: (name, shape, is integer, is bool)."""
    import numpy as np
    rng = np.random.default_rng(1)
    values = {}
    for name, shape, integer, boolean in inputs:
        if boolean:
            values[name] = np.ones(shape, np.bool_)
        elif integer:
            values[name] = (np.arange(int(np.prod(shape)), dtype=np.int32) * 7 % 100).reshape(shape)
        elif "mask" in name:
            values[name] = np.zeros(shape, np.float32)
        elif name == "keep":
            values[name] = np.ones(shape, np.float32)
        elif name == "timestep":
            values[name] = np.full(shape, 0.5, np.float32)
        else:
            values[name] = rng.standard_normal(shape, np.float32)
    return values


def open_onnxruntime(model, threads, settings):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    if "accuracy" in settings:
        options.add_session_config_entry("session.qdq_matmulnbits_accuracy_level", settings["accuracy"])
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    inputs = draw([(i.name, i.shape, "int" in i.type, "bool" in i.type) for i in session.get_inputs()])
    return lambda: session.run(None, inputs)


def open_openvino(model, threads, settings):
    import openvino
    core = openvino.Core()
    compiled = core.compile_model(model, "CPU", {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY",
                                                 **settings})
    inputs = draw([(p.any_name, list(p.shape), p.element_type.is_integral() and p.element_type.size > 1,
                    p.element_type == openvino.Type.boolean) for p in compiled.inputs])
    request = compiled.create_infer_request()
    return lambda: request.infer(inputs, share_inputs=True, share_outputs=True)


def worker(task):
    """One engine's slot, in a process of its own: prints the seconds of every run."""
    opened = {"onnxruntime": open_onnxruntime, "openvino": open_openvino}[task["engine"]]
    run = opened(task["model"], task["threads"], task["settings"])
    for _ in range(task["warmup"]):
        run()
    seconds = []
    for _ in range(task["runs"]):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    print(json.dumps(seconds))


def slot(row, a, threads, model):
    """Seconds of the runs of one slot; raises RuntimeError with the engine's own words."""
    engine, _, _, _, settings = row
    if engine == "thimble":
        command = [a.thimble, "bench"] + ([a.model] if a.model else []) + ["--part", a.part, "--threads", str(threads),
                   "--runs", str(a.runs), "--warmup", str(a.warmup), "--json"] + settings + size_options(a)
        if a.random_weights:
            command.append("--random-weights")
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip())
        part = json.loads(done.stdout)["parts"][0]
        if "run_seconds" in part:  # what is computed once for a prompt is part of the peers' graph
            return [s + part["once_seconds"] for s in part["run_seconds"]]
        return [part["least_seconds"], part["median_seconds"]]
    task = {"engine": engine, "model": model, "threads": threads, "settings":
            {k: v for k, v in settings.items() if k != "quantise"}, "warmup": a.warmup, "runs": a.runs}
    done = subprocess.run([sys.executable, __file__, "--worker", json.dumps(task)], capture_output=True, text=True)
    if done.returncode != 0:
        lines = [line for line in done.stderr.strip().split("\n") if line.strip()]
        raise RuntimeError(lines[-1][:200] if lines else f"ended with status {done.returncode}")
    return json.loads(done.stdout.strip().split("\n")[-1])


def size_options(a):
    options = []
    for name in ("size", "batch", "tokens"):
        value = getattr(a, name)
        if value:
            options += [f"--{name}", str(value)]
    return options


def export(name, a):
    path = a.work / f"{name.replace(' ', '_')}.onnx"
    if not path.exists():
        command = [a.thimble, "export", "--onnx"] + ([a.model] if a.model else []) + ["--part", a.export_part or a.part,
                   "-o", str(path)] + EXPORTS[name] + size_options(a)
        if a.random_weights:
            command.append("--random-weights")
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip())
    return path


def dynamically_quantised(path):
    to = path.with_name(path.stem + "_dynamic.onnx")
    if not to.exists():
        import logging
        logging.disable(logging.WARNING)
        from onnxruntime.quantization import QuantType, quantize_dynamic
        large = path.with_name(path.name + ".data").exists()
        quantize_dynamic(str(path), str(to), weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul"],
                         use_external_data_format=large)
    return to


def machine():
    name = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    flags = next((line for line in open("/proc/cpuinfo") if line.startswith("flags")), "")
    units = [u for u in ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16") if f" {u}" in flags]
    return f"{name}, {', '.join(units)}"


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--worker":
        return worker(json.loads(sys.argv[2]))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--thimble", required=True, help="the program")
    parser.add_argument("--model", default="", help="as for thimble bench (default: the one that generate uses)")
    parser.add_argument("--random-weights", action="store_true", help="a published model by name")
    parser.add_argument("--part", default="step")
    parser.add_argument("--export-part", default="", help="where export calls it otherwise, such as vae-decoder")
    parser.add_argument("--size", type=int)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--tokens", type=int)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=20, help="of one slot")
    parser.add_argument("--warmup", type=int, default=3)
    parser.add_argument("--forms", default="f32,bf16,w8,w4")
    parser.add_argument("--only", default="", help="comma-separated beginnings of 'engine label'")
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("peers"), help="folder for exported models")
    parser.add_argument("--json", type=pathlib.Path, help="also write all seconds there")
    a = parser.parse_args()
    a.work.mkdir(parents=True, exist_ok=True)
    rows = [r for r in ROWS if r[2] in a.forms.split(",")
            and any(f"{r[0]} {r[1]}".startswith(o) for o in a.only.split(","))]
    refused, models = {}, {}
    for row in rows:
        try:
            models[row] = str(export(row[3], a)) if row[3] else ""
            if row[3] and row[4].get("quantise"):
                models[row] = str(dynamically_quantised(pathlib.Path(models[row])))
        except Exception as problem:  # a form that cannot be made is a row of the table
            refused[row[:2]] = str(problem).split("\n")[0][:200]
    print(f"{a.model or 'Thimble Emoji'}, {a.part}, on {machine()}")
    times = {}
    for threads in [int(t) for t in a.threads.split(",")]:
        for turn in range(a.rounds):
            for row in rows:
                if row[:2] in refused:
                    continue
                try:
                    times.setdefault((threads, row[:2]), []).extend(slot(row, a, threads, models[row]))
                except RuntimeError as problem:
                    refused[row[:2]] = str(problem)
            print(f"{threads} threads, round {turn + 1} of {a.rounds}", file=sys.stderr)
        best = min((min(v) for (n, r), v in times.items() if n == threads and r[0] == "thimble"), default=0)
        print(f"\n{threads} thread{'s' if threads > 1 else ''}\n{'engine':<12} {'form':<30} {'least ms':>10} "
              f"{'median ms':>10} {'to ours':>8}")
        for (n, row), seconds in times.items():
            if n == threads:
                print(f"{row[0]:<12} {row[1]:<30} {min(seconds) * 1e3:>10.2f} {statistics.median(seconds) * 1e3:>10.2f} "
                      f"{min(seconds) / best if best else 0:>8.2f}", flush=True)
    for (engine, label), problem in refused.items():
        print(f"{engine}, {label}: refused: {problem}")
    if a.json:
        a.json.write_text(json.dumps([{"threads": n, "engine": r[0], "form": r[1], "seconds": s}
                                      for (n, r), s in times.items()], indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
