"""Saved runs of the convolutional networks: UNets and autoencoders of diffusers with small random configurations.

    python tools/goldens/conv.py            writes tests/zoo/goldens/{unet,kl,tiny,dc}_*.safetensors
    python tools/goldens/conv.py --facts    prints counts and digests that models/conv_published_test.cpp expects
"""
import hashlib
import json
import sys

import diffusers
import torch

import golden

torch.set_num_threads(1)


def draw(shape, seed, scale=1.0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * scale


def config_of(model):
    return {k: v for k, v in json.loads(model.to_json_string()).items() if not k.startswith("_")}


UNET = {
    "block_out_channels": [8, 16, 24],
    "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
    "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
    "norm_num_groups": 4,
    "cross_attention_dim": 20,
}

# name: (config, batch, height, width, tokens, time steps)
UNETS = {
    # Odd sizes on the way down: 6x10, 3x5, 2x3.
    "unet_sd": (dict(UNET, attention_head_dim=4), 2, 6, 10, 7, [981, 1]),
    "unet_inpaint": (
        dict(in_channels=9, block_out_channels=[12, 24], layers_per_block=[1, 2],
             down_block_types=["DownBlock2D", "CrossAttnDownBlock2D"],
             up_block_types=["CrossAttnUpBlock2D", "UpBlock2D"], mid_block_type="UNetMidBlock2D",
             attention_head_dim=3, norm_num_groups=6, cross_attention_dim=16), 1, 8, 8, 5, [501]),
    "unet_ip2p": (
        dict(in_channels=8, block_out_channels=[8, 8], layers_per_block=1,
             down_block_types=["CrossAttnDownBlock2D", "DownBlock2D"],
             up_block_types=["UpBlock2D", "CrossAttnUpBlock2D"], mid_block_type=None,
             attention_head_dim=1, norm_num_groups=2, cross_attention_dim=12), 3, 4, 6, 3, [999, 640, 20]),
    "unet_sdxl": (
        dict(UNET, down_block_types=["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
             up_block_types=["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
             layers_per_block=1, transformer_layers_per_block=[1, 2, 3], attention_head_dim=[1, 2, 3],
             use_linear_projection=True, addition_embed_type="text_time", addition_time_embed_dim=6,
             projection_class_embeddings_input_dim=46), 2, 8, 12, 5, [951, 301]),
    "unet_lcm": (
        dict(UNET, block_out_channels=[8, 16], down_block_types=UNET["down_block_types"][1:],
             up_block_types=UNET["up_block_types"][:2], layers_per_block=1, attention_head_dim=[2, 4],
             time_cond_proj_dim=14), 2, 4, 4, 6, [999, 499]),
}


def unets():
    for name, (config, batch, height, width, tokens, steps) in UNETS.items():
        model = golden.prepare(diffusers.UNet2DConditionModel(**config))
        inputs = {
            "sample": draw((batch, model.config.in_channels, height, width), 1),
            "timestep": torch.tensor(steps, dtype=torch.float32),
            "encoder_hidden_states": draw((batch, tokens, model.config.cross_attention_dim), 2),
        }
        extra = {}
        taps = {"time_embedding": model.time_embedding}
        if model.config.addition_embed_type == "text_time":
            sizes = [[1024, 768, 0, 32, 1024, 1024], [512, 512, 16, 0, 640, 1536]]
            inputs["text_embeds"] = draw((batch, 10), 3)
            inputs["time_ids"] = torch.tensor(sizes, dtype=torch.float32)[:batch]
            extra["added_cond_kwargs"] = {k: inputs[k] for k in ("text_embeds", "time_ids")}
            taps["add_embedding"] = model.add_embedding
        if model.config.time_cond_proj_dim:
            inputs["timestep_cond"] = draw((batch, model.config.time_cond_proj_dim), 4)
            extra["timestep_cond"] = inputs["timestep_cond"]
        taps |= {f"down_blocks.{i}": m for i, m in enumerate(model.down_blocks)}
        taps |= {f"up_blocks.{i}": m for i, m in enumerate(model.up_blocks)}
        if model.mid_block is not None:
            taps["mid_block"] = model.mid_block
        with torch.no_grad(), golden.Taps(taps) as t:
            out = model(inputs["sample"], inputs["timestep"], inputs["encoder_hidden_states"], **extra).sample
        golden.save(name, "UNet2DConditionModel", "denoiser", config_of(model),
                    {"batch": batch, "height": height, "width": width, "tokens": tokens}, model.state_dict(), inputs,
                    {"sample": out}, t.values)


def save_pair(name, model, height, width, latent, encode, decode, encoder_taps, decoder_taps):
    """height, width: of the picture. latent: channels. encode, decode: tensor -> dict of outputs."""
    class_name, config = type(model).__name__, config_of(model)
    if any("pool" in k for k in model.state_dict()):
        config["use_midblock_gn"] = True
    image, batch = draw((2, model.config.in_channels, height, width), 1, 0.5), 2
    with torch.no_grad(), golden.Taps(encoder_taps) as t:
        outputs = encode(image)
    weights = {k: v for k, v in model.state_dict().items() if k.startswith(("encoder.", "quant_conv."))}
    golden.save(name + "_encoder", class_name, "encoder", config, {"batch": batch, "height": height, "width": width},
                weights, {"image": image}, outputs, t.values)
    z = draw((batch, latent) + tuple(outputs["latent"].shape[2:]), 2)
    with torch.no_grad(), golden.Taps(decoder_taps) as t:
        outputs = decode(z)
    weights = {k: v for k, v in model.state_dict().items() if k.startswith(("decoder.", "post_quant_conv."))}
    golden.save(name + "_decoder", class_name, "decoder", config,
                {"batch": batch, "height": z.shape[2], "width": z.shape[3]}, weights, {"latent": z}, outputs, t.values)


def named(prefix, modules, wanted=lambda i, m: True):
    return {f"{prefix}.{i}": m for i, m in enumerate(modules) if wanted(i, m)}


KLS = {
    "kl_sd": (dict(block_out_channels=[8, 16, 24], layers_per_block=2, latent_channels=4, norm_num_groups=4), 16, 24),
    "kl_flux": (dict(block_out_channels=[12, 18], layers_per_block=1, latent_channels=6, norm_num_groups=6,
                     use_quant_conv=False, use_post_quant_conv=False), 12, 10),
    "kl_plain": (dict(block_out_channels=[8, 8], layers_per_block=1, latent_channels=3, norm_num_groups=2,
                      use_quant_conv=False, mid_block_add_attention=False), 6, 8),
}


def kl_autoencoders():
    for name, (config, height, width) in KLS.items():
        levels = len(config["block_out_channels"])
        config = dict(config, down_block_types=["DownEncoderBlock2D"] * levels,
                      up_block_types=["UpDecoderBlock2D"] * levels)
        model = golden.prepare(diffusers.AutoencoderKL(**config))

        def encode(x):
            posterior = model.encode(x).latent_dist
            return {"latent": posterior.mode(), "moments": posterior.parameters}

        save_pair(name, model, height, width, config["latent_channels"], encode,
                  lambda z: {"image": model.decode(z).sample},
                  named("encoder.down_blocks", model.encoder.down_blocks) | {"encoder.mid_block": model.encoder.mid_block},
                  named("decoder.up_blocks", model.decoder.up_blocks) | {"decoder.mid_block": model.decoder.mid_block})


def add_pool(block):
    """What FLUX.2's tiny autoencoder has before a block: a residual branch with group norm over the whole picture."""
    width = block.conv[0].in_channels
    block.pool = torch.nn.Sequential(torch.nn.Conv2d(width, 4 * width, 1, bias=False),
                                     torch.nn.GroupNorm(4, 4 * width), torch.nn.ReLU(),
                                     torch.nn.Conv2d(4 * width, width, 1, bias=False))
    block.register_forward_pre_hook(lambda m, args: (args[0] + m.pool(args[0]),))


def pool_middle(model):
    """The blocks of the coarsest stages."""
    encoder = [m for m in model.encoder.layers if hasattr(m, "fuse")]
    decoder = [m for m in model.decoder.layers if hasattr(m, "fuse")]
    for block in encoder[-model.config.num_encoder_blocks[-1]:] + decoder[:model.config.num_decoder_blocks[0]]:
        add_pool(block)
    return model


TINIES = {
    "tiny_sd": (dict(latent_channels=4), False),
    "tiny_sd3": (dict(latent_channels=16, num_encoder_blocks=[1, 2, 1], num_decoder_blocks=[2, 1, 1]), False),
    "tiny_flux2": (dict(latent_channels=8, num_encoder_blocks=[1, 1, 2], num_decoder_blocks=[2, 1, 1]), True),
}


def tiny_autoencoders():
    for name, (config, pooled) in TINIES.items():
        stages = len(config.get("num_encoder_blocks", range(4)))
        model = diffusers.AutoencoderTiny(encoder_block_out_channels=[8] * stages,
                                          decoder_block_out_channels=[8] * stages, **config)
        model = golden.prepare(pool_middle(model) if pooled else model)

        def ends_stage(layers):
            return lambda i, m: hasattr(m, "fuse") and not hasattr(layers[i + 1], "fuse")

        def after_upsample(layers):
            return lambda i, m: i > 0 and isinstance(layers[i - 1], torch.nn.Upsample)

        save_pair(name, model, 16, 24, config["latent_channels"], lambda x: {"latent": model.encode(x).latents},
                  lambda z: {"image": model.decode(z).sample},
                  named("encoder.layers", model.encoder.layers, ends_stage(model.encoder.layers)),
                  named("decoder.layers", model.decoder.layers, after_upsample(model.decoder.layers)))


def sides(**settings):
    return {f"{side}_{k}": v for k, v in settings.items() for side in ("encoder", "decoder")}


DCS = {
    # As Sana's: strided convolutions, nearest interpolation.
    "dc_sana": (dict(sides(block_out_channels=[8, 16, 32], layers_per_block=[1, 1, 2],
                           block_types=["ResBlock", "EfficientViTBlock", "EfficientViTBlock"],
                           qkv_multiscales=[[], [5], [3, 5]]), attention_head_dim=8, latent_channels=4,
                     upsample_block_type="interpolate", downsample_block_type="Conv"), 12, 16),
    # No more positions than the width of a head: the original then sums in the quadratic order.
    "dc_quadratic": (dict(sides(block_out_channels=[8, 16], layers_per_block=[1, 1],
                                block_types=["ResBlock", "EfficientViTBlock"], qkv_multiscales=[[], []]),
                          attention_head_dim=16, latent_channels=16, encoder_out_shortcut=False,
                          decoder_in_shortcut=False), 4, 6),
    # The first level empty, space-to-depth at the borders, no attention.
    "dc_plain": (dict(sides(block_out_channels=[8, 8, 16], layers_per_block=[0, 2, 1], block_types="ResBlock",
                            qkv_multiscales=[[], [], []]), attention_head_dim=8, latent_channels=8,
                      decoder_act_fns=["silu", "relu", "silu"], decoder_conv_act_fn="silu"), 8, 16),
}


def dc_autoencoders():
    for name, (config, height, width) in DCS.items():
        model = golden.prepare(diffusers.AutoencoderDC(**config))
        filled = lambda i, m: len(m) > 0
        save_pair(name, model, height, width, config["latent_channels"],
                  lambda x: {"latent": model.encode(x, return_dict=False)[0]},
                  lambda z: {"image": model.decode(z, return_dict=False)[0]},
                  named("encoder.down_blocks", model.encoder.down_blocks, filled),
                  named("decoder.up_blocks", model.decoder.up_blocks, filled))


def facts():
    """Reads published configs as JSON lines {"name", "class", "config"} from standard input."""
    for line in sys.stdin:
        row = json.loads(line)
        config = dict(row["config"])
        pooled = config.pop("use_midblock_gn", False)
        with torch.device("meta"):
            model = getattr(diffusers, row["class"]).from_config(config)
            model = pool_middle(model) if pooled else model
        lines, total = [], 0
        for name, t in model.state_dict().items():
            shape = list(t.shape)
            while len(shape) > 1 and shape[-1] == 1:  # 1x1 convolutions count as matrices
                shape.pop()
            lines.append(f"{name} [{','.join(map(str, shape))}]\n")
            total += t.numel()
        digest = hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()
        print(json.dumps({"name": row["name"], "parameters": total, "tensors": len(lines), "digest": digest}))


if __name__ == "__main__":
    if "--facts" in sys.argv:
        facts()
    else:
        unets()
        kl_autoencoders()
        tiny_autoencoders()
        dc_autoencoders()
