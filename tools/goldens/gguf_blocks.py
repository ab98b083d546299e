"""Blocks and small files of GGUF as the package `gguf` reads and writes them: formats/gguf/testdata/.

    python tools/goldens/gguf_blocks.py

Needs numpy, safetensors and gguf. Deterministic. blocks.safetensors holds random bytes of every block type with what
gguf makes of them; small.gguf is a file of its writer; sd_single.gguf has the tensors of
formats/diffusers/testdata/sd_single.safetensors.
"""
import pathlib

import gguf
import numpy as np
from gguf import GGMLQuantizationType as T
from gguf.quants import dequantize, quantize
from safetensors.numpy import load_file, save_file

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "formats/gguf/testdata"
TYPES = [T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1, T.Q8_0, T.Q2_K, T.Q3_K, T.Q4_K, T.Q5_K, T.Q6_K]
# Byte offsets of the f16 scales in a block.
HALVES = {T.Q4_0: [0], T.Q4_1: [0, 2], T.Q5_0: [0], T.Q5_1: [0, 2], T.Q8_0: [0], T.Q2_K: [80, 82], T.Q3_K: [108],
          T.Q4_K: [0, 2], T.Q5_K: [0, 2], T.Q6_K: [208]}


def blocks():
    rng = np.random.default_rng(1)
    saved = {}
    for kind in TYPES:
        elements, size = gguf.GGML_QUANT_SIZES[kind]
        count = 3
        raw = rng.integers(0, 256, (count, size), dtype=np.uint8)
        for at in HALVES[kind]:
            raw[:, at:at + 2] = rng.normal(0, 0.1, (count, 1)).astype(np.float16).view(np.uint8)
        saved[f"{kind.name}.bytes"] = raw
        saved[f"{kind.name}.values"] = dequantize(raw, kind).astype(np.float32).reshape(count, elements)
    plain = rng.normal(0, 1, (4, 32)).astype(np.float32)
    plain[3] = 0
    saved["write.values"] = plain
    saved["write.bytes"] = quantize(plain, T.Q8_0)
    save_file(saved, OUT / "blocks.safetensors")


def small():
    rng = np.random.default_rng(2)
    writer = gguf.GGUFWriter(OUT / "small.gguf", "test")
    writer.add_string("general.name", "a small one")
    writer.add_uint32("test.number", 7)
    writer.add_array("test.list", ["one", "two", "three"])
    writer.add_tensor("plain", np.arange(6, dtype=np.float32).reshape(2, 3))
    writer.add_tensor("half", np.arange(8, dtype=np.float16).reshape(2, 2, 2))
    q = quantize(rng.normal(0, 1, (2, 64)).astype(np.float32), T.Q5_1)
    writer.add_tensor("five", q, raw_dtype=T.Q5_1)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def single():
    writer = gguf.GGUFWriter(OUT / "sd_single.gguf", "sd")
    for name, value in load_file(ROOT / "formats/diffusers/testdata/sd_single.safetensors").items():
        writer.add_tensor(name, np.ascontiguousarray(value))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    blocks()
    small()
    single()
