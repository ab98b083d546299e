"""Saved runs of the text encoders of transformers on small random configs, and facts about the true sizes.

    python tools/goldens/text.py          writes tests/zoo/goldens/text_*.safetensors
    python tools/goldens/text.py --facts  prints what models/text_published_test.cpp expects
"""
import hashlib
import sys

import torch
from transformers import (CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, Gemma2Config, Gemma2Model,
                          T5Config, T5EncoderModel)
from transformers.models.t5.modeling_t5 import T5Attention

import golden

MASKED = -1e9


def published_names(module):
    """State dict under the names of published checkpoints, which say text_model and do not repeat shared tensors."""
    weights = {}
    for name, t in module.named_parameters():
        if isinstance(module, CLIPTextModel):
            name = "text_model." + name.removeprefix("text_model.")
        weights[name] = t
    return weights


def layers_of(module, layers):
    return golden.Taps({f"layer.{i}": layer for i, layer in enumerate(layers)})


def clip(name, with_projection, seed, skip=0, **changes):
    config = dict(vocab_size=60, hidden_size=24, intermediate_size=40, num_hidden_layers=3, num_attention_heads=3,
                  max_position_embeddings=13, projection_dim=20, hidden_act="quick_gelu", layer_norm_eps=1e-5,
                  bos_token_id=57, eos_token_id=58, pad_token_id=1)
    config.update(changes)
    cls = CLIPTextModelWithProjection if with_projection else CLIPTextModel
    module = golden.prepare(cls(CLIPTextConfig(**config)), seed)
    legacy = config["eos_token_id"] == 2
    end = 59 if legacy else 58
    # One text ends early and is padded with ends, one fills the window; in the modern one a larger id comes first.
    ids = torch.randint(3, 57, (2, 11), generator=torch.Generator().manual_seed(seed))
    ids[:, 0] = 57
    ids[0, 5:] = end
    ids[1, 10] = end
    if not legacy:
        ids[1, 3] = 59
    eos = ids.argmax(-1) if legacy else (ids == 58).int().argmax(-1)
    text = module.text_model if with_projection else module
    with torch.no_grad(), layers_of(module, text.encoder.layers) as taps:
        out = module(input_ids=ids, output_hidden_states=True)
        last = out.hidden_states[-1 - skip]
        last = text.final_layer_norm(last) if skip else out.last_hidden_state
    outputs = {"last_hidden_state": last, "penultimate": out.hidden_states[-2 - skip],
               "pooled": out.text_embeds if with_projection else out.pooler_output}
    if skip:
        config["clip_skip"] = skip
    golden.save(name, cls.__name__, "text encoder", config, {"batch": 2, "tokens": 11}, published_names(module),
                {"ids": ids, "eos": eos}, outputs, taps.values)


def padding(lengths, tokens):
    keep = torch.arange(tokens)[None, :] < torch.tensor(lengths)[:, None]
    additive = torch.where(keep, 0.0, MASKED)[:, None, None, :]
    return keep.long(), additive.permute(0, 3, 1, 2)  # save() takes four axes for a picture and moves the second to the end


def t5(name, seed, tokens, lengths, **changes):
    config = dict(vocab_size=50, d_model=20, d_kv=6, d_ff=36, num_layers=2, num_heads=3,
                  relative_attention_num_buckets=8, relative_attention_max_distance=20, layer_norm_epsilon=1e-6,
                  feed_forward_proj="gated-gelu")
    config.update(changes)
    module = golden.prepare(T5EncoderModel(T5Config(**config)), seed)
    ids = torch.randint(3, config["vocab_size"], (len(lengths), tokens), generator=torch.Generator().manual_seed(seed))
    keep, mask = padding(lengths, tokens)
    modules = {f"layer.{i}": block for i, block in enumerate(module.encoder.block)}
    with torch.no_grad(), golden.Taps(modules) as taps:
        out = module(input_ids=ids, attention_mask=keep).last_hidden_state
        bias = module.encoder.block[0].layer[0].SelfAttention.compute_bias(tokens, tokens)[0]
    golden.save(name, "T5EncoderModel", "text encoder", config, {"batch": len(lengths), "tokens": tokens},
                published_names(module), {"ids": ids, "mask": mask}, {"last_hidden_state": out},
                {**taps.values, "bias": bias})


def gemma(name, seed, tokens, lengths, **changes):
    config = dict(vocab_size=60, hidden_size=24, intermediate_size=40, num_hidden_layers=4, num_attention_heads=6,
                  num_key_value_heads=2, head_dim=10, query_pre_attn_scalar=7, sliding_window=4,
                  attn_logit_softcapping=1.5, rms_norm_eps=1e-6, max_position_embeddings=64)
    config.update(changes)
    module = golden.prepare(Gemma2Model(Gemma2Config(**config)), seed)
    with torch.no_grad():  # norms are stored as their distance from one
        for key, p in module.named_parameters():
            if "norm" in key:
                p.copy_((p - 1).half().float())
    assert module.config._attn_implementation == "eager"  # the one that squashes the scores
    ids = torch.randint(3, config["vocab_size"], (len(lengths), tokens), generator=torch.Generator().manual_seed(seed))
    keep, mask = padding(lengths, tokens)
    with torch.no_grad(), layers_of(module, module.layers) as taps:
        out = module(input_ids=ids, attention_mask=keep).last_hidden_state
    golden.save(name, "Gemma2Model", "text encoder", config, {"batch": len(lengths), "tokens": tokens},
                published_names(module), {"ids": ids, "mask": mask}, {"last_hidden_state": out}, taps.values)


def facts():
    """Parameter counts, and a digest of the sorted lines "name [shape]", of the true sizes on torch's meta device."""
    clip_l = CLIPTextConfig(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12,
                            projection_dim=768)
    bigg = CLIPTextConfig(hidden_size=1280, intermediate_size=5120, num_hidden_layers=32, num_attention_heads=20,
                          projection_dim=1280, hidden_act="gelu")
    xxl = T5Config(d_model=4096, d_kv=64, d_ff=10240, num_layers=24, num_heads=64, feed_forward_proj="gated-gelu")
    for name, cls, config in (("clip-l", CLIPTextModel, clip_l),
                              ("clip-l projected", CLIPTextModelWithProjection, clip_l),
                              ("openclip-bigg", CLIPTextModelWithProjection, bigg),
                              ("t5-xxl", T5EncoderModel, xxl),
                              ("gemma-2-2b", Gemma2Model, Gemma2Config())):
        with torch.device("meta"):
            weights = published_names(cls(config))
        lines = sorted(f"{key} [{','.join(map(str, t.shape))}]\n" for key, t in weights.items())
        digest = hashlib.sha256("".join(lines).encode()).hexdigest()
        print(f'{{"{name}", {sum(t.numel() for t in weights.values())}, {len(lines)}, "{digest}"}},')
    buckets = T5Attention._relative_position_bucket(torch.arange(-700, 701)).tolist()
    print("buckets begin at", [i - 700 for i in range(1, 1401) if buckets[i] != buckets[i - 1]])


if __name__ == "__main__":
    if "--facts" in sys.argv:
        facts()
        sys.exit()
    clip("text_clip_quick", False, 1)
    clip("text_clip_legacy_eos", False, 2, eos_token_id=2, num_hidden_layers=2)
    clip("text_clip_skip", False, 3, skip=1)
    clip("text_clip_projection", True, 4, hidden_act="gelu", num_attention_heads=4)
    t5("text_t5_gated", 5, 24, [24, 9])
    t5("text_t5_relu", 6, 7, [5], feed_forward_proj="relu", relative_attention_num_buckets=32,
       relative_attention_max_distance=128)
    gemma("text_gemma2", 7, 9, [9, 6])  # a window that met padding alone would mean nothing
    gemma("text_gemma2_types", 8, 5, [5], attention_bias=True, num_key_value_heads=6, attn_logit_softcapping=None,
          layer_types=["full_attention", "full_attention", "sliding_attention", "full_attention"], sliding_window=2,
          rope_parameters={"rope_type": "default", "rope_theta": 500.0})
