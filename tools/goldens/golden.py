"""Writes one saved run of an original implementation as a safetensors file that tests/zoo reads.

Weights are rounded to f16 in the module before it runs, so that they take half the room and nothing is lost. Four-
dimensional activations are stored channels-last, as Thimble's graphs have them.
"""
import json
import pathlib

import safetensors.torch
import torch

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "tests" / "zoo" / "goldens"


def prepare(module, seed=0, spread=None):
    """Random weights that exercise every path: zero-initialised layers included. Returns the module in eval mode."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in module.named_parameters():
            if p.dim() > 1:
                fan_in = p[0].numel()
                scale = spread or fan_in**-0.5
                p.copy_(torch.randn(p.shape, generator=generator) * scale)
            elif name.endswith("bias"):
                p.copy_(torch.randn(p.shape, generator=generator) * 0.1)
            else:
                p.copy_(1 + torch.randn(p.shape, generator=generator) * 0.1)
            p.copy_(p.half().float())
    return module.eval().float()


def channels_last(t):
    t = t.detach()
    if t.is_floating_point():
        t = t.float()
    else:
        t = t.to(torch.int32)
    return (t.permute(0, 2, 3, 1) if t.dim() == 4 else t).contiguous()


def save(name, class_name, role, config, size, weights, inputs, outputs, taps=None):
    """weights: state dict (name -> tensor) with only what the graph takes. size: batch, height, width, tokens."""
    tensors = {}
    for key, t in weights.items():
        tensors["weights/" + key] = t.detach().half().contiguous().clone()
    for group, values in (("inputs", inputs), ("outputs", outputs), ("taps", taps or {})):
        for key, t in values.items():
            tensors[f"{group}/{key}"] = channels_last(t).clone()
    header = {"class": class_name, "role": role, "config": config, "size": size}
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / (name + ".safetensors")
    safetensors.torch.save_file(tensors, path, {"golden": json.dumps(header, sort_keys=True)})
    print(f"{path.name}: {path.stat().st_size / 1e3:.0f} kB")


class Taps:
    """Collects outputs of sub-modules: with Taps({"mid": model.mid_block}) as t: model(x); t.values["mid"]."""

    def __init__(self, modules):
        self.modules, self.values, self.handles = modules, {}, []

    def __enter__(self):
        for name, module in self.modules.items():
            def hook(_, __, out, name=name):
                out = out[0] if isinstance(out, tuple) else out
                self.values[name] = getattr(out, "sample", out)
            self.handles.append(module.register_forward_hook(hook))
        return self

    def __exit__(self, *_):
        for h in self.handles:
            h.remove()
