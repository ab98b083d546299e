"""Tiny models of every supported pipeline class as diffusers directories, and pictures that diffusers makes with them.

    python tools/goldens/pipelines.py [name ...]    writes diffusion/testdata/pipelines

<name>/                 the model as save_pretrained writes it, weights in f16
<name>.safetensors      for each case "<case>/noise" (h, w, c) f32, "<case>/picture" and "<case>/mask" u8 where they are
                        given, "<case>/image" (h, w, 3) u8 what diffusers made; the settings in the metadata "cases"
Models run in f32 on weights rounded to f16. Sizes are not square, so that no two sides are mixed up.
"""
import inspect
import io
import json
import pathlib
import shutil
import sys
import tempfile

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

SANA_INSTRUCTION = inspect.signature(diffusers.SanaPipeline.__call__).parameters["complex_human_instruction"].default

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


def pieces(folder, file, **options):
    """A SentencePiece model of the words that the cases use, without a table of normal forms."""
    lines, model = [PROMPT, NEGATIVE, LONG, *WORDS, *SANA_INSTRUCTION], io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=model, normalization_rule_name="identity", num_threads=1,
        minloglevel=2, **options)
    (folder / file).write_bytes(model.getvalue())
    return sentencepiece.SentencePieceProcessor(model_file=str(folder / file))


def t5_tokenizer(folder):
    own = pieces(folder, "spiece.model", model_type="unigram", vocab_size=120, pad_id=0, eos_id=1, unk_id=2, bos_id=-1)
    tokenizer = transformers.T5TokenizerFast.from_pretrained(folder, extra_ids=0)
    for text in (PROMPT, NEGATIVE, LONG):
        assert tokenizer(text).input_ids == own.encode(text) + [1], text
    return tokenizer, own.vocab_size()


def gemma_tokenizer(folder):
    own = pieces(folder, "tokenizer.model", model_type="bpe", vocab_size=440, pad_id=0, eos_id=1, bos_id=2, unk_id=3,
                 byte_fallback=True, add_dummy_prefix=False, remove_extra_whitespaces=False,
                 user_defined_symbols=["\n"], bos_piece="<bos>", eos_piece="<eos>")
    tokenizer = transformers.GemmaTokenizerFast.from_pretrained(folder, add_bos_token=True)
    for text in (PROMPT, NEGATIVE, "\n".join(SANA_INSTRUCTION) + PROMPT):
        assert tokenizer(text).input_ids == [2] + own.encode(text), text
    return tokenizer, own.vocab_size()


# ---- networks

def unet(seed, **changes):
    config = dict(sample_size=8, in_channels=4, block_out_channels=(4, 8), layers_per_block=1, cross_attention_dim=16,
                  norm_num_groups=2, attention_head_dim=2, down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
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


def t5_text(seed, vocabulary, width=16):
    return golden.prepare(transformers.T5EncoderModel(transformers.T5Config(
        vocab_size=vocabulary, d_model=width, d_kv=6, d_ff=24, num_layers=2, num_heads=2,
        feed_forward_proj="gated-gelu")), seed)


def gemma_text(seed, vocabulary, width=16):
    module = golden.prepare(transformers.Gemma2Model(transformers.Gemma2Config(
        vocab_size=vocabulary, hidden_size=width, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, head_dim=8, query_pre_attn_scalar=8, sliding_window=64)), seed)
    with torch.no_grad():  # norms are stored as their distance from one
        for key, p in module.named_parameters():
            if "norm" in key:
                p.copy_((p - 1).half().float())
    return module


def vae16(seed):
    return vae(seed, latent_channels=16, scaling_factor=1.5305, shift_factor=0.0609, use_quant_conv=False,
               use_post_quant_conv=False)


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

    def __init__(self, name, pipe, tokenizers, more={}):
        """`more`: keys of the scheduler's config that its class does not know, as published files have them."""
        self.name, self.pipe, self.tokenizers, self.tensors, self.cases = name, pipe, tokenizers, {}, []
        self.scheduler, self.more = pipe.scheduler, more
        # As loaded from a file, where defaults are written out and stay when the class is exchanged.
        self.config = {k: v for k, v in pipe.scheduler.config.items() if k != "_use_default_values"} | more
        pipe.set_progress_bar_config(disable=True)

    def case(self, name, width, height, latents=None, pipe=None, scheduler=None, generator=None, extra=None,
             autoencoder=None, absent=None, **call):
        """`latents`: channels of the noise to be passed in; `extra` goes to diffusers alone."""
        pipe = pipe or self.pipe
        pipe.set_progress_bar_config(disable=True)
        # Another class knows the shift of a flow by another name.
        config = self.config | ({"shift": self.config["flow_shift"]} if "flow_shift" in self.config else {})
        pipe.scheduler = (scheduler or type(self.scheduler)).from_config(config)
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
        if autoencoder:
            settings["autoencoder"] = autoencoder
        if absent:
            settings["absent"] = absent
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
        path = root / "scheduler" / "scheduler_config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | self.more, indent=2))
        for part, folder in self.tokenizers.items():
            (root / part / "tokenizer.json").unlink(missing_ok=True)
            path = root / part / "tokenizer_config.json"
            config = {k: v for k, v in json.loads(path.read_text()).items() if str(folder) not in str(v)}
            path.write_text(json.dumps(config, indent=2))
            for file in folder.iterdir():
                if file.suffix == ".model" or file.name in ("merges.txt", "vocab.json"):
                    shutil.copy(file, root / part / file.name)
        safetensors.torch.save_file(self.tensors, FOLDER / (self.name + ".safetensors"),
                                    {"cases": json.dumps(self.cases)})


SCRATCH = tempfile.TemporaryDirectory()


def scratch(name):
    return pathlib.Path(tempfile.mkdtemp(prefix=name, dir=SCRATCH.name))


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
    m = Model("sd15", pipe, tokenizers, {"clip_sample": False})
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
    tiny = golden.prepare(diffusers.AutoencoderTiny(
        encoder_block_out_channels=(6, 6, 6), decoder_block_out_channels=(6, 6, 6), num_encoder_blocks=(1, 1, 1),
        num_decoder_blocks=(1, 1, 1)), 15)
    quick = diffusers.StableDiffusionImg2ImgPipeline(**{**parts, "vae": tiny}, scheduler=m.scheduler)
    m.case("tiny_autoencoder", 32, 24, pipe=quick, generator=14, scheduler=diffusers.DDIMScheduler, strength=0.7,
           num_inference_steps=5, image=picture(32, 24, 9), autoencoder="taesd", **two)
    tiny.half().save_pretrained(FOLDER / "taesd")
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


DPM = dict(solver_order=2, algorithm_type="dpmsolver++", solver_type="midpoint")


def pixart():
    folder = scratch("pixart")
    tokenizer, vocabulary = t5_tokenizer(folder)
    net = golden.prepare(diffusers.PixArtTransformer2DModel(
        num_attention_heads=2, attention_head_dim=8, in_channels=4, out_channels=8, num_layers=2,
        cross_attention_dim=16, attention_bias=True, sample_size=16, patch_size=2, norm_type="ada_norm_single",
        caption_channels=20, use_additional_conditions=False, interpolation_scale=None), 60)
    pipe = diffusers.PixArtSigmaPipeline(
        tokenizer=tokenizer, text_encoder=t5_text(61, vocabulary, 20), vae=vae(62, scaling_factor=0.13025),
        transformer=net, scheduler=diffusers.DPMSolverMultistepScheduler(
            beta_start=0.0001, beta_end=0.02, beta_schedule="linear", **DPM))
    m = Model("pixart", pipe, {"tokenizer": folder})
    plain = dict(clean_caption=False, use_resolution_binning=False)
    m.case("text", 40, 24, (4, 4), prompt="  A RED Lighthouse ", negative_prompt=NEGATIVE, guidance_scale=4.5,
           num_inference_steps=4, extra=plain)
    m.case("no_negative", 24, 40, (4, 4), prompt=PROMPT, guidance_scale=3.0, num_inference_steps=3, extra=plain)
    m.save()


def sd3():
    texts, tokenizers = xl_parts(70)
    texts["text_encoder"] = clip_text(71, texts["text_encoder"].config.vocab_size,
                                      transformers.CLIPTextModelWithProjection)
    folder = scratch("sd3_t5")
    texts["tokenizer_3"], vocabulary = t5_tokenizer(folder)
    net = golden.prepare(diffusers.SD3Transformer2DModel(
        sample_size=16, patch_size=2, in_channels=16, out_channels=16, num_layers=2, attention_head_dim=8,
        num_attention_heads=2, joint_attention_dim=40, caption_projection_dim=16, pooled_projection_dim=24,
        pos_embed_max_size=24, dual_attention_layers=(0,), qk_norm="rms_norm"), 72)
    pipe = diffusers.StableDiffusion3Pipeline(
        **texts, text_encoder_3=t5_text(73, vocabulary, 40), vae=vae16(74), transformer=net,
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0))
    m = Model("sd3", pipe, dict(tokenizers, tokenizer_3=folder))
    two = dict(prompt=PROMPT, negative_prompt=NEGATIVE, guidance_scale=4.5)
    m.case("text", 40, 24, (16, 4), num_inference_steps=4, **two)
    m.case("torch_noise", 24, 32, generator=2, num_inference_steps=3, prompt=PROMPT, guidance_scale=1.0)
    light = diffusers.StableDiffusion3Pipeline(**{**pipe.components, "text_encoder_3": None, "tokenizer_3": None})
    m.case("without_t5", 24, 32, (16, 4), pipe=light, num_inference_steps=3, absent=["text_encoder_3", "tokenizer_3"],
           **two)
    parts = {k: v for k, v in pipe.components.items() if k not in ("image_encoder", "feature_extractor")}
    image = diffusers.StableDiffusion3Img2ImgPipeline(**parts)
    m.case("from_picture", 32, 24, pipe=image, generator=3, strength=0.6, image=picture(32, 24, 8),
           num_inference_steps=5, **two)
    m.save()


def flux_pipe(seed, guidance, scheduler):
    first, second = scratch("flux_1"), scratch("flux_2")
    tokenizer, vocabulary = clip_tokenizer(first, 24)
    tokenizer_2, vocabulary_2 = t5_tokenizer(second)
    net = golden.prepare(diffusers.FluxTransformer2DModel(
        patch_size=1, in_channels=64, num_layers=1, num_single_layers=1, attention_head_dim=8, num_attention_heads=2,
        joint_attention_dim=20, pooled_projection_dim=16, guidance_embeds=guidance, axes_dims_rope=(2, 2, 4)), seed)
    pipe = diffusers.FluxPipeline(
        tokenizer=tokenizer, text_encoder=clip_text(seed + 1, vocabulary), tokenizer_2=tokenizer_2,
        text_encoder_2=t5_text(seed + 2, vocabulary_2, 20), vae=vae16(seed + 3), transformer=net, scheduler=scheduler)
    return pipe, {"tokenizer": first, "tokenizer_2": second}


def flux():
    pipe, tokenizers = flux_pipe(80, False, diffusers.FlowMatchEulerDiscreteScheduler(shift=1.0))
    m = Model("flux", pipe, tokenizers)
    tokens = dict(max_sequence_length=256)
    m.case("text", 40, 24, (16, 4), prompt=PROMPT, guidance_scale=0.0, num_inference_steps=4, extra=tokens)
    m.case("torch_noise", 24, 32, generator=4, prompt=LONG, guidance_scale=0.0, num_inference_steps=2, extra=tokens)
    m.save()


def flux_guided():
    pipe, tokenizers = flux_pipe(90, True, diffusers.FlowMatchEulerDiscreteScheduler(
        shift=3.0, use_dynamic_shifting=True, base_shift=0.8, max_shift=2.0))
    m = Model("flux_guided", pipe, tokenizers)
    m.case("embedded", 40, 24, (16, 4), prompt=PROMPT, guidance_scale=3.5, num_inference_steps=4)
    m.save()


def sana_parts(seed, **changes):
    folder = scratch("sana")
    tokenizer, vocabulary = gemma_tokenizer(folder)
    levels = dict(block_out_channels=(4, 8, 8), layers_per_block=(1, 1, 1), qkv_multiscales=((), (), (5,)),
                  block_types=("ResBlock", "ResBlock", "EfficientViTBlock"))
    coder = golden.prepare(AutoencoderDC(
        **{f"{side}_{key}": value for side in ("encoder", "decoder") for key, value in levels.items()},
        attention_head_dim=8, latent_channels=8, upsample_block_type="interpolate", downsample_block_type="Conv",
        scaling_factor=0.41407), seed)
    config = dict(in_channels=8, out_channels=8, num_attention_heads=2, attention_head_dim=8, num_layers=2,
                  num_cross_attention_heads=2, cross_attention_head_dim=8, cross_attention_dim=16, caption_channels=16,
                  mlp_ratio=2.5, sample_size=8, patch_size=1, interpolation_scale=None)
    config.update(changes)
    net = golden.prepare(diffusers.SanaTransformer2DModel(**config), seed + 1)
    return dict(tokenizer=tokenizer, text_encoder=gemma_text(seed + 2, vocabulary), vae=coder,
                transformer=net), {"tokenizer": folder}


def sana():
    parts, tokenizers = sana_parts(100)
    pipe = diffusers.SanaPipeline(**parts, scheduler=diffusers.DPMSolverMultistepScheduler(
        use_flow_sigmas=True, flow_shift=3.0, prediction_type="flow_prediction", **DPM))
    m = Model("sana", pipe, tokenizers)
    plain = dict(use_resolution_binning=False)
    m.case("text", 96, 64, (8, 4), prompt="A Red LIGHTHOUSE", negative_prompt=NEGATIVE, guidance_scale=4.5,
           num_inference_steps=4, extra=plain)
    m.case("torch_noise", 64, 96, generator=5, prompt=PROMPT, guidance_scale=1.0, num_inference_steps=3, extra=plain)
    m.case("flow_euler", 64, 96, generator=6, prompt=PROMPT, guidance_scale=3.0, num_inference_steps=3, extra=plain,
           scheduler=diffusers.FlowMatchEulerDiscreteScheduler)
    m.save()


def sana_sprint():
    parts, tokenizers = sana_parts(110, guidance_embeds=True, guidance_embeds_scale=0.1, qk_norm="rms_norm_across_heads",
                                   timestep_scale=1000.0)
    pipe = diffusers.SanaSprintPipeline(**parts, scheduler=diffusers.SCMScheduler())
    m = Model("sana_sprint", pipe, tokenizers)
    m.case("two_steps", 96, 64, generator=7, prompt=PROMPT, guidance_scale=4.5, num_inference_steps=2,
           extra=dict(use_resolution_binning=False))
    m.case("three_steps", 64, 96, generator=8, prompt=PROMPT, guidance_scale=4.5, num_inference_steps=3,
           extra=dict(use_resolution_binning=False, intermediate_timesteps=None))
    m.save()


FAMILIES = {f.__name__: f for f in (sd15, inpaint, instruct, lcm, sdxl, pixart, sd3, flux, flux_guided, sana, sana_sprint)}


def main():
    torch.set_num_threads(1)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[1:] or FAMILIES:
        FAMILIES[name]()
    print(f"{sum(p.stat().st_size for p in FOLDER.rglob('*') if p.is_file()) / 1e3:.0f} kB in all")


if __name__ == "__main__":
    main()
