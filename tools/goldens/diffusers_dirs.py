"""Tiny real checkpoints as diffusers writes them, and the same weights under the names of the original programs.

    python tools/goldens/diffusers_dirs.py    writes formats/diffusers/testdata

sd/                  a StableDiffusionPipeline: the UNet in shards, the autoencoder plain (f32) and as a variant fp16
                     whose attention has the names of old files, the text encoder as a variant alone
sd_single.safetensors    the weights of sd/ in one file of the original names
sdxl_single.safetensors  what one file of Stable Diffusion XL has beyond that: size conditioning, OpenCLIP's text encoder
sdxl_text.safetensors    the latter as transformers names it
diffusers' own conversion must give back the weights from the original names, or nothing is written.
"""
import json
import pathlib
import re
import shutil
import sys
import types

sys.path.append(sys.path.pop(0))  # packages before the scripts of this folder

import safetensors.torch
import torch
from diffusers import AutoencoderKL, PNDMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from diffusers.loaders import single_file_utils
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

import golden

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "formats" / "diffusers" / "testdata"

RESNET = {"in_layers.0": "norm1", "in_layers.2": "conv1", "emb_layers.1": "time_emb_proj", "out_layers.0": "norm2",
          "out_layers.3": "conv2", "skip_connection": "conv_shortcut"}


def inverted(table):
    return {new: old for old, new in table.items()}


def original_unet_name(name, layers, has_attention):
    """has_attention: for every upward level, whether it attends (then the upsampler is third, else second)."""
    fixed = {"time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
             "add_embedding.linear_1": "label_emb.0.0", "add_embedding.linear_2": "label_emb.0.2",
             "conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2"}
    module, leaf = name.rsplit(".", 1)
    if module in fixed:
        return f"{fixed[module]}.{leaf}"
    parts = name.split(".")
    if parts[0] == "mid_block":
        place = 1 if parts[1] == "attentions" else 2 * int(parts[2])
        block, kind, rest = f"middle_block.{place}", parts[1], parts[3:]
    else:
        level, kind, index, rest = int(parts[1]), parts[2], int(parts[3]), parts[4:]
        if parts[0] == "down_blocks":
            place = 1 + level * (layers + 1) + (layers if kind == "downsamplers" else index)
            block = f"input_blocks.{place}." + ("1" if kind == "attentions" else "0")
        else:
            place = level * (layers + 1) + (layers if kind == "upsamplers" else index)
            child = {"resnets": 0, "attentions": 1, "upsamplers": 2 if has_attention[level] else 1}[kind]
            block = f"output_blocks.{place}.{child}"
    if kind == "downsamplers":
        rest = ["op"] + rest[1:]
    if kind == "resnets":
        rest = [inverted(RESNET)[rest[0]]] + rest[1:]
    return ".".join([block] + rest)


def original_vae(name, t, levels):
    name = re.sub(r"down_blocks\.(\d+)\.resnets", r"down.\1.block", name)
    name = re.sub(r"down_blocks\.(\d+)\.downsamplers\.0", r"down.\1.downsample", name)
    name = re.sub(r"up_blocks\.(\d+)\.resnets", lambda m: f"up.{levels - 1 - int(m[1])}.block", name)
    name = re.sub(r"up_blocks\.(\d+)\.upsamplers\.0", lambda m: f"up.{levels - 1 - int(m[1])}.upsample", name)
    name = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", name)
    if "mid_block.attentions.0" in name:
        for new, old in {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}.items():
            if f"attentions.0.{new}." in name and new != "group_norm" and name.endswith("weight"):
                t = t[:, :, None, None]
            name = name.replace(f"mid_block.attentions.0.{new}.", f"mid.attn_1.{old}.")
    return name.replace("conv_shortcut", "nin_shortcut").replace("conv_norm_out", "norm_out"), t


def original_openclip(weights, layers, width):
    out = {"token_embedding.weight": weights["text_model.embeddings.token_embedding.weight"],
           "positional_embedding": weights["text_model.embeddings.position_embedding.weight"],
           "text_projection": weights["text_projection.weight"].T.contiguous(),
           "logit_scale": torch.tensor(4.6)}
    for leaf in ("weight", "bias"):
        out[f"ln_final.{leaf}"] = weights[f"text_model.final_layer_norm.{leaf}"]
        for i in range(layers):
            hf, oc = f"text_model.encoder.layers.{i}.", f"transformer.resblocks.{i}."
            out[f"{oc}attn.in_proj_{leaf}"] = torch.cat([weights[f"{hf}self_attn.{x}_proj.{leaf}"] for x in "qkv"])
            for new, old in {"self_attn.out_proj": "attn.out_proj", "layer_norm1": "ln_1", "layer_norm2": "ln_2",
                             "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj"}.items():
                out[f"{oc}{old}.{leaf}"] = weights[f"{hf}{new}.{leaf}"]
    return out


def text_names(module):
    """Published files say text_model everywhere; newer transformers leave it out of the plain class."""
    return {k if k.startswith(("text_model.", "text_projection")) else "text_model." + k: v
            for k, v in module.state_dict().items()}


def must_equal(got, want, what):
    assert sorted(got) == sorted(want), (what, sorted(set(got) ^ set(want))[:8])
    for k, t in want.items():
        assert torch.equal(got[k].reshape(t.shape).float(), t.float()), (what, k)


def half(weights):
    return {k: t.half().contiguous().clone() if t.is_floating_point() else t for k, t in weights.items()}


def unet_of(**changes):
    config = dict(sample_size=8, block_out_channels=(4, 4, 8), layers_per_block=2, cross_attention_dim=8,
                  norm_num_groups=2, attention_head_dim=2,
                  down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
                  up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"))
    config.update(changes)
    return golden.prepare(UNet2DConditionModel(**config), 1)


def clip_of(cls, seed, **changes):
    config = dict(vocab_size=32, hidden_size=8, intermediate_size=12, num_hidden_layers=2, num_attention_heads=2,
                  max_position_embeddings=9, projection_dim=6, bos_token_id=30, eos_token_id=31, pad_token_id=31)
    config.update(changes)
    return golden.prepare(cls(CLIPTextConfig(**config)), seed)


def write_tokenizer(folder):
    folder.mkdir(parents=True, exist_ok=True)
    letters = [*"abcdefghijklmn", *(c + "</w>" for c in "abcdefghijklmn"), "ab", "ab</w>", "<|startoftext|>",
               "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({t: i for i, t in enumerate(letters)}))
    (folder / "merges.txt").write_text("#version: 0.2\na b\na b</w>\n")


def write_directory(unet, vae, text):
    root = FOLDER / "sd"
    shutil.rmtree(root, ignore_errors=True)
    write_tokenizer(root / "tokenizer")
    StableDiffusionPipeline(
        unet=unet, vae=vae, text_encoder=text, safety_checker=None, feature_extractor=None,
        requires_safety_checker=False, tokenizer=CLIPTokenizer.from_pretrained(root / "tokenizer"),
        scheduler=PNDMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1,
                                skip_prk_steps=True)).save_pretrained(root)
    for path in root.rglob("*.safetensors"):
        path.unlink()
    write_tokenizer(root / "tokenizer")
    (root / "tokenizer" / "tokenizer.json").unlink(missing_ok=True)
    unet.half().save_pretrained(root / "unet", max_shard_size="40KB")
    unet.float()
    vae.save_pretrained(root / "vae")
    old = {"to_q.": "query.", "to_k.": "key.", "to_v.": "value.", "to_out.0.": "proj_attn."}
    weights = {}
    for name, t in vae.state_dict().items():
        for new, was in old.items():
            name = name.replace(f"mid_block.attentions.0.{new}", f"mid_block.attentions.0.{was}")
        weights[name] = t
    safetensors.torch.save_file(half(weights), root / "vae" / "diffusion_pytorch_model.fp16.safetensors",
                                {"format": "pt"})
    text.half().save_pretrained(root / "text_encoder", variant="fp16")
    text.float()


def write_single(unet, vae, text):
    weights = {}
    layers, levels = unet.config.layers_per_block, len(vae.config.block_out_channels)
    attends = ["CrossAttn" in t for t in unet.config.up_block_types]
    for name, t in unet.state_dict().items():
        weights["model.diffusion_model." + original_unet_name(name, layers, attends)] = t
    for name, t in vae.state_dict().items():
        name, t = original_vae(name, t, levels)
        weights["first_stage_model." + name] = t
    for name, t in text_names(text).items():
        weights["cond_stage_model.transformer." + name] = t
    weights["cond_stage_model.transformer.text_model.embeddings.position_ids"] = torch.arange(9)[None]
    weights["alphas_cumprod"] = torch.linspace(1, 0, 4)
    weights["model_ema.decay"] = torch.tensor(0.9999)
    weights["a_tensor.of_nobody"] = torch.zeros(2)

    must_equal(single_file_utils.convert_ldm_unet_checkpoint(dict(weights), unet.config), unet.state_dict(), "unet")
    must_equal(single_file_utils.convert_ldm_vae_checkpoint(dict(weights), vae.config), vae.state_dict(), "vae")
    clip = single_file_utils.convert_ldm_clip_checkpoint(dict(weights))
    clip = {k: v for k, v in clip.items() if not k.endswith("position_ids")}
    must_equal({k if k.startswith("text_model.") else "text_model." + k: v for k, v in clip.items()},
               text_names(text), "text")
    safetensors.torch.save_file(half(weights), FOLDER / "sd_single.safetensors", {"format": "pt"})


def write_xl():
    unet = unet_of(block_out_channels=(4, 4), layers_per_block=1, down_block_types=("DownBlock2D",
                   "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
                   addition_embed_type="text_time", addition_time_embed_dim=2, use_linear_projection=True,
                   projection_class_embeddings_input_dim=18, transformer_layers_per_block=(1, 2))
    text = clip_of(CLIPTextModelWithProjection, 4, hidden_act="gelu", projection_dim=8)
    weights = {}
    for name, t in unet.state_dict().items():
        weights["model.diffusion_model." + original_unet_name(name, 1, [True, False])] = t
    for name, t in original_openclip(text.state_dict(), 2, 8).items():
        weights["conditioner.embedders.1.model." + name] = t
    must_equal(single_file_utils.convert_ldm_unet_checkpoint(dict(weights), unet.config), unet.state_dict(), "xl unet")
    prefix = "conditioner.embedders.1.model."
    stub = types.SimpleNamespace(config=text.config)
    must_equal(single_file_utils.convert_open_clip_checkpoint(stub, dict(weights), prefix), text_names(text), "xl text")
    safetensors.torch.save_file(half(weights), FOLDER / "sdxl_single.safetensors", {"format": "pt"})
    safetensors.torch.save_file(half(text_names(text)), FOLDER / "sdxl_text.safetensors", {"format": "pt"})


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    unet = unet_of()
    vae = golden.prepare(AutoencoderKL(
        block_out_channels=(4, 8, 8), layers_per_block=2, norm_num_groups=2, latent_channels=4, sample_size=16,
        down_block_types=("DownEncoderBlock2D",) * 3, up_block_types=("UpDecoderBlock2D",) * 3), 2)
    text = clip_of(CLIPTextModel, 3)
    write_directory(unet, vae, text)
    write_single(unet, vae, text)
    write_xl()
    for path in sorted(FOLDER.rglob("*")):
        if path.is_file():
            print(f"{path.relative_to(FOLDER)}: {path.stat().st_size / 1e3:.1f} kB")


if __name__ == "__main__":
    main()
