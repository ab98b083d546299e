#!/usr/bin/env python3
"""Times pyroomacoustics on the rooms of bench/room_bench.cpp and prints both, in seconds of processor time.

    room_peer.py build/bench/room_bench [--threads 1|2]

The best of five rounds each; image sources and impulse responses together, high-pass off.
"""
import argparse
import json
import os
import subprocess
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")
import numpy as np
import pyroomacoustics as pra
from pyroomacoustics.directivities import CardioidFamily

# name, rate, order, microphones, walls by band with a cardioid source: the list of bench/room_bench.cpp
CASES = [
    ("flat, 48 kHz, order 10, 1 microphone", 48000, 10, 1, False),
    ("flat, 16 kHz, order 53, 1 microphone", 16000, 53, 1, False),
    ("flat, 16 kHz, order 17, 24 microphones", 16000, 17, 24, False),
    ("by band, 16 kHz, order 12, 6 microphones", 16000, 12, 6, True),
    ("by band, 16 kHz, order 40, 1 microphone", 16000, 40, 1, True),
]


def measure(rate, order, microphones, by_band):
    if by_band:
        material = pra.Material({"coeffs": [0.1, 0.12, 0.15, 0.2, 0.25, 0.3, 0.35],
                                 "center_freqs": [125 * 2**b for b in range(7)]})
    else:
        material = pra.Material(0.19)
    angles = 2 * np.pi * np.arange(microphones) / max(microphones, 2)
    places = np.array([2.0 + 0.0463 * np.cos(angles), 1.5 + 0.0463 * np.sin(angles), np.full(microphones, 1.2)])
    best_processor = best_wall = float("inf")
    for _ in range(5):
        processor, wall = time.process_time(), time.perf_counter()
        room = pra.ShoeBox([6, 5, 3], fs=rate, materials=material, max_order=order)
        pattern = CardioidFamily(orientation=np.array([-1, 0.5, 0]), p=0.5) if by_band else None
        room.add_source([3.1, 2.7, 1.6], directivity=pattern)
        room.add_microphone_array(places)
        room.compute_rir()
        best_processor = min(best_processor, time.process_time() - processor)
        best_wall = min(best_wall, time.perf_counter() - wall)
    return best_processor, best_wall


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bench")
    parser.add_argument("--threads", type=int, default=1, choices=(1, 2))
    args = parser.parse_args()
    pra.constants.set("rir_hpf_enable", False)
    pra.constants.set("num_threads", args.threads)
    lines = subprocess.run([args.bench, "--json"], check=True, capture_output=True, text=True).stdout.splitlines()
    ours = {(r["name"], r["threads"]): r for r in map(json.loads, lines)}
    print(f"pyroomacoustics {pra.__version__}, {args.threads} thread(s), seconds of processor time")
    for name, *case in CASES:
        peer, _ = measure(*case)
        mine = ours[name, args.threads]["processor"]
        print(f"{name:42} thimble {mine:9.5f}  pyroomacoustics {peer:9.5f}  ratio {peer / mine:7.1f}")


if __name__ == "__main__":
    main()
