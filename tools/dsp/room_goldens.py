#!/usr/bin/env python3
"""Saves impulse responses of pyroomacoustics 0.10 for dsp/room/room_test.cpp.

Writes dsp/room/testdata/responses.json (what was simulated, and figures of each response) and responses.f32 (the samples,
little-endian, one response after another). Needs pyroomacoustics, numpy and scipy; nothing of them to build or test.

    room_goldens.py [folder]
"""
import json
import os
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")
import numpy as np
import pyroomacoustics as pra
from pyroomacoustics.directivities import CardioidFamily
from scipy.interpolate import PchipInterpolator

WALLS = ["west", "east", "south", "north", "floor", "ceiling"]
ANGLES = [0, 30, 60, 90, 120, 150, 180]
# An invented octave-band pattern, dB: rows by band from 125 Hz.
PATTERN = [[-0.5 * b * (1 - np.cos(np.radians(a))) ** 1.5 - (0.7 if a == 60 and b % 2 else 0) for a in ANGLES]
           for b in range(1, 9)]


class OctavePattern(CardioidFamily):
    """A table in dB over angle, one row an octave band, round about the facing axis. Rooms take this base class only."""

    def __init__(self, facing, bands):
        super().__init__(orientation=np.array(facing, float), p=0.5)
        self.facing = np.array(facing) / np.linalg.norm(facing)
        self.rows = [PchipInterpolator(ANGLES, PATTERN[b]) for b in range(bands)]

    def get_response(self, azimuth, colatitude=None, magnitude=False, degrees=True):
        ways = np.array([np.cos(azimuth) * np.sin(colatitude), np.sin(azimuth) * np.sin(colatitude), np.cos(colatitude)])
        angle = np.degrees(np.arccos(np.clip(self.facing @ ways, -1, 1)))
        return np.array([10 ** (row(angle) / 20) for row in self.rows])


def directivity(spec, bands):
    if spec is None:
        return None
    if spec["pattern"] == "table":
        return OctavePattern(spec["facing"], bands)
    return CardioidFamily(orientation=np.array(spec["facing"], float), p=spec["pattern"])


def simulate(case):
    pra.constants.set("rir_hpf_enable", case["high_pass"] > 0)
    pra.constants.set("rir_hpf_fc", case["high_pass"] or 10.0)
    pra.constants.set("num_threads", 1)
    centres = [125 * 2**b for b in range(int(np.floor(np.log2(case["rate"] / 125))))]

    def material(a):
        return pra.Material(a[0]) if len(a) == 1 else pra.Material(
            {"coeffs": a[: len(centres)], "center_freqs": centres})

    walls = case["walls"] if len(case["walls"]) == 6 else case["walls"] * 6
    room = pra.ShoeBox(case["size"], fs=case["rate"], max_order=case["order"],
                       materials={w: material(a) for w, a in zip(WALLS, walls)})
    if case["air"] == "default":
        room.set_air_absorption()
        case["air"] = [float(a) for a in room.air_absorption]
    elif case["air"]:
        room.set_air_absorption(case["air"][: len(centres)], centres)
    room.add_source(case["source"], directivity=directivity(case.get("source_pattern"), len(centres)))
    room.add_microphone(case["microphone"], directivity=directivity(case.get("microphone_pattern"), len(centres)))
    room.compute_rir()
    return np.asarray(room.rir[0][0], np.float64)


def cases():
    base = dict(rate=48000, size=[6, 5, 3], walls=[[0.19]], source=[3.1, 2.7, 1.6], microphone=[2.0, 1.5, 1.2], order=0,
                high_pass=0, air=[])
    air = [a * 1e-3 for a in [0.1, 0.3, 0.6, 1.0, 1.7, 4.1, 13.5, 20.0]]
    bands = [[0.02, 0.02, 0.03, 0.03, 0.04, 0.05, 0.05, 0.06], [0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.6],
             [0.1, 0.08, 0.06, 0.05, 0.05, 0.04, 0.04, 0.04], [0.2] * 8, [0.05, 0.1, 0.2, 0.3, 0.4, 0.4, 0.4, 0.4],
             [0.5, 0.6, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7]]
    for order in (0, 1, 2, 3, 10):
        yield f"golden table, order {order}", {**base, "order": order}
    yield "high-pass, order 10", {**base, "order": 10, "high_pass": 10.0}
    yield "air, order 10", {**base, "order": 10, "air": "default"}
    yield "cardioid ahead", {**base, "order": 1, "source_pattern": {"pattern": 0.5, "facing": [1, 0, 0]}}
    yield "cardioid left", {**base, "order": 1, "source_pattern": {"pattern": 0.5, "facing": [0, 1, 0]}}
    yield "cardioid back", {**base, "order": 1, "source_pattern": {"pattern": 0.5, "facing": [-1, 0, 0]}}
    other = {**base, "rate": 16000, "size": [4.7, 3.9, 2.6], "source": [1.3, 2.2, 1.5], "microphone": [3.6, 0.7, 1.1]}
    yield "walls by band, 16 kHz, order 12", {**other, "order": 12, "walls": bands}
    yield "walls by band, 48 kHz, order 4", {**other, "rate": 48000, "order": 4, "walls": bands}
    yield "walls by band with air and high-pass", {**other, "order": 8, "walls": bands, "air": air, "high_pass": 10.0}
    yield "unlike flat walls, order 25", {**other, "order": 25, "walls": [[0.1], [0.3], [0.2], [0.5], [0.15], [0.6]]}
    yield "hypercardioid source, cardioid microphone", {
        **other, "order": 6, "source_pattern": {"pattern": 0.25, "facing": [1, -2, 0.3]},
        "microphone_pattern": {"pattern": 0.5, "facing": [-1, 1, 0.5]}}
    yield "tabled source, walls by band", {
        **other, "order": 6, "walls": bands, "source_pattern": {"pattern": "table", "facing": [0.5, -1, 0.1]}}
    yield "8 kHz, order 5, walls by band", {**other, "rate": 8000, "order": 5, "walls": bands}


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "../../dsp/room/testdata")
    out, samples = [], []
    for name, case in cases():
        h = simulate(case)
        out.append({"name": name, **case, "length": len(h), "energy": float((h**2).sum()), "sum": float(h.sum()),
                    "peak": int(np.argmax(np.abs(h))), "t20": float(pra.measure_rt60(h, case["rate"], decay_db=20)),
                    "t30": float(pra.measure_rt60(h, case["rate"], decay_db=30))})
        samples.append(h.astype("<f4"))
        print(f"{name}: {len(h)} samples, energy {out[-1]['energy']:.10g}")
    sabine = []
    for size, t in (([10, 7.5, 3.5], 0.3), ([6, 5, 3], 0.4), ([5, 4, 6], 0.4)):
        absorption, order = pra.inverse_sabine(t, size)
        room = pra.ShoeBox(size, materials=pra.Material(absorption), max_order=0)
        sabine.append({"size": size, "rt60": t, "absorption": absorption, "order": order,
                       "eyring": float(room.rt60_theory(formula="eyring"))})
    document = {"made_with": f"pyroomacoustics {pra.__version__}, tools/dsp/room_goldens.py", "angles": ANGLES,
                "pattern": PATTERN, "inverse_sabine": sabine, "responses": out}
    with open(os.path.join(folder, "responses.json"), "w", encoding="utf8") as f:
        json.dump(document, f, indent=1)
        f.write("\n")
    np.concatenate(samples).tofile(os.path.join(folder, "responses.f32"))


if __name__ == "__main__":
    main()
