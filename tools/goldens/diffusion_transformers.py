"""Goldens of the diffusion transformers: every class with small random configs that take each branch.

Run from anywhere: python tools/goldens/diffusion_transformers.py [name ...]
With --facts it writes nothing and prints, for the published configs, how many parameters and tensors the original
class has and the digest of their names and shapes (models/transformer_published_test.cpp).
"""
import hashlib
import sys

import diffusers
import golden
import torch

MASKED = -10000.0  # what the originals add to the scores of a token that is masked


def randn(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * 0.8


class BlockTaps:
    """Outputs of blocks by name: "<block>" the image, "<block>.text" the text where a block returns both."""

    def __init__(self, model):
        self.values, self.handles = {}, []
        for part in ("transformer_blocks", "single_transformer_blocks"):
            for i, block in enumerate(getattr(model, part, [])):
                self.handles.append(block.register_forward_hook(self.hook(f"{part}.{i}")))

    def hook(self, name):
        def keep(_, __, out):
            if not isinstance(out, tuple):
                self.values[name] = out
            elif name.startswith("single"):
                self.values[name] = torch.cat(out, dim=1)
            else:
                text, self.values[name] = out
                if text is not None:
                    self.values[name + ".text"] = text
        return keep


def write(name, class_name, config, size, inputs, call, seed=0):
    """call(model, inputs) runs the original; inputs are already named as the graph's."""
    model = golden.prepare(getattr(diffusers, class_name)(**config), seed)
    taps = BlockTaps(model)
    with torch.no_grad():
        sample = call(model, inputs)[0]
    weights = dict(model.named_parameters())
    golden.save(name, class_name, "denoiser", config, size, weights, inputs, {"sample": sample}, taps.values)


def size_of(batch, height, width, tokens):
    return {"batch": batch, "height": height, "width": width, "tokens": tokens}


def mask_input(keep, tokens):
    """Per prompt the first `keep` tokens count. (B, L, 1, 1), which is saved channels-last: (B, 1, 1, L)."""
    rows = [[0.0 if i < k else MASKED for i in range(tokens)] for k in keep]
    return torch.tensor(rows).reshape(len(keep), tokens, 1, 1)


def keep_of(inputs):
    return (inputs["encoder_attention_mask"][:, :, 0, 0] == 0).float()


# --- PixArt ---------------------------------------------------------------------------------------------------------

def call_pixart(model, x):
    added = {"resolution": x.get("resolution"), "aspect_ratio": x.get("aspect_ratio")}
    return model(x["hidden_states"], x["encoder_hidden_states"], timestep=x["timestep"], added_cond_kwargs=added,
                 encoder_attention_mask=keep_of(x), return_dict=False)


def pixart(name, batch, height, width, tokens, keep, times, seed, **changes):
    config = dict(num_attention_heads=3, attention_head_dim=8, in_channels=4, out_channels=8, num_layers=2,
                  cross_attention_dim=24, attention_bias=True, sample_size=16, patch_size=2,
                  norm_type="ada_norm_single",
                  caption_channels=20, use_additional_conditions=False, interpolation_scale=None)
    config.update(changes)
    text = config["caption_channels"] or config["cross_attention_dim"]
    inputs = {"hidden_states": randn(batch, config["in_channels"], height, width, seed=seed),
              "timestep": torch.tensor(times), "encoder_hidden_states": randn(batch, tokens, text, seed=seed + 1),
              "encoder_attention_mask": mask_input(keep, tokens)}
    sized = config["use_additional_conditions"]
    if sized or (sized is None and config["sample_size"] == 128):
        inputs["resolution"] = torch.tensor([[8.0 * height, 8.0 * width]]).repeat(batch, 1)
        inputs["aspect_ratio"] = torch.tensor([[height / width]]).repeat(batch, 1)
    write(name, "PixArtTransformer2DModel", config, size_of(batch, height, width, tokens), inputs, call_pixart, seed)


# --- Stable Diffusion 3 ---------------------------------------------------------------------------------------------

def call_sd3(model, x):
    return model(x["hidden_states"], x["encoder_hidden_states"], x["pooled_projections"], x["timestep"],
                 return_dict=False)


def sd3(name, batch, height, width, tokens, times, seed, **changes):
    config = dict(sample_size=16, patch_size=2, in_channels=4, out_channels=4, num_layers=2, attention_head_dim=8,
                  num_attention_heads=3, joint_attention_dim=20, caption_projection_dim=24, pooled_projection_dim=14,
                  pos_embed_max_size=12, dual_attention_layers=[], qk_norm=None)
    config.update(changes)
    inputs = {"hidden_states": randn(batch, config["in_channels"], height, width, seed=seed),
              "timestep": torch.tensor(times),
              "encoder_hidden_states": randn(batch, tokens, config["joint_attention_dim"], seed=seed + 1),
              "pooled_projections": randn(batch, config["pooled_projection_dim"], seed=seed + 2)}
    write(name, "SD3Transformer2DModel", config, size_of(batch, height, width, tokens), inputs, call_sd3, seed)


# --- FLUX.1 ---------------------------------------------------------------------------------------------------------

def flux(name, batch, height, width, tokens, times, seed, guidance=None, **changes):
    config = dict(patch_size=1, in_channels=16, num_layers=2, num_single_layers=2, attention_head_dim=16,
                  num_attention_heads=3, joint_attention_dim=20, pooled_projection_dim=14,
                  guidance_embeds=guidance is not None, axes_dims_rope=[4, 6, 6])
    config.update(changes)
    rows, columns = height // 2, width // 2
    inputs = {"hidden_states": randn(batch, rows * columns, config["in_channels"], seed=seed),
              "timestep": torch.tensor(times),
              "encoder_hidden_states": randn(batch, tokens, config["joint_attention_dim"], seed=seed + 1),
              "pooled_projections": randn(batch, config["pooled_projection_dim"], seed=seed + 2)}
    if guidance is not None:
        inputs["guidance"] = torch.tensor(guidance)
    cells = torch.zeros(rows, columns, 3)
    cells[..., 1] += torch.arange(rows)[:, None]
    cells[..., 2] += torch.arange(columns)[None]

    def call(model, x):
        return model(x["hidden_states"], x["encoder_hidden_states"], x["pooled_projections"], x["timestep"],
                     img_ids=cells.reshape(-1, 3), txt_ids=torch.zeros(tokens, 3), guidance=x.get("guidance"),
                     return_dict=False)

    write(name, "FluxTransformer2DModel", config, size_of(batch, height, width, tokens), inputs, call, seed)


# --- Sana -----------------------------------------------------------------------------------------------------------

def call_sana(model, x):
    return model(x["hidden_states"], x["encoder_hidden_states"], x["timestep"], guidance=x.get("guidance"),
                 encoder_attention_mask=keep_of(x), return_dict=False)


def sana(name, batch, height, width, tokens, keep, times, seed, guidance=None, **changes):
    config = dict(in_channels=8, out_channels=8, num_attention_heads=3, attention_head_dim=8, num_layers=2,
                  num_cross_attention_heads=2, cross_attention_head_dim=12, cross_attention_dim=24,
                  caption_channels=20, mlp_ratio=2.5, attention_bias=False, sample_size=8, patch_size=1,
                  interpolation_scale=None, guidance_embeds=guidance is not None, qk_norm=None)
    config.update(changes)
    inputs = {"hidden_states": randn(batch, config["in_channels"], height, width, seed=seed),
              "timestep": torch.tensor(times),
              "encoder_hidden_states": randn(batch, tokens, config["caption_channels"], seed=seed + 1),
              "encoder_attention_mask": mask_input(keep, tokens)}
    if guidance is not None:
        inputs["guidance"] = torch.tensor(guidance)
    write(name, "SanaTransformer2DModel", config, size_of(batch, height, width, tokens), inputs, call_sana, seed)


GOLDENS = {
    "pixart_sigma": lambda n: pixart(n, 1, 16, 16, 7, [5], [481.0], 100),
    "pixart_sized_wide": lambda n: pixart(n, 2, 6, 14, 6, [6, 2], [17.0, 903.0], 110, num_attention_heads=2,
                                          attention_head_dim=24, cross_attention_dim=48, num_layers=3,
                                          sample_size=128, use_additional_conditions=None, interpolation_scale=2),
    "pixart_plain": lambda n: pixart(n, 1, 5, 3, 4, [4], [250.0], 120, patch_size=1, attention_bias=False,
                                     out_channels=None, caption_channels=None, num_attention_heads=5,
                                     attention_head_dim=4, cross_attention_dim=20, sample_size=8,
                                     interpolation_scale=4),
    "sd3_medium": lambda n: sd3(n, 1, 16, 16, 9, [612.0], 200),
    "sd35_medium_tall": lambda n: sd3(n, 2, 20, 6, 5, [999.0, 40.5], 210, num_layers=4,
                                      dual_attention_layers=[0, 1], qk_norm="rms_norm", out_channels=6),
    "flux_schnell": lambda n: flux(n, 1, 8, 8, 6, [0.75], 300),
    "flux_dev_wide": lambda n: flux(n, 2, 6, 14, 5, [1.0, 0.2612], 310, guidance=[3.5, 1.25], num_layers=1,
                                    num_single_layers=3, num_attention_heads=2, out_channels=12,
                                    attention_head_dim=20, axes_dims_rope=[4, 6, 10]),
    "sana": lambda n: sana(n, 1, 8, 8, 7, [4], [333.0], 400),
    "sana15_wide": lambda n: sana(n, 2, 5, 9, 6, [6, 3], [1000.0, 64.25], 410, num_layers=3,
                                  qk_norm="rms_norm_across_heads", num_attention_heads=4,
                                  num_cross_attention_heads=3, cross_attention_head_dim=10, cross_attention_dim=32),
    "sana_sprint": lambda n: sana(n, 2, 4, 6, 5, [5, 1], [0.9339, 0.5], 420, guidance=[0.45, 0.1],
                                  qk_norm="rms_norm_across_heads"),
    "sana_positions": lambda n: sana(n, 1, 12, 8, 5, [3], [711.0], 430, patch_size=2, attention_bias=True,
                                     interpolation_scale=2.0, norm_elementwise_affine=True, mlp_ratio=3.0,
                                     out_channels=5),
}

# --- published configs ----------------------------------------------------------------------------------------------

ACROSS = "rms_norm_across_heads"


def pixart_sigma(cells, scale):
    return "PixArtTransformer2DModel", dict(caption_channels=4096, sample_size=cells, interpolation_scale=scale,
                                            use_additional_conditions=False)


def sd3_medium(**changes):
    return "SD3Transformer2DModel", dict(num_layers=24, num_attention_heads=24, caption_projection_dim=1536,
                                         **changes)


def sana_of(heads, cross_heads, cross_head_dim, layers, cells, **changes):
    return "SanaTransformer2DModel", dict(
        num_attention_heads=heads, num_layers=layers, num_cross_attention_heads=cross_heads,
        cross_attention_head_dim=cross_head_dim, cross_attention_dim=32 * heads, sample_size=cells, **changes)


PUBLISHED = {
    "pixart_sigma(512)": pixart_sigma(64, 1),
    "pixart_sigma(1024)": pixart_sigma(128, 2),
    "pixart_sigma(2048)": pixart_sigma(256, 4),
    "sd3_medium": sd3_medium(pos_embed_max_size=192),
    "sd35_medium": sd3_medium(pos_embed_max_size=384, dual_attention_layers=tuple(range(13)), qk_norm="rms_norm"),
    "sana_0_6b": sana_of(36, 16, 72, 28, 32),
    "sana_1_6b": sana_of(70, 20, 112, 20, 32),
    "sana15_1_6b": sana_of(70, 20, 112, 20, 32, qk_norm=ACROSS),
    "sana15_4_8b": sana_of(70, 20, 112, 60, 32, qk_norm=ACROSS),
    "sana_sprint_0_6b": sana_of(36, 16, 72, 28, 32, qk_norm=ACROSS, guidance_embeds=True),
    "sana_sprint_1_6b": sana_of(70, 20, 112, 20, 32, qk_norm=ACROSS, guidance_embeds=True),
    "flux_schnell": ("FluxTransformer2DModel", dict(guidance_embeds=False)),
    "flux_dev": ("FluxTransformer2DModel", dict(guidance_embeds=True)),
}


def facts(class_name, config):
    """Shapes of 1x1 convolutions are those of matrices, as Thimble has them. Buffers are no parameters."""
    with torch.device("meta"):
        model = getattr(diffusers, class_name)(**config)
    lines, count = [], 0
    for name, p in model.named_parameters():
        shape = list(p.shape[:2] if p.dim() == 4 and tuple(p.shape[2:]) == (1, 1) else p.shape)
        lines.append(f"{name} [{','.join(map(str, shape))}]\n")
        count += p.numel()
    return count, len(lines), hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


if __name__ == "__main__":
    torch.set_num_threads(1)
    if "--facts" in sys.argv:
        for published, (cls, cfg) in PUBLISHED.items():
            print(published, *facts(cls, cfg))
    else:
        for wanted in sys.argv[1:] or GOLDENS:
            GOLDENS[wanted](wanted)
