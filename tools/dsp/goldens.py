#!/usr/bin/env python3
"""Writes dsp/testdata: compact recordings and what pyroomacoustics, SciPy and NumPy make of them.

Needs: pip install numpy scipy pyroomacoustics (0.10). Run from anywhere: python tools/dsp/goldens.py
The C++ tests read the results; nothing here is needed to build or to test.
"""
import json
import pathlib
import wave

import numpy as np
import pyroomacoustics as pra
import scipy.signal as sp
from pyroomacoustics.acoustics import cosine_magnitude_octave_filter_response
from pyroomacoustics.experimental.localization import tdoa

OUT = pathlib.Path(__file__).resolve().parents[2] / "dsp" / "testdata"
RATE, SIZE, HOP, SPEED = 16000, 512, 256, 343.0
RING6 = 0.0463 * np.array([[np.cos(a), np.sin(a)] for a in 2 * np.pi * np.arange(6) / 6]).T  # (2, 6)


def rounded(values, digits=9):
    """Numbers with so many significant digits: text stays small."""
    return [float(f"{v:.{digits}g}") for v in np.ravel(values)]


def pairs(values, digits=9):
    """Complex numbers as re, im, re, im."""
    flat = np.ravel(values)
    return rounded(np.stack([flat.real, flat.imag], -1), digits)


def speech_like(rng, samples):
    """Noise with the long-term slope of speech and a syllable's rhythm."""
    b, a = sp.butter(2, [200, 1200], "bandpass", fs=RATE)
    white = rng.standard_normal(samples)
    x = sp.lfilter(b, a, white) + 0.15 * white
    return x * (0.55 - 0.45 * np.cos(2 * np.pi * 4 * np.arange(samples) / RATE))


def write_wav(name, x):
    """(channels, samples) in 16 bits; returns what a reader gets."""
    q = np.clip(np.round(x * 32768), -32768, 32767).astype("<i2")
    with wave.open(str(OUT / name), "wb") as f:
        f.setnchannels(len(q))
        f.setsampwidth(2)
        f.setframerate(RATE)
        f.writeframes(q.T.tobytes())
    return q / 32768.0


def frames(x):
    """STFT (channels, bins, frames), padded by SIZE - HOP zeros on both sides, periodic Hann."""
    padded = np.pad(x, ((0, 0), (SIZE - HOP, SIZE)))
    count = (x.shape[1] - 1 + SIZE) // HOP
    blocks = np.stack([padded[:, t * HOP:t * HOP + SIZE] for t in range(count)], 1)
    return np.stack([pra.transform.stft.analysis(b.ravel(), SIZE, SIZE, win=pra.windows.hann(SIZE)).T for b in blocks])


def direction_maps(x, sources):
    spectra = frames(x)
    azimuths = 2 * np.pi * np.arange(180) / 180
    bins = [k for k in range(1, SIZE // 2) if 500 <= k * RATE / SIZE <= 6000]
    out = {}
    for name, count in (("SRP", 1), ("MUSIC", sources), ("NormMUSIC", sources)):
        finder = pra.doa.algorithms[name](RING6, RATE, SIZE, c=SPEED, num_src=count, azimuth=azimuths)
        finder.locate_sources(spectra, freq_bins=bins)
        values = finder.grid.values
        if name == "SRP":  # theirs: (2 sum + diagonal) / pairs; ours: sum / pairs
            values = (values - len(RING6.T) / finder.num_pairs) / 2
        out[name] = {"map": rounded(values, 8), "found": rounded(np.sort(finder.azimuth_recon), 8)}
    return out


def directions():
    rng = np.random.default_rng(1)
    # One plane wave from 73.3 degrees with white noise 20 dB below.
    samples, azimuth = 6000, np.radians(73.3)
    source = np.fft.rfft(speech_like(rng, samples))
    delays = -RING6.T @ [np.cos(azimuth), np.sin(azimuth)] / SPEED
    f = np.fft.rfftfreq(samples, 1 / RATE)
    plane = np.stack([np.fft.irfft(source * np.exp(-2j * np.pi * f * d), samples) for d in delays])
    plane *= 0.1 / np.sqrt(np.mean(plane**2))
    plane = write_wav("plane.wav", plane + 0.01 * rng.standard_normal(plane.shape))
    # Two talkers in a room.
    room = pra.ShoeBox([5.2, 4.1, 2.7], fs=RATE, materials=pra.Material(0.45), max_order=6)
    centre = np.array([2.1, 1.7, 1.2])
    truth = np.radians([40.0, -107.0])
    for a in truth:
        place = centre + 1.4 * np.array([np.cos(a), np.sin(a), 0.1])
        room.add_source(place, signal=speech_like(rng, 7600))
    room.add_microphone_array(centre[:, None] + np.vstack([RING6, np.zeros(6)]))
    np.random.seed(1)
    room.simulate(snr=25)
    two = room.mic_array.signals[:, :8000]
    two = write_wav("two.wav", 0.1 * two / np.sqrt(np.mean(two**2)))
    spectra = frames(plane)
    return {
        "plane": {"azimuth": float(azimuth), **direction_maps(plane, 1)},
        "two": {"azimuths": rounded(truth), **direction_maps(two, 2)},
        "stft": {"channel": 2, "frames": [0, 1, 12], "values": pairs(spectra[2][:, [0, 1, 12]].T)},
        "tdoa_0_3": float(tdoa(plane[3], plane[0], interp=16, fs=RATE, phat=True) * RATE),
    }


def beams():
    azimuth = np.radians(25.0)
    frequencies = [250.0, 1000.0, 3000.0, 6000.0]

    class Far:
        images = 1000 * np.array([[np.cos(azimuth)], [np.sin(azimuth)]])

    distances = np.linalg.norm(RING6[:, :, None] - RING6[:, None, :], axis=0)
    out = {"azimuth": float(azimuth), "frequencies": frequencies, "das": [], "superdirective": []}
    for f in frequencies:
        former = pra.Beamformer(RING6, RATE, N=SIZE)
        former.frequencies = np.array([f])
        former.far_field_weights(azimuth)
        out["das"] += pairs(former.weights[:, 0])
        field = np.sinc(2 * f * distances / SPEED) + 0.01 * np.eye(6)
        former.rake_max_sinr_weights(Far, R_n=field, ff=True, attn=False)
        out["superdirective"] += pairs(former.weights[:, 0])
    return out


def filters():
    frequencies = np.array([20, 70, 90, 125, 400, 900, 1000, 1100, 1500, 3000, 5000, 7000.0])
    low, high = 1000 * 10**-0.15, 1000 * 10**0.15
    designs = {
        "lowpass5_1000": sp.butter(5, 1000, "low", fs=RATE, output="sos"),
        "highpass4_100": sp.butter(4, 100, "high", fs=RATE, output="sos"),
        "bandpass3_octave_1000": sp.butter(3, [low, high], "band", fs=RATE, output="sos"),
        "bandpass4_80_6000": sp.butter(4, [80, 6000], "band", fs=RATE, output="sos"),
    }
    out = {"frequencies": rounded(frequencies)}
    for name, sos in designs.items():
        out[name] = pairs(sp.sosfreqz(sos, worN=frequencies, fs=RATE)[1], 12)
    x = np.random.default_rng(2).standard_normal(64)
    out["input"] = rounded(x, 17)
    out["lowpass5_1000_output"] = rounded(sp.sosfilt(designs["lowpass5_1000"], x), 12)
    centres = 125.0 * 2.0 ** np.arange(7)
    for name, keep in (("bank_shelf", True), ("bank_band", False)):
        weights = cosine_magnitude_octave_filter_response(512, centres, RATE, keep)[0]
        out[name] = rounded(weights[:, ::4], 12)  # (band, every fourth bin of 512 points)
    return out


def resampling():
    rng = np.random.default_rng(3)
    out = {}
    for source, target in ((8000, 16000), (48000, 16000), (44100, 16000)):
        lower, samples = min(source, target), 600
        # Noise under 0.4 of the lower rate that fades in and out: the ideal answer is band-limited interpolation.
        fade = sp.windows.tukey(samples, 0.6)
        x = sp.filtfilt(*sp.butter(8, 0.3 * lower, fs=source), rng.standard_normal(samples)) * fade
        x = np.round(x, 6)
        up, down = target // np.gcd(source, target), source // np.gcd(source, target)
        most = max(up, down)
        taps = sp.firwin(2 * 80 * most + 1, 0.95 / most, window=("kaiser", 11.0))
        y = sp.resample_poly(x, up, down, window=taps)
        out[f"{source}_{target}"] = {"input": rounded(x, 7), "output": rounded(y, 9)}
    return out


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for name, content in (("directions", directions()), ("beams", beams()), ("filters", filters()),
                          ("resampling", resampling())):
        text = json.dumps({"made_by": f"tools/dsp/goldens.py, pyroomacoustics {pra.__version__}", **content},
                          separators=(",", ":"))
        (OUT / f"{name}.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
