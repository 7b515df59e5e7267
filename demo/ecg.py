"""Synthetic ECG recordings, and a simple detector that finds in them what was put there.

Made for a demo: the waves are sums of bell curves and the thresholds are round numbers. Nothing
here is fit for a patient.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from statistics import fmean, pstdev

SAMPLING_RATE = 125
"""Samples a second of the recordings that `synthesise` makes."""

RHYTHMS = (
    "normal",
    "bradycardia",
    "tachycardia",
    "atrial_fibrillation",
    "premature_beats",
    "st_elevation",
    "asystole",
)

_NOISE_MV = 0.015
_FLAT_LINE_MV = 0.3
_REFRACTORY_SECONDS = 0.25
_WIDE_BEAT_SECONDS = 0.1
_IRREGULAR = 0.15
_ST_ELEVATION_MV = 0.15

# Limit and severity, the gravest first.
_SLOW = ((30, "critical"), (40, "high"), (45, "medium"), (50, "low"))
_FAST = ((180, "critical"), (150, "high"), (130, "medium"), (110, "low"))


@dataclass(frozen=True)
class Anomaly:
    """Detected anomaly: `anomaly_type` and `severity` as in `app.metrics`."""

    anomaly_type: str
    severity: str


@dataclass(frozen=True)
class Analysis:
    """Findings of `analyse`; `heart_rate` is in beats per minute, 0 for a flat line."""

    heart_rate: float
    anomalies: tuple[Anomaly, ...]


def synthesise(rhythm: str, rng: Random, seconds: float = 8.0) -> list[float]:
    """Generate a recording in millivolts at `SAMPLING_RATE`, of one of `RHYTHMS`."""
    samples = [rng.gauss(0, _NOISE_MV) for _ in range(int(seconds * SAMPLING_RATE))]
    if rhythm == "asystole":
        return samples
    rate = {
        "bradycardia": rng.uniform(28, 48),
        "tachycardia": rng.uniform(115, 190),
        "atrial_fibrillation": rng.uniform(80, 130),
    }.get(rhythm, rng.uniform(62, 88))
    spread = 0.4 if rhythm == "atrial_fibrillation" else 0.02
    elevation = rng.uniform(0.25, 0.6) if rhythm == "st_elevation" else 0.0
    premature = set(rng.sample((2, 4, 6), rng.randint(1, 3))) if rhythm == "premature_beats" else ()
    at, beat = 0.4, 0
    while at < seconds:
        wide = beat in premature
        # Premature: early, broad and without a P wave.
        if wide:
            at -= 0.3 * 60 / rate
        _add_beat(samples, at, wide=wide, p_wave=not wide and spread < _IRREGULAR, st=elevation)
        at += 60 / rate * (1.3 if wide else 1 + rng.uniform(-spread, spread))
        beat += 1
    return [round(sample, 3) for sample in samples]


def _add_beat(samples: list[float], at: float, *, wide: bool, p_wave: bool, st: float) -> None:
    waves = [(0.0, 1.3, 0.07)] if wide else [(0.0, 1.0, 0.014), (-0.03, -0.1, 0.01)]
    waves += [(0.3, 0.22, 0.05), (0.13, st, 0.05)]
    waves += [(-0.16, 0.12, 0.025)] if p_wave else []
    for offset, height, width in waves:
        middle = at + offset
        first = max(0, int((middle - 4 * width) * SAMPLING_RATE))
        last = min(len(samples), int((middle + 4 * width) * SAMPLING_RATE) + 1)
        for i in range(first, last):
            distance = (i / SAMPLING_RATE - middle) / width
            samples[i] += height * math.exp(-0.5 * distance * distance)


def smooth(samples: Sequence[float]) -> list[float]:
    """Moving average over three samples: the part that VitalStream runs as WebAssembly."""
    if len(samples) < 3:
        return list(samples)
    middle = [(a + b + c) / 3 for a, b, c in zip(samples, samples[1:], samples[2:], strict=False)]
    return [samples[0], *middle, samples[-1]]


def analyse(samples: Sequence[float], rate: int = SAMPLING_RATE) -> Analysis:
    """Find the beats of a smoothed recording, and what is wrong with them."""
    top = max(samples, default=0.0)
    if top - min(samples, default=0.0) < _FLAT_LINE_MV:
        return Analysis(0.0, (Anomaly("asystole", "critical"),))
    beats = _beats(samples, rate, top / 2)
    intervals = [(b - a) / rate for a, b in pairwise(beats)]
    if not intervals:
        return Analysis(0.0, (Anomaly("bradycardia", "critical"),))
    heart_rate = 60 / fmean(intervals)
    found: list[Anomaly] = []
    wide = sum(_width(samples, beat, top / 2) / rate > _WIDE_BEAT_SECONDS for beat in beats)
    if wide:
        found.append(Anomaly("premature_beats", ("low", "medium", "high")[min(wide, 3) - 1]))
    elif pstdev(intervals) / fmean(intervals) > _IRREGULAR:
        severity = "high" if heart_rate > _FAST[-1][0] else "medium"
        found.append(Anomaly("atrial_fibrillation", severity))
    else:
        found += [Anomaly("bradycardia", s) for limit, s in _SLOW if heart_rate < limit][:1]
        found += [Anomaly("tachycardia", s) for limit, s in _FAST if heart_rate > limit][:1]
        elevation = _st_elevation(samples, beats, rate)
        if elevation > _ST_ELEVATION_MV:
            severity = "critical" if elevation > 2 * _ST_ELEVATION_MV else "high"
            found.append(Anomaly("st_elevation", severity))
    return Analysis(heart_rate, tuple(found))


def _beats(samples: Sequence[float], rate: int, threshold: float) -> list[int]:
    beats: list[int] = []
    for i in range(1, len(samples) - 1):
        peak = samples[i] > threshold and samples[i - 1] < samples[i] >= samples[i + 1]
        if not peak:
            continue
        if beats and (i - beats[-1]) / rate < _REFRACTORY_SECONDS:
            if samples[i] > samples[beats[-1]]:
                beats[-1] = i
        else:
            beats.append(i)
    return beats


def _width(samples: Sequence[float], beat: int, threshold: float) -> int:
    left = right = beat
    while left > 0 and samples[left] > threshold:
        left -= 1
    while right < len(samples) - 1 and samples[right] > threshold:
        right += 1
    return right - left


def _st_elevation(samples: Sequence[float], beats: Sequence[int], rate: int) -> float:
    """Millivolts between the segment after a beat and the line before it, over all beats."""
    rises = [
        samples[beat + int(0.13 * rate)] - samples[beat - int(0.08 * rate)]
        for beat in beats
        if beat >= 0.08 * rate and beat + 0.13 * rate < len(samples)
    ]
    return fmean(rises) if rises else 0.0
