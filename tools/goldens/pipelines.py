"""Tiny models of every supported pipeline class as diffusers directories, and pictures that diffusers makes with them.

    python tools/goldens/pipelines.py [name ...]    writes diffusion/testdata/pipelines

<name>/                 the model as save_pretrained writes it, weights in f16
<name>.safetensors      for each case "<case>/noise" (h, w, c) f32, "<case>/picture" and "<case>/mask" u8 where they are
                        given, "<case>/image" (h, w, 3) u8 what diffusers made; the settings in the metadata "cases"
Models run in f32 on weights rounded to f16. Sizes are not square, so that no two sides are mixed up.
"""
import json
import pathlib
import shutil
import sys

sys.path.append(sys.path.pop(0))  # packages before the scripts of this folder

import numpy
import PIL.Image
import safetensors.torch
import sentencepiece
import torch
import diffusers
import transformers
from diffusers import AutoencoderDC, AutoencoderKL, UNet2DConditionModel

import golden

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "diffusion" / "testdata" / "pipelines"
PROMPT = "a red lighthouse on a rock, stormy sea"
NEGATIVE = "blurry, grey"
LONG = "a very long tale of a lighthouse, a storm, three ships and the cat that watched all of it from the window sill"
WORDS = (PROMPT + " " + NEGATIVE + " " + LONG + " make it snow in the night").replace(",", "").split()

SD_BETAS = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1)


# ---- tokenizers

def clip_tokenizer(folder, length, pad="<|endoftext|>"):
    """The byte alphabet twice (inside and at the end of a word), a few merges, begin and end."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in printable]
    alphabet = [chr(b) for b in printable] + [chr(256 + i) for i in range(len(others))]
    merges = []
    for word in WORDS:  # merges from the left, so that whole words become one token
        left = word[0]
        for i in range(1, len(word)):
            last = i == len(word) - 1
            pair = (left, word[i] + ("</w>" if last else ""))
            if pair not in merges:
                merges.append(pair)
            left = "".join(pair)
    merges = merges[:80]
    tokens = alphabet + [c + "</w>" for c in alphabet] + ["".join(m) for m in merges]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({t: i for i, t in enumerate(tokens)}, ensure_ascii=False))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
    return transformers.CLIPTokenizer.from_pretrained(folder, pad_token=pad, model_max_length=length), len(tokens)


# ---- networks

def unet(seed, **changes):
    config = dict(sample_size=8, in_channels=4, block_out_channels=(8, 16), layers_per_block=1, cross_attention_dim=16,
                  norm_num_groups=4, attention_head_dim=2, down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
                  up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"))
    config.update(changes)
    return golden.prepare(UNet2DConditionModel(**config), seed)


def vae(seed, **changes):
    config = dict(block_out_channels=(4, 8, 8), layers_per_block=1, norm_num_groups=2, latent_channels=4, sample_size=32,
                  down_block_types=("DownEncoderBlock2D",) * 3, up_block_types=("UpDecoderBlock2D",) * 3)
    config.update(changes)
    return golden.prepare(AutoencoderKL(**config), seed)


def clip_text(seed, vocabulary, cls=transformers.CLIPTextModel, **changes):
    config = dict(vocab_size=vocabulary, hidden_size=16, intermediate_size=24, num_hidden_layers=2,
                  num_attention_heads=2, projection_dim=12, max_position_embeddings=24, bos_token_id=vocabulary - 2,
                  eos_token_id=vocabulary - 1, pad_token_id=vocabulary - 1)
    config.update(changes)
    return golden.prepare(cls(transformers.CLIPTextConfig(**config)), seed)


# ---- pictures

def picture(width, height, seed):
    """Soft shapes and some grain, so that every frequency is there."""
    rng = numpy.random.default_rng(seed)
    y, x = numpy.mgrid[0:height, 0:width] / max(width, height)
    planes = [numpy.sin(7 * x + 3 * y + k) * 0.4 + 0.5 + 0.08 * rng.standard_normal(x.shape) for k in range(3)]
    return PIL.Image.fromarray((numpy.clip(numpy.stack(planes, -1), 0, 1) * 255).astype(numpy.uint8))


def mask(width, height):
    values = numpy.zeros((height, width), numpy.uint8)
    values[height // 4: height // 2 + 5, width // 3: width - 7] = 255
    return PIL.Image.fromarray(values)


# ---- one model

class Model:
    """Collects the cases of one pipeline and writes both."""

    def __init__(self, name, pipe, tokenizers):
        self.name, self.pipe, self.tokenizers, self.tensors, self.cases = name, pipe, tokenizers, {}, []
        self.scheduler = pipe.scheduler
        pipe.set_progress_bar_config(disable=True)

    def case(self, name, width, height, latents=None, pipe=None, scheduler=None, generator=None, extra=None, **call):
        """`latents`: channels of the noise to be passed in; `extra` goes to diffusers alone."""
        pipe = pipe or self.pipe
        pipe.set_progress_bar_config(disable=True)
        pipe.scheduler = (scheduler or type(self.scheduler)).from_config(self.scheduler.config)
        arguments = dict(call, **(extra or {}))
        settings = {"case": name, "width": width, "height": height}
        if latents:
            channels, step = latents
            noise = torch.randn(1, channels, height // step, width // step,
                                generator=torch.Generator().manual_seed(sum(name.encode())))
            self.tensors[f"{name}/noise"] = noise[0].permute(1, 2, 0).contiguous()
            if isinstance(pipe, diffusers.FluxPipeline):
                noise = pipe._pack_latents(noise, 1, channels, height // step, width // step)
            arguments["latents"] = noise
        if generator is not None:
            settings["torch_seed"] = generator
            arguments["generator"] = torch.Generator().manual_seed(generator)
        if scheduler:
            settings["scheduler"] = scheduler.__name__
        for key in ("image", "mask_image"):
            if key in call:
                array = torch.from_numpy(numpy.array(call[key]))
                self.tensors[f"{name}/{'picture' if key == 'image' else 'mask'}"] = array
        settings.update({k: v for k, v in call.items() if k not in ("image", "mask_image")})
        takes_size = not isinstance(pipe, (diffusers.StableDiffusionInstructPix2PixPipeline,
                                           diffusers.StableDiffusionImg2ImgPipeline,
                                           diffusers.StableDiffusionXLImg2ImgPipeline))
        if takes_size:
            arguments.update(width=width, height=height)
        with torch.no_grad():
            image = pipe(**arguments).images[0]
        image = torch.from_numpy(numpy.array(image))
        assert image.shape == (height, width, 3), image.shape
        inside = ((image > 0) & (image < 255)).float().mean().item()
        print(f"{self.name}/{name}: {100 * inside:.0f} % of the values inside, spread {image.float().std():.0f}")
        self.tensors[f"{name}/image"] = image
        self.cases.append(settings)

    def save(self):
        root = FOLDER / self.name
        shutil.rmtree(root, ignore_errors=True)
        self.pipe.scheduler = self.scheduler
        for module in self.pipe.components.values():
            if isinstance(module, torch.nn.Module):
                module.half()
        self.pipe.save_pretrained(root)
        for part, folder in self.tokenizers.items():
            (root / part / "tokenizer.json").unlink(missing_ok=True)
            for file in folder.iterdir():
                if file.suffix in (".model", ".txt") or file.name == "vocab.json":
                    shutil.copy(file, root / part / file.name)
        safetensors.torch.save_file(self.tensors, FOLDER / (self.name + ".safetensors"),
                                    {"cases": json.dumps(self.cases)})


def scratch(name):
    path = pathlib.Path("/tmp") / "pipelines" / name
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path


def sd_parts(cls, seed, **unet_changes):
    folder = scratch(cls.__name__)
    tokenizer, vocabulary = clip_tokenizer(folder, 24)
    parts = dict(unet=unet(seed, **unet_changes), vae=vae(seed + 1), text_encoder=clip_text(seed + 2, vocabulary),
                 tokenizer=tokenizer, safety_checker=None, feature_extractor=None, requires_safety_checker=False)
    return parts, {"tokenizer": folder}


def sd15():
    parts, tokenizers = sd_parts(diffusers.StableDiffusionPipeline, 10)
    pipe = diffusers.StableDiffusionPipeline(
        **parts, scheduler=diffusers.PNDMScheduler(**SD_BETAS, skip_prk_steps=True))
    m = Model("sd15", pipe, tokenizers)
    two = dict(prompt=PROMPT, negative_prompt=NEGATIVE, guidance_scale=5.0)
    m.case("text", 32, 24, (4, 4), num_inference_steps=5, **two)
    m.case("unguided_and_cut", 24, 40, (4, 4), num_inference_steps=3, prompt=LONG, guidance_scale=1.0)
    m.case("torch_noise", 32, 24, generator=7, scheduler=diffusers.EulerAncestralDiscreteScheduler,
           num_inference_steps=4, prompt=PROMPT, guidance_scale=3.0)
    image = diffusers.StableDiffusionImg2ImgPipeline(**parts, scheduler=m.scheduler)
    m.case("from_picture", 32, 24, pipe=image, generator=11, scheduler=diffusers.DPMSolverMultistepScheduler,
           num_inference_steps=5, strength=0.7, image=picture(32, 24, 1), **two)
    m.case("from_picture_euler", 24, 32, pipe=image, generator=12, scheduler=diffusers.EulerDiscreteScheduler,
           num_inference_steps=6, strength=0.5, image=picture(24, 32, 2), **two)
    paint = diffusers.StableDiffusionInpaintPipeline(**parts, scheduler=m.scheduler)
    for name, strength in (("blended", 1.0), ("blended_part", 0.6)):
        m.case(name, 32, 24, pipe=paint, generator=13, scheduler=diffusers.DDIMScheduler, num_inference_steps=5,
               strength=strength, image=picture(32, 24, 3), mask_image=mask(32, 24), **two)
    m.save()


def inpaint():
    parts, tokenizers = sd_parts(diffusers.StableDiffusionInpaintPipeline, 20, in_channels=9)
    pipe = diffusers.StableDiffusionInpaintPipeline(
        **parts, scheduler=diffusers.DDIMScheduler(**SD_BETAS, clip_sample=False, set_alpha_to_one=False))
    m = Model("inpaint", pipe, tokenizers)
    two = dict(prompt=PROMPT, negative_prompt=NEGATIVE, guidance_scale=4.0, num_inference_steps=4,
               image=picture(32, 24, 4), mask_image=mask(32, 24))
    m.case("whole", 32, 24, generator=3, strength=1.0, **two)
    m.case("part", 32, 24, generator=4, strength=0.8, **two)
    m.save()


def instruct():
    parts, tokenizers = sd_parts(diffusers.StableDiffusionInstructPix2PixPipeline, 30, in_channels=8)
    pipe = diffusers.StableDiffusionInstructPix2PixPipeline(
        **parts, scheduler=diffusers.EulerAncestralDiscreteScheduler(**SD_BETAS))
    m = Model("instruct", pipe, tokenizers)
    m.case("guided", 32, 24, generator=5, prompt="make it snow", negative_prompt=NEGATIVE, guidance_scale=4.0,
           image_guidance_scale=1.6, num_inference_steps=5, image=picture(32, 24, 5))
    m.case("unguided", 24, 32, generator=6, prompt="make it snow", guidance_scale=1.0, num_inference_steps=3,
           image=picture(24, 32, 6))
    m.save()


def lcm():
    parts, tokenizers = sd_parts(diffusers.LatentConsistencyModelPipeline, 40, time_cond_proj_dim=6)
    pipe = diffusers.LatentConsistencyModelPipeline(
        **parts, scheduler=diffusers.LCMScheduler(**{**SD_BETAS, "steps_offset": 0}))
    m = Model("lcm", pipe, tokenizers)
    m.case("embedded", 32, 24, generator=8, prompt=PROMPT, guidance_scale=6.0, num_inference_steps=3)
    m.save()


def xl_parts(seed):
    first, second = scratch("xl_1"), scratch("xl_2")
    tokenizer, vocabulary = clip_tokenizer(first, 24)
    tokenizer_2, _ = clip_tokenizer(second, 24, "!")
    texts = dict(tokenizer=tokenizer, tokenizer_2=tokenizer_2,
                 text_encoder=clip_text(seed, vocabulary, transformers.CLIPTextModel),
                 text_encoder_2=clip_text(seed + 1, vocabulary, transformers.CLIPTextModelWithProjection,
                                          hidden_size=20, hidden_act="gelu", num_hidden_layers=3))
    return texts, {"tokenizer": first, "tokenizer_2": second}


def sdxl():
    texts, tokenizers = xl_parts(50)
    net = unet(52, cross_attention_dim=36, addition_embed_type="text_time", addition_time_embed_dim=4,
               projection_class_embeddings_input_dim=36, use_linear_projection=True, sample_size=16,
               down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
               up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), transformer_layers_per_block=(1, 2))
    parts = dict(texts, unet=net, vae=vae(53, scaling_factor=0.13025), force_zeros_for_empty_prompt=True,
                 add_watermarker=False)
    pipe = diffusers.StableDiffusionXLPipeline(
        **parts, scheduler=diffusers.EulerDiscreteScheduler(**SD_BETAS, timestep_spacing="leading"))
    m = Model("sdxl", pipe, tokenizers)
    m.case("text", 32, 24, (4, 4), prompt=PROMPT, negative_prompt=NEGATIVE, guidance_scale=5.0, num_inference_steps=4)
    m.case("zero_negative", 24, 32, (4, 4), prompt=PROMPT, guidance_scale=5.0, num_inference_steps=3)
    image = diffusers.StableDiffusionXLImg2ImgPipeline(**parts, scheduler=m.scheduler)
    m.case("from_picture", 32, 24, pipe=image, generator=9, strength=0.6, image=picture(32, 24, 7), prompt=PROMPT,
           guidance_scale=4.0, num_inference_steps=5)
    m.save()


FAMILIES = {f.__name__: f for f in (sd15, inpaint, instruct, lcm, sdxl)}


def main():
    torch.set_num_threads(1)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[1:] or FAMILIES:
        FAMILIES[name]()
    print(f"{sum(p.stat().st_size for p in FOLDER.rglob('*') if p.is_file()) / 1e3:.0f} kB in all")


if __name__ == "__main__":
    main()
