"""Trajectories of the schedulers of diffusers on a toy network, and outputs of torch.randn, for diffusion/testdata.

The toy network is 0.5 x + 0.3 sin(2 x + 3 t / 1000), worked out in f64 from the f32 input that it is shown.
"""
import json
import pathlib

import diffusers
import numpy as np
import torch

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "diffusion" / "testdata"
ELEMENTS = 20

SD = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
STABLE = dict(**SD, steps_offset=1, set_alpha_to_one=False, clip_sample=False)
LINEAR = dict(beta_start=0.0001, beta_end=0.02, beta_schedule="linear")
COSINE = dict(beta_schedule="squaredcos_cap_v2", clip_sample=False)
V = dict(prediction_type="v_prediction")
PNDM = dict(**SD, steps_offset=1, set_alpha_to_one=False, skip_prk_steps=True)
SANA = dict(use_flow_sigmas=True, flow_shift=3.0, prediction_type="flow_prediction")

RUNS = [
    ("ddim", "DDIMScheduler", STABLE, 10, {}),
    ("ddim 7 steps", "DDIMScheduler", STABLE, 7, {}),
    ("ddim v", "DDIMScheduler", {**STABLE, **V}, 10, {}),
    ("ddim cosine leading", "DDIMScheduler", COSINE, 10, {}),
    ("ddim cosine leading v", "DDIMScheduler", {**COSINE, **V}, 10, {}),
    ("ddim trailing", "DDIMScheduler", {**SD, "clip_sample": False, "timestep_spacing": "trailing"}, 8, {}),
    ("ddim eta", "DDIMScheduler", STABLE, 10, {"eta": 1.0}),
    ("ddim half eta", "DDIMScheduler", {**LINEAR, "clip_sample": False}, 9, {"eta": 0.5}),
    ("pndm", "PNDMScheduler", PNDM, 10, {}),
    ("pndm 50", "PNDMScheduler", PNDM, 50, {}),
    ("pndm 2 steps", "PNDMScheduler", PNDM, 2, {}),
    ("pndm 1 step", "PNDMScheduler", PNDM, 1, {}),
    ("pndm v", "PNDMScheduler", {**PNDM, **V}, 10, {}),
    ("euler leading", "EulerDiscreteScheduler", {**SD, "timestep_spacing": "leading", "steps_offset": 1}, 10, {}),
    ("euler linspace", "EulerDiscreteScheduler", SD, 7, {}),
    ("euler trailing", "EulerDiscreteScheduler", {**SD, "timestep_spacing": "trailing"}, 16, {}),
    ("euler v", "EulerDiscreteScheduler", {**SD, **V}, 10, {}),
    ("ancestral", "EulerAncestralDiscreteScheduler", {**SD, "steps_offset": 1}, 10, {}),
    ("ancestral v", "EulerAncestralDiscreteScheduler", {**LINEAR, **V, "timestep_spacing": "leading"}, 10, {}),
    *((f"turbo {n}", "EulerAncestralDiscreteScheduler", {**SD, "timestep_spacing": "trailing"}, n, {})
      for n in (1, 2, 3, 4)),
    ("dpm", "DPMSolverMultistepScheduler", LINEAR, 12, {}),
    ("dpm 20", "DPMSolverMultistepScheduler", LINEAR, 20, {}),
    ("dpm leading v", "DPMSolverMultistepScheduler",
     {**SD, **V, "timestep_spacing": "leading", "steps_offset": 1}, 10, {}),
    ("dpm trailing", "DPMSolverMultistepScheduler", {**SD, "timestep_spacing": "trailing"}, 7, {}),
    ("dpm cosine v", "DPMSolverMultistepScheduler", {"beta_schedule": "squaredcos_cap_v2", **V}, 10, {}),
    ("dpm flow", "DPMSolverMultistepScheduler", SANA, 12, {}),
    ("dpm flow 20", "DPMSolverMultistepScheduler", SANA, 20, {}),
    ("dpm flow 1 step", "DPMSolverMultistepScheduler", SANA, 1, {}),
    ("flow match shift 3", "FlowMatchEulerDiscreteScheduler", {"shift": 3.0}, 10, {}),
    ("flow match shift 3, 28", "FlowMatchEulerDiscreteScheduler", {"shift": 3.0}, 28, {}),
    ("flow match 1 step", "FlowMatchEulerDiscreteScheduler", {"shift": 3.0}, 1, {}),
    ("flux", "FlowMatchEulerDiscreteScheduler", {"shift": 1.0}, 4, {"sigmas": True}),
    ("lcm", "LCMScheduler", SD, 4, {}),
    ("lcm 1 step", "LCMScheduler", SD, 1, {}),
    ("lcm v", "LCMScheduler", {**SD, **V}, 7, {}),
]


def floats(t):
    return [float(f"{float(v):.9g}") for v in torch.as_tensor(t).flatten()]


def network(x, t):
    x = x.double()
    return (0.5 * x + 0.3 * torch.sin(2 * x + 3 * t.double() / 1000)).float()


def run(name, cls, config, steps, extra):
    scheduler = getattr(diffusers, cls)(**config)
    if "sigmas" in extra:  # FLUX.1's pipeline hands over its own
        scheduler.set_timesteps(sigmas=list(np.linspace(1.0, 1 / steps, steps)))
    else:
        scheduler.set_timesteps(steps)
    seed = 7
    generator = torch.Generator().manual_seed(seed)
    start = torch.linspace(-2, 2, ELEMENTS)
    x = start * getattr(scheduler, "init_noise_sigma", 1.0)
    row = {"name": name, "config": {"_class_name": cls, **config}, "steps": steps, "seed": seed,
           "timesteps": floats(scheduler.timesteps), "eta": extra.get("eta", 0), "own_sigmas": "sigmas" in extra}
    if hasattr(scheduler, "sigmas"):
        row["sigmas"] = floats(scheduler.sigmas)
    else:
        row["alpha_bars"] = floats(scheduler.alphas_cumprod[scheduler.timesteps])
    more = {"eta": extra["eta"]} if "eta" in extra else {}
    if cls not in ("PNDMScheduler",):
        more["generator"] = generator
    latents = []
    for t in scheduler.timesteps:
        shown = scheduler.scale_model_input(x, t) if hasattr(scheduler, "scale_model_input") else x
        x = scheduler.step(network(shown, t), t, x, return_dict=False, **more)[0]
        latents.append(floats(x))
    row["start"], row["latents"] = floats(start), latents
    return row


def randn():
    rows = []
    for seed in (0, 42, 2**32 + 5, 1234567890123):
        generator, draws = torch.Generator().manual_seed(seed), []
        for n in (3, 15, 16, 17, 4, 40, 100, 1):  # in one go: what a call leaves behind changes the next
            draws.append(floats(torch.randn(n, generator=generator)))
        rows.append({"seed": seed, "draws": draws})
    generator = torch.Generator().manual_seed(11)
    long = torch.randn(1, 4, 64, 64, generator=generator)
    rows.append({"seed": 11, "size": long.numel(), "sum": float(long.double().sum()),
                 "ends": floats(torch.cat([long.flatten()[:4], long.flatten()[-4:]]))})
    return rows


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for file, content in (("schedulers.json", {"diffusers": diffusers.__version__, "runs": [run(*r) for r in RUNS]}),
                          ("torch_randn.json", {"torch": torch.__version__.split("+")[0], "rows": randn()})):
        path = FOLDER / file
        path.write_text(json.dumps(content, separators=(",", ":")).replace('{"name"', '\n{"name"') + "\n")
        print(file, path.stat().st_size // 1000, "kB")
