"""LoRA files in both naming styles and textual inversions on the tiny Stable Diffusion model, and diffusers' pictures.

    python tools/goldens/adapters.py    writes diffusion/testdata/pipelines/adapters

Needs diffusers, transformers and peft, and what tools/goldens/pipelines.py wrote. Files: peft.safetensors (diffusers'
names, alpha in the metadata), kohya.safetensors (kohya's names, alpha beside each pair, filters and matrices),
old.safetensors (names of early diffusers), word.safetensors (a word of two vectors), pictures.safetensors ("noise",
and a picture for each case of the metadata).
"""
import json
import pathlib
import sys
import tempfile

sys.path.append(sys.path.pop(0))

import numpy
import safetensors
import safetensors.torch
import torch
from diffusers import StableDiffusionPipeline

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "diffusion" / "testdata" / "pipelines"
OUT = FOLDER / "adapters"
MODEL = FOLDER / "sd15"
SIZE = dict(width=40, height=32)
CALL = dict(num_inference_steps=3, guidance_scale=5.0, **SIZE)
PROMPT = "a red lighthouse on a rock"


def pair(generator, weight, rank, scale=0.5):
    """Lower and upper matrix for a weight (out, in) or a filter (out, in, k, k)."""
    down = scale * torch.randn(rank, *weight.shape[1:], generator=generator)
    up = scale * torch.randn(weight.shape[0], rank, *([1] * (weight.dim() - 2)), generator=generator)
    return down, up


def modules(network, endings):
    for name, module in network.named_modules():
        if name.endswith(endings) and hasattr(module, "weight"):
            yield name, module.weight


def full_text_name(name):
    return name if name.startswith("text_model.") else "text_model." + name


def peft_file(pipe):
    g = torch.Generator().manual_seed(1)
    state = {}
    for name, weight in modules(pipe.unet, ("to_q", "to_v", "to_out.0", "ff.net.2")):
        state[f"unet.{name}.lora_A.weight"], state[f"unet.{name}.lora_B.weight"] = pair(g, weight, 2)
    for name, weight in modules(pipe.text_encoder, ("q_proj", "out_proj")):
        name = f"text_encoder.{full_text_name(name)}"
        state[f"{name}.lora_A.weight"], state[f"{name}.lora_B.weight"] = pair(g, weight, 3)
    def part(rank, alpha, targets):
        return {"r": rank, "lora_alpha": alpha, "target_modules": targets, "peft_type": "LORA"}

    metadata = {f"{p}.{k}": v for p, c in (("unet", part(2, 4, ["to_q", "to_v", "to_out.0", "ff.net.2"])),
                                           ("text_encoder", part(3, 1.5, ["q_proj", "out_proj"]))) for k, v in c.items()}
    safetensors.torch.save_file(state, OUT / "peft.safetensors",
                                {"format": "pt", "lora_adapter_metadata": json.dumps(metadata)})


def kohya_file(pipe):
    g = torch.Generator().manual_seed(2)
    state = {}
    def add(prefix, name, weight, rank, alpha):
        key = prefix + name.replace(".", "_")
        state[key + ".lora_down.weight"], state[key + ".lora_up.weight"] = pair(g, weight, rank)
        state[key + ".alpha"] = torch.tensor(float(alpha))

    for name, weight in modules(pipe.unet, ("to_k", "proj_in", "conv1", "ff.net.0.proj")):
        add("lora_unet_", name, weight, 2, 1)
    for name, weight in modules(pipe.text_encoder, ("v_proj", "fc1")):
        add("lora_te_", full_text_name(name), weight, 4, 2)
    safetensors.torch.save_file({k: v.half() if v.dim() else v for k, v in state.items()}, OUT / "kohya.safetensors")


def old_file(pipe):
    g = torch.Generator().manual_seed(3)
    state = {}
    for name, weight in modules(pipe.unet, ("attn1.to_q", "attn2.to_out.0")):
        name = name.removesuffix(".0").replace(".to_", ".processor.to_")
        state[f"unet.{name}_lora.down.weight"], state[f"unet.{name}_lora.up.weight"] = pair(g, weight, 2)
    safetensors.torch.save_file(state, OUT / "old.safetensors")


def word_file(pipe):
    width = pipe.text_encoder.get_input_embeddings().weight.shape[1]
    vectors = torch.randn(2, width, generator=torch.Generator().manual_seed(4))
    safetensors.torch.save_file({"<rock>": vectors}, OUT / "word.safetensors")


def split(file, folder):
    """The UNet's share of a file for diffusers, and (module, alpha / rank, down, up) of the text encoder: loading these
    is broken between the versions at hand, so they are added by hand."""
    with safetensors.safe_open(OUT / file, "pt") as opened:
        metadata = opened.metadata() or {}
        state = {k: opened.get_tensor(k) for k in opened.keys()}
    text = {k: v.float() for k, v in state.items() if k.startswith(("text_encoder.", "lora_te_"))}
    adapter = json.loads(metadata.get("lora_adapter_metadata", "{}"))
    if adapter:
        metadata["lora_adapter_metadata"] = json.dumps({k: v for k, v in adapter.items() if k.startswith("unet.")})
    safetensors.torch.save_file({k: v for k, v in state.items() if k not in text}, folder / file, metadata)
    changes = []
    for key, down in text.items():
        for lower, upper in ((".lora_A.weight", ".lora_B.weight"), (".lora_down.weight", ".lora_up.weight")):
            if key.endswith(lower):
                stem = key.removesuffix(lower)
                alpha = text[stem + ".alpha"].item() if stem + ".alpha" in text else adapter["text_encoder.lora_alpha"]
                flat = stem.removeprefix("text_encoder.").removeprefix("lora_te_").replace(".", "_")
                changes.append((flat, alpha / down.shape[0], down, text[stem + upper]))
    return changes


def picture(noise, prompt, loras=(), word=False):
    pipe = StableDiffusionPipeline.from_pretrained(MODEL, torch_dtype=torch.float32, safety_checker=None)
    pipe.set_progress_bar_config(disable=True)
    modules_by_name = {full_text_name(n).replace(".", "_"): m for n, m in pipe.text_encoder.named_modules()}
    with tempfile.TemporaryDirectory() as folder:
        for file, scale in loras:
            for flat, factor, down, up in split(file, pathlib.Path(folder)):
                modules_by_name[flat].weight.data += scale * factor * (up @ down)
            pipe.load_lora_weights(folder, weight_name=file, adapter_name=file.split(".")[0])
    if loras:
        pipe.set_adapters([f.split(".")[0] for f, s in loras], [s for f, s in loras])
        pipe.fuse_lora(components=["unet"])
        pipe.unload_lora_weights()
    if word:
        pipe.load_textual_inversion(OUT, weight_name="word.safetensors", token="<rock>")
    with torch.no_grad():
        image = pipe(prompt, latents=noise, **CALL).images[0]
    return torch.from_numpy(numpy.array(image))


def main():
    OUT.mkdir(exist_ok=True)
    pipe = StableDiffusionPipeline.from_pretrained(MODEL, torch_dtype=torch.float32, safety_checker=None)
    peft_file(pipe)
    kohya_file(pipe)
    old_file(pipe)
    word_file(pipe)
    noise = torch.randn(1, 4, SIZE["height"] // 4, SIZE["width"] // 4, generator=torch.Generator().manual_seed(5))
    tensors = {"noise": noise[0].permute(1, 2, 0).contiguous()}
    cases = []
    for name, prompt, loras, word in (("plain", PROMPT, (), False),
                                      ("peft", PROMPT, (("peft.safetensors", 0.7),), False),
                                      ("kohya", PROMPT, (("kohya.safetensors", 1.0),), False),
                                      ("old", PROMPT, (("old.safetensors", 1.0),), False),
                                      ("both", PROMPT, (("peft.safetensors", 0.5), ("kohya.safetensors", -0.8)), False),
                                      ("word", "a red <rock> in the storm", (), True)):
        tensors[name] = picture(noise, prompt, loras, word)
        cases.append({"case": name, "prompt": prompt, "loras": [[f, s] for f, s in loras], "word": word})
        difference = (tensors[name].int() - tensors["plain"].int()).abs().max().item()
        print(f"{name}: largest difference to plain {difference}")
    safetensors.torch.save_file(tensors, OUT / "pictures.safetensors",
                                {"cases": json.dumps(cases), "call": json.dumps(CALL)})


main()
