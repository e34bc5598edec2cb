"""Splats for tests: given, random, and a slow rendering of their formulas."""

from typing import Any

import numpy as np

from distrack.arrays import Doubles, Floats
from distrack.decompose import Events
from distrack.decompose.splat.parameters import COLUMNS, PLACES
from distrack.decompose.synthesis.burst import white
from distrack.decompose.synthesis.sounds import PAN

RATE = 16_000

PLAIN = {
    "time": 0.1,
    "frequency": 440.0,
    "amplitude": 0.5,
    "mix": 1.0,
    "attack": 0.003,
    "decay": 0.15,
    "damping": 2.0,
    "bend": 0.0,
    "burst": 0.02,
    "centre": 2_000.0,
    "width": 0.4,
    "noise": 7.0,
    "phase": 0.3,
    "cosine 2": 0.5,
    "sine 3": -0.3,
}


def splats(*rows: dict[str, float], seconds: float = 1.0, rate: int = RATE, envelope: str = "gamma") -> Events:
    """Events whose numbers are those of `PLAIN`, except for the given ones."""
    channels = 2 if any("pan" in row for row in rows) else 1
    parameters = np.zeros((len(rows), len(COLUMNS) + channels - 1), np.float32)
    for place, row in enumerate(rows):
        for name, value in (PLAIN | row).items():
            parameters[place, PLACES[name]] = value
    return _events(parameters, seconds=seconds, rate=rate, channels=channels, envelope=envelope)


def random_splats(count: int, *, seconds: float, channels: int = 1, rate: int = RATE) -> Events:
    """Random events with numbers as in real clips."""
    random = np.random.default_rng(3)

    def log(low: float, high: float) -> Doubles:
        return np.asarray(low * (high / low) ** random.random(count))

    columns = {
        "time": random.uniform(-0.05, seconds * 0.9, count),
        "frequency": log(80, 0.3 * rate),
        "amplitude": log(0.01, 1),
        "mix": random.random(count),
        "attack": log(0.001, 0.2),
        "decay": log(0.01, 0.6),
        "damping": log(0.1, 30),
        "bend": random.uniform(-0.1, 0.1, count),
        "burst": log(0.002, 0.1),
        "centre": log(200, 0.3 * rate),
        "width": log(0.1, 2),
        "noise": np.arange(count),
        "phase": random.uniform(-3, 3, count),
        "pan": random.uniform(-1, 1, count),
    }
    columns |= {c.name: random.normal(0, 0.5, count) for c in COLUMNS if c.name.startswith(("cosine", "sine"))}
    names = [column.name for column in (*COLUMNS, PAN)[: len(COLUMNS) + channels - 1]]
    rows = np.stack([columns[name] for name in names], 1).astype(np.float32)
    return _events(rows, seconds=seconds, rate=rate, channels=channels, envelope="gamma", seed=5)


def _events(rows: Floats, *, seconds: float, rate: int, channels: int, envelope: str, seed: int = 0) -> Events:
    samples, settings = round(seconds * rate), {"envelope": envelope}
    return Events.of("splat", rows, sample_rate=rate, samples=samples, channels=channels, settings=settings, seed=seed)


def rendered_slowly(events: Events) -> Doubles:
    """The formulas, event by event in float64, without tiles and without leaving out quiet parts."""
    rate, samples = events.sample_rate, events.samples
    total = np.zeros((events.channels, samples))
    for row in events.parameters.astype(np.float64):
        value = {name: row[place] for name, place in PLACES.items() if place < len(row)}
        t = np.arange(samples) / rate - value["time"]
        sounding, t = t > 0, np.maximum(t, 0)
        attack, decay = value["attack"], value["decay"]

        def shape(t: Any, attack: float = attack, decay: float = decay) -> Any:
            return (1 - np.exp(-t / attack)) ** 2 * np.exp(-t / decay)

        loudest = attack * np.log1p(2 * decay / attack)
        settling = attack + decay
        start = value["frequency"] / (1 + value["bend"] * (1 - np.exp(-loudest / settling)))
        cycles = start * (t + value["bend"] * (t - settling * (1 - np.exp(-t / settling))))
        parts = [1.0, *(complex(value[f"cosine {k}"], value[f"sine {k}"]) for k in (2, 3, 4))]
        norm = np.sqrt(sum(abs(part) ** 2 for part in parts))
        tone = np.zeros(samples)
        for k, part in enumerate(parts, 1):
            highest = k * start * max(1.0, 1 + value["bend"])
            fade = np.clip((rate / 2 - highest) / (0.05 * rate / 2), 0, 1)
            angle = k * (2 * np.pi * cycles + value["phase"])
            tone += fade * np.exp(-(k - 1) * value["damping"] * t) * (part * np.exp(1j * angle)).real
        tone *= value["mix"] / norm * shape(t) / shape(loudest) * sounding
        # The noise: a filtered spectrum, evaluated at the samples' distances from the onset.
        size = 64
        while size < np.ceil(value["burst"] * 12.5 * rate) + 2 and size < samples:
            size *= 2
        spectrum = np.fft.rfft(white(int(value["noise"]), seed=events.seed, length=size).astype(np.float64))
        frequency = np.maximum(np.arange(size // 2 + 1) * rate / size, 1e-3)
        band = np.exp(-0.5 * (np.log2(frequency / value["centre"]) / value["width"]) ** 2)
        spread = value["width"] * np.log(2)
        power = value["centre"] * np.sqrt(np.pi) * spread * np.exp(spread**2 / 4) / (rate / 2)
        first = int(np.floor(value["time"] * rate))
        late = first - value["time"] * rate
        noise = np.fft.irfft(spectrum * band * np.exp(2j * np.pi * np.arange(size // 2 + 1) * late / size), size)
        past = np.maximum(np.arange(size) + late, 0) / rate / value["burst"]
        noise *= (1 - value["mix"]) / np.sqrt(power) * past * np.exp(1 - past)
        placed = np.zeros(samples + 2 * size)
        at = first + size
        if at + size <= len(placed):
            placed[at : at + size] = noise
        else:
            placed[at:] = noise[: len(placed) - at]
        wave = value["amplitude"] * (tone + placed[size : size + samples])
        angle = (value.get("pan", 0) + 1) * np.pi / 4
        total += np.outer([np.cos(angle), np.sin(angle)], wave) if events.channels == 2 else wave
    return total


def pitch_of(wave: Floats, *, rate: int = RATE) -> float:
    """Frequency of the strongest partial, in Hz."""
    size = 1 << 18
    power = np.abs(np.fft.rfft(wave * np.hanning(len(wave)), size))
    return float(power.argmax()) * rate / size


def energy_between(wave: Floats, low: float, high: float, *, rate: int = RATE) -> float:
    """Energy between two frequencies in Hz."""
    power = np.square(np.abs(np.fft.rfft(wave * np.hanning(len(wave)))))
    frequency = np.fft.rfftfreq(len(wave), 1 / rate)
    return float(power[(frequency >= low) & (frequency < high)].sum())
